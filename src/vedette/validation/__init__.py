"""Checks a whole project: every document, every graph, every override with its graph, sources and limits.

More than a run asks for: a run reads one graph, and does not care for a script that is never started.
"""

from vedette.validation.project import CheckedApplication, Validation, validate

__all__ = ["CheckedApplication", "Validation", "validate"]
