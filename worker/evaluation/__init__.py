"""What users get from a model, in figures and pictures."""
