"""vedette.Display: shows the outputs of applications, with their overlays, in a browser."""
