"""Training: data, recipes and one loop for both networks."""
