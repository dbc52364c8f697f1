"""Panorama's documents: reading with places, findings, projects, and the resolution into one application."""
