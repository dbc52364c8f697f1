"""vedette.Display: shows outputs in the browser."""
