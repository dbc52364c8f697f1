"""MXNet's symbol and parameters to ONNX, by MXNet 1.9's own exporter."""

import json
import os
import re
from typing import Any, Dict, List

import mxnet
import numpy as np
from mxnet import onnx as exporter
from toolkit import Refused, Request, first_line, run, sample_inputs, tell, write_reference, write_values


def convert(request: Request) -> Dict[str, Any]:
    """Write the ONNX file and the reference."""
    try:
        symbol = mxnet.symbol.load(request.other)
    except Exception as error:
        raise Refused("MXNet cannot read the symbol: {}".format(first_line(error))) from error
    try:
        loaded = mxnet.nd.load(request.main)
    except Exception as error:
        raise Refused("MXNet cannot read the parameters: {}".format(first_line(error))) from error
    parameters = {name.split(":", 1)[-1]: value for name, value in loaded.items()}
    free = [name for name in symbol.list_inputs() if name not in parameters]
    # Labels are inputs of the training only, but stand in the symbol.
    names = [name for name in free if not name.endswith("label")] or free
    shapes = _shapes(request, names)
    inputs = [(name, shapes[name], "float32") for name in names]
    samples = sample_inputs(request, inputs)
    tell("running the original on {} inputs".format(len(samples)))
    outputs = [_run(symbol, parameters, names, sample) for sample in samples]
    write_reference(request, [_renamed(request, names, sample) for sample in samples], outputs)
    if request.options.get("values"):
        # oneDNN's fused operators lose the weights of those whose results are wanted one by one.
        os.environ["MXNET_SUBGRAPH_BACKEND"] = "NONE"
        inside = symbol.get_internals()
        made = [name for name in inside.list_outputs() if name.endswith("_output")]
        given = _run(mxnet.sym.Group([inside[name] for name in made]), parameters, names, samples[0])
        write_values(request, {name[: -len("_output")]: value for name, value in zip(made, given)})
    tell("writing ONNX")
    try:
        exporter.export_model(
            symbol,
            parameters,
            [tuple(shapes[name]) for name in names],
            [np.float32] * len(names),
            request.output,
            dynamic=False,
        )
    except Exception as error:
        operators = re.findall(r"op type ([\w.]+)", str(error)) or _unknown(request.other)
        named = "operator {} is not supported by MXNet's ONNX exporter".format(", ".join(operators[:4]))
        message = named if operators else "MXNet's exporter: {}".format(first_line(error))
        raise Refused(message, "end the model before that operator and do the rest in the application") from error
    return {"outputs": len(outputs[0]), "rename": dict(zip(names, _wanted(request, names)))}


def _wanted(request: Request, names: List[str]) -> List[str]:
    if len(request.inputs) == len(names) == 1:
        return [request.inputs[0]["name"]]
    return names


def _renamed(request: Request, names: List[str], sample: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    return {wanted: sample[name] for wanted, name in zip(_wanted(request, names), names)}


def _shapes(request: Request, names: List[str]) -> Dict[str, List[int]]:
    declared = {entry["name"]: [int(size) for size in entry["shape"]] for entry in request.inputs}
    if len(names) == len(declared) == 1:
        return {names[0]: next(iter(declared.values()))}
    missing = [name for name in names if name not in declared]
    if missing:
        raise Refused(
            "the model takes {}, and the descriptor does not say how large `{}` is".format(
                ", ".join("`{}`".format(name) for name in names), missing[0]
            ),
            "give descriptor.json with mlModelDescriptor.inputs, or --input {}=1,3,512,512".format(missing[0]),
        )
    return {name: declared[name] for name in names}


def _run(symbol: Any, parameters: Any, names: List[str], sample: Dict[str, np.ndarray]) -> List[np.ndarray]:
    arguments = {name: mxnet.nd.array(sample[name]) for name in names}
    known = {name: parameters[name] for name in symbol.list_arguments() if name in parameters}
    auxiliary = {name: parameters[name] for name in symbol.list_auxiliary_states() if name in parameters}
    lacking = [n for n in symbol.list_arguments() if n not in known and n not in arguments]
    for name in lacking:
        arguments[name] = mxnet.nd.zeros((sample[names[0]].shape[0],))
    try:
        bound = symbol.bind(mxnet.cpu(), {**known, **arguments}, aux_states=auxiliary, grad_req="null")
        return [value.asnumpy() for value in bound.forward(is_train=False)]
    except Exception as error:
        raise Refused(
            "the model does not run on {}: {}".format(
                ", ".join("{} {}".format(n, "x".join(map(str, sample[n].shape))) for n in names), first_line(error)
            ),
            "compare the descriptor's inputs with the model's",
        ) from error


def _unknown(symbol_file: str) -> List[str]:
    from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

    known = getattr(MXNetGraph, "registry_", {})
    with open(symbol_file, encoding="utf-8") as stream:
        nodes = json.load(stream)["nodes"]
    return list(dict.fromkeys(node["op"] for node in nodes if node["op"] not in known and node["op"] != "null"))


if __name__ == "__main__":
    run(convert)
