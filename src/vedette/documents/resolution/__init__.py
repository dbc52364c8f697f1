"""Resolution: project, overrides, cameras and settings become one application, or findings that say why not."""

from vedette.documents.resolution.resolve import Parts, Resolution, default_instance, resolve
from vedette.documents.resolution.routing import OpenedPort

__all__ = ["OpenedPort", "Parts", "Resolution", "default_instance", "resolve"]
