"""What editors show of each key of the documents."""

from collections.abc import Mapping
from typing import Final

ANY_MODEL: Final[Mapping[str, str]] = {
    "envelopeVersion": "Version of the document format: 2021-01-01.",
    "description": "What it is, for people.",
    "decorator": "Texts for who deploys.",
    "maxConnections": "How many producers may lead to the port; 0: any number.",
    "reference": "Whether the value is a reference to something else.",
    "referenceSource": "What the value refers to.",
    "requirements": "What the device must have.",
    "environment": "Variables of the environment of the process.",
}
"""Keys that mean the same wherever they stand."""

OF_MODEL: Final[Mapping[str, Mapping[str, str]]] = {
    "GraphDocument": {"nodeGraph": "The application."},
    "OverrideDocument": {"nodeGraphOverrides": "What a deployment changes in a graph."},
    "PackageDocument": {"nodePackage": "A package: code, models, a camera or an output."},
    "PackageOverridesDocument": {"nodePackageOverrides": "Assets that take the place of a package's."},
    "DescriptorDocument": {
        "mlModelDescriptor": "A model as its framework has it.",
        "runtimeDescriptor": "How the code of a package is started.",
    },
    "NodeGraph": {
        "packages": "Every package that a node's interface names.",
        "nodes": "Code, models, cameras, outputs and parameters.",
        "edges": "What is connected to what. Models have no edge: the code calls them by the name of their node.",
        "networkRoutingRules": "Ports of the device that lead to ports of the code.",
    },
    "NodeGraphOverrides": {
        "packages": "Packages of the nodes defined here.",
        "nodes": "Nodes that take the place of others.",
        "edges": "Further edges.",
        "networkRoutingRules": "Routing rules; one for the same port of the code takes the place of the graph's.",
        "nodeOverrides": "Which nodes of the graph are replaced, and by which.",
    },
    "NodeOverride": {
        "replace": "Node of the graph; it must be overridable.",
        "with": "Nodes defined here. Several for a camera node: several cameras.",
    },
    "Replacement": {"name": "Name of a node defined in this document."},
    "PackageInclude": {
        "name": "<account>::<NAME>; the account id does not matter here.",
        "version": "Version of the package, as in the name of its folder.",
        "patchVersion": "Patch of the version; the newest if left out.",
        "generatedPatchVersion": "Set by AWS's tools.",
        "uri": "Set by AWS's tools.",
    },
    "_Node": {
        "description": "What it is; AWS's schema has only the decorator's.",
        "name": "Name within the graph. Code calls a model by the name of its node.",
        "overridable": "Whether a deployment may put another node, or another value, in its place.",
        "overrideMandatory": "Whether a deployment must do so.",
    },
    "InterfaceNode": {
        "interface": "<account>::<PACKAGE>.<interface>; "
        "panorama::abstract_rtsp_media_source.rtsp_v1_interface is a camera, panorama::hdmi_data_sink.hdmi0 an output.",
        "launch": "onSignal: the camera is paused until it is resumed.",
    },
    "StringNode": {"interface": "A text parameter.", "value": "Its value; empty if left out."},
    "Int32Node": {
        "interface": "An integer parameter.",
        "value": "Its value, -2147483648 to 2147483647; 0 if left out.",
    },
    "Float32Node": {"interface": "A number parameter.", "value": "Its value; 0.0 if left out."},
    "BooleanNode": {"interface": "A boolean parameter.", "value": "Its value; false if left out."},
    "Edge": {
        "producer": "Where data comes from: node.port, or the bare node of a parameter.",
        "consumer": "Where data goes: node.port. The names of ports come from package.json.",
    },
    "NetworkRoutingRule": {
        "node": "The code node.",
        "containerPort": "Port that the code listens on.",
        "hostPort": "Port of the device, 8000 to 9000; the same as containerPort if left out.",
    },
    "Decorator": {
        "title": "Short name.",
        "constraintText": "What is allowed, for people.",
        "constraintRegex": "Regular expression that a value must match.",
    },
    "NodePackage": {
        "name": "Name of the package; the folder's name is taken if left out.",
        "version": "Version, as in the name of the folder.",
        "assets": "Binaries of the package. May be empty: sources beside package.json are enough.",
        "interfaces": "What nodes of a graph may be made of.",
    },
    "NodePackageOverrides": {
        "name": "Name of the package.",
        "version": "Version of the package.",
        "assetOverrides": "The assets.",
    },
    "Asset": {"name": "Name that an interface uses.", "implementations": "The files."},
    "Implementation": {
        "type": "container: code; model: a model; system: part of Panorama.",
        "assetUri": "Name of the file in assets/: the SHA-256 of its content with the suffix .tar.gz.",
        "descriptorUri": "Name of the descriptor's copy in assets/: the SHA-256 of its content with the suffix .json.",
    },
    "OtaRequirement": {
        "type": "A version of Panorama's device software.",
        "minVersion": "The least version.",
        "maxVersion": "The greatest version.",
    },
    "DeviceRequirement": {"type": "A kind of device.", "name": "The kind."},
    "HardwareAccessRequirement": {
        "type": "Access to hardware of the device.",
        "inferenceAccelerators": "Accelerators that the code uses.",
        "nvAccelerators": "What some packages have in place of inferenceAccelerators; AWS's schema does not know it.",
    },
    "InferenceAccelerator": {
        "deviceType": "nvhost_gpu: the GPU.",
        "sharedResourcePolicy": "How it is shared with others.",
    },
    "SharedResourcePolicy": {"policy": "allow_all: with everybody."},
    "Interface": {
        "name": "Name that nodes use: <account>::<PACKAGE>.<name>.",
        "asset": "Name of the asset that implements it.",
        "category": "business_logic: code; ml_model: a model; media_source: a camera; media_sink: an output.",
        "inputs": "Input ports: inputs.<name>.get() in the code.",
        "outputs": "Output ports: outputs.<name>.put() in the code.",
        "network": "Ports that the code listens on.",
    },
    "Network": {"inboundPorts": "At most ten TCP ports."},
    "DeclaredPort": {"port": "TCP port that the code listens on."},
    "OutputPort": {"name": "Name of the port.", "type": "media: pictures; or the type of a value."},
    "MediaInputPort": {"name": "Name of the port.", "type": "Pictures of cameras."},
    "_ParameterInputPort": {"name": "Name of the port.", "type": "Type of the parameter."},
    "_NumberInputPort": {
        "constraintRegex": "Regular expression that a value must match.",
        "minimum": "Least value; AWS's schema does not know it.",
    },
    "StringInputPort": {
        "default": "Value where no edge leads to the port.",
        "constraintRegex": "Regular expression that a value must match.",
    },
    "Int32InputPort": {"default": "Value where no edge leads to the port."},
    "Float32InputPort": {"default": "Value where no edge leads to the port."},
    "BooleanInputPort": {"default": "Value where no edge leads to the port."},
    "MlModelDescriptor": {
        "framework": "Framework the model was made with. ONNX and TFLITE are not known to AWS's schema.",
        "frameworkVersion": "Its version, as 1.8.",
        "precisionMode": "Numbers that AWS's compiler made the model of.",
        "inputs": "Inputs of the model: the keys of the dictionary that node.call() takes.",
    },
    "InputTensor": {
        "name": "Name of the input.",
        "type": "Type of its elements.",
        "shape": "Its dimensions, as [1, 3, 224, 224].",
    },
    "RuntimeDescriptor": {"entry": "The command.", "events": "Functions that are called when something happens."},
    "RuntimeEntry": {
        "path": "Program, as python3, python3.8 or bash.",
        "name": "What it starts, as /panorama/application.py.",
        "arguments": "Further arguments.",
    },
    "EnvironmentVariable": {"name": "Name of the variable.", "value": "Its value."},
    "ExitEvent": {"type": "Before the node ends.", "handler": "Function to be called."},
    "InputEvent": {
        "type": "When some, or all, inputs have arrived.",
        "handler": "Function to be called.",
        "inputs": "The inputs that are waited for.",
    },
}
"""Keys of one model, by the name of its class or of a class it is made of."""
