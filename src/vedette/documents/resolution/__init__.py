"""Resolution: project, overrides, cameras and settings become one application, or findings that say why not."""

from vedette.documents.resolution.resolve import Parts, Resolution, default_instance, resolve

__all__ = ["Parts", "Resolution", "default_instance", "resolve"]
