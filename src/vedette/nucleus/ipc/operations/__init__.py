"""The operations that components may ask for, one module a subject."""
