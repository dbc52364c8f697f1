"""vedette.ModelInference: serves models to applications."""
