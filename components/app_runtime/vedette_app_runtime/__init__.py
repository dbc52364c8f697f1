"""vedette.AppRuntime: hosts Panorama applications."""
