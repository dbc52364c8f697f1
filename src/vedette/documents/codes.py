"""Every code a finding may carry: its severity and what it is about. docs/ref/findings.md explains each."""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple


class Severity(str, Enum):
    """An error stops what was asked for; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Rule(NamedTuple):
    """One code."""

    severity: Severity
    title: str


_E, _W = Severity.ERROR, Severity.WARNING

CODES: Final[Mapping[str, Rule]] = {
    # reading a file
    "V001": Rule(_E, "file cannot be read"),
    "V002": Rule(_E, "file is too large"),
    "V003": Rule(_E, "file is not UTF-8"),
    "V004": Rule(_E, "file is not JSON"),
    "V005": Rule(_E, "document is nested too deep"),
    "V006": Rule(_W, "key is given twice"),
    "V007": Rule(_E, "path leads out of the project"),
    "V008": Rule(_W, "file begins with a byte order mark"),
    "V009": Rule(_E, "document is of no known kind"),
    # one document against AWS's schema
    "V010": Rule(_E, "key is missing"),
    "V011": Rule(_E, "key is unknown"),
    "V013": Rule(_E, "value is of the wrong JSON type"),
    "V014": Rule(_E, "value is not allowed"),
    "V030": Rule(_W, "deviation from AWS's schema that is known from the field"),
    # the graph's nodes and edges
    "V012": Rule(_E, "package has no such port"),
    "V015": Rule(_E, "edge names a node that the graph does not have"),
    "V016": Rule(_E, "edge joins ends that do not fit"),
    "V017": Rule(_E, "port has more than one provider"),
    "V018": Rule(_E, "name is used twice"),
    "V019": Rule(_W, "edge has no effect"),
    "V028": Rule(_E, "application has no code node"),
    "V029": Rule(_E, "application has more than one code node"),
    # packages and graphs of the project
    "V020": Rule(_E, "package is there in another version"),
    "V021": Rule(_E, "package is not in the project"),
    "V022": Rule(_E, "package has no such interface"),
    "V023": Rule(_W, "interface names an asset that its package does not have"),
    "V024": Rule(_W, "package is not in the graph's list of packages"),
    "V025": Rule(_E, "project has no graph"),
    "V026": Rule(_W, "package is there more than once"),
    "V070": Rule(_W, "package folder has no usable name"),
    "V027": Rule(_E, "project has no graph of that name"),
    # code and models on disk
    "V031": Rule(_W, "model has no file"),
    "V032": Rule(_E, "asset's content does not have the hash it is named by"),
    "V033": Rule(_E, "model must be converted"),
    "V083": Rule(_W, "model is converted later"),
    "V084": Rule(_E, "preprocess.json cannot be used"),
    "V034": Rule(_E, "model archive cannot be used"),
    "V035": Rule(_W, "model has no descriptor"),
    "V036": Rule(_E, "code package says not how it is started"),
    "V079": Rule(_W, "container asset cannot be used"),
    "V037": Rule(_E, "code package has no sources"),
    "V038": Rule(_E, "the file to start is not among the application's files"),
    "V039": Rule(_W, "Dockerfile is not fully understood"),
    # sources
    "V080": Rule(_E, "source cannot be read by Python"),
    "V081": Rule(_W, "source is written for Python 2"),
    "V082": Rule(_W, "requirement has no upper limit"),
    # overrides
    "V040": Rule(_E, "override replaces a node that the graph does not have"),
    "V041": Rule(_E, "node may not be overridden"),
    "V042": Rule(_E, "mandatory override is missing"),
    "V043": Rule(_E, "override is of another kind than the node it replaces"),
    "V044": Rule(_E, "override names a node that it does not define"),
    "V045": Rule(_E, "number of replacing nodes does not fit"),
    "V046": Rule(_E, "camera has no address"),
    "V047": Rule(_E, "node is replaced twice"),
    "V048": Rule(_E, "document is a template"),
    # values given at deployment
    "V050": Rule(_E, "setting names a parameter that the application does not have"),
    "V051": Rule(_E, "value does not fit the parameter's type"),
    "V053": Rule(_E, "value breaks the parameter's constraint"),
    "V054": Rule(_E, "camera is given for a node that is not a camera node"),
    "V055": Rule(_E, "camera source cannot be used"),
    "V056": Rule(_W, "more cameras than Panorama allowed"),
    "V071": Rule(_E, "instance name cannot be used"),
    # ports
    "V060": Rule(_E, "routing rule names a node that is not the code node"),
    "V061": Rule(_W, "routing rule names a port that the package does not declare"),
    "V062": Rule(_E, "two routing rules take the same host port"),
    "V063": Rule(_E, "host port is outside of what documents may open"),
    "V064": Rule(_E, "host port is no port number"),
    "V065": Rule(_W, "routing rule is not confirmed"),
    # compilation
    "V074": Rule(_E, "recipe is too large"),
    "V075": Rule(_W, "parameters do not fit into a device shadow"),
    "V076": Rule(_W, "artifact is larger than AWS takes"),
    "V077": Rule(_W, "application is too large for nucleus lite"),
}
