"""Panorama's documents: reading with places, findings, projects, and the resolution into one application.

``load_project`` reads a folder, ``resolve`` puts graph, overrides, cameras and settings together. What is wrong is
always a finding with a code (docs/ref/findings.md), never an exception.
"""

from vedette.documents.application import ModelUnit, ResolvedApplication, ResolvedModel, ResolvedParameter
from vedette.documents.codes import CODES, Severity
from vedette.documents.findings import DocumentError, Finding, errors
from vedette.documents.project import Graph, Package, Project, load_project
from vedette.documents.resolution import Parts, Resolution, default_instance, resolve

__all__ = [
    "CODES",
    "DocumentError",
    "Finding",
    "Graph",
    "ModelUnit",
    "Package",
    "Parts",
    "Project",
    "Resolution",
    "ResolvedApplication",
    "ResolvedModel",
    "ResolvedParameter",
    "Severity",
    "default_instance",
    "errors",
    "load_project",
    "resolve",
]
