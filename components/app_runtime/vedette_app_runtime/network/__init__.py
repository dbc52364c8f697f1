"""The application's ports: which of them the outside reaches, and at which port of the device."""
