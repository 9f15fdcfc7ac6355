"""Training: samples, recipes and one loop for all networks."""
