"""TorchScript and ExportedProgram to ONNX."""

import io
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, Dict, List, Sequence

import numpy as np
import torch
from toolkit import (
    Refused,
    Request,
    first_line,
    named_operators,
    run,
    sample_inputs,
    tell,
    write_reference,
    write_values,
)

_NOT_A_PROGRAM = (
    "it holds {what}, not a program: Panorama, too, took TorchScript only. Save it where it was trained: "
    "torch.jit.trace(model.eval(), example).save('model.pt')"
)


def convert(request: Request) -> Dict[str, Any]:
    """Write the ONNX file and the reference."""
    exported = request.framework == "torch-export"
    model = _load_exported(request.main) if exported else _load_script(request.main)
    inputs = _inputs(request, model, exported)
    samples = sample_inputs(request, inputs)
    tell("running the original on {} inputs".format(len(samples)))
    runner = model.module() if exported else model
    outputs = [_run(runner, [sample[name] for name, _, _ in inputs]) for sample in samples]
    write_reference(request, samples, outputs)
    if request.options.get("values") and exported:
        write_values(request, _values(runner, [samples[0][name] for name, _, _ in inputs]))
    example = tuple(torch.from_numpy(samples[0][name]) for name, _, _ in inputs)
    names = [name for name, _, _ in inputs]
    tell("writing ONNX")
    noise = io.StringIO()
    try:
        with redirect_stdout(noise), redirect_stderr(noise):
            if exported:
                torch.onnx.export(
                    model, example, request.output, input_names=names, dynamo=True, external_data=False, verbose=False
                )
            else:
                # A list or dictionary of tensors would be one output: the wrapper makes a tuple of it.
                program = model if _gives_tensors(model, example) else torch.jit.trace(_Flat(model), example)
                torch.onnx.export(
                    program,
                    example,
                    request.output,
                    input_names=names,
                    output_names=["output_{}".format(index) for index in range(len(outputs[0]))],
                    dynamo=False,
                    opset_version=request.opset,
                )
    except Exception as error:
        operators = named_operators(str(error))
        name = " (operator {})".format(", ".join(operators[:3])) if operators else ""
        raise Refused("PyTorch's exporter does not take the model{}: {}".format(name, first_line(error))) from error
    return {"outputs": len(outputs[0])}


def _values(module: Any, arrays: Sequence[np.ndarray]) -> Dict[str, np.ndarray]:
    """Return what each node gives: the exporter names ONNX's values after them. TorchScript's have no such names."""
    found: Dict[str, np.ndarray] = {}

    class Recorder(torch.fx.Interpreter):
        def run_node(self, node: Any) -> Any:
            result = super().run_node(node)
            if isinstance(result, torch.Tensor):
                found[node.name] = result.detach().cpu().numpy()
            return result

    with torch.no_grad():
        Recorder(module).run(*[torch.from_numpy(array) for array in arrays])
    return found


class _Flat(torch.nn.Module):
    """Gives a tuple of tensors, whatever they were wrapped in."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, *arguments: Any) -> Any:
        return tuple(_flat(self.model(*arguments)))


def _gives_tensors(model: Any, example: Sequence[Any]) -> bool:
    with torch.no_grad():
        result = model(*example)
    values = result if isinstance(result, tuple) else (result,)
    return all(isinstance(value, torch.Tensor) for value in values)


def _load_script(path: str) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith(("models.json", "/serialized_exported_program.json")) for name in names):
            return _load_exported(path)
        if not any("/code/" in name for name in names):
            raise Refused("the file is no TorchScript", _NOT_A_PROGRAM.format(what=_what_pickle(path)))
    try:
        return torch.jit.load(path, map_location="cpu").eval()
    except Exception as error:
        raise Refused(
            "PyTorch cannot read the file as TorchScript: {}".format(first_line(error)),
            _NOT_A_PROGRAM.format(what="weights or a pickled object"),
        ) from error


def _what_pickle(path: str) -> str:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        return "a pickled Python object (its class is in the code it was trained with)"
    return "weights alone ({} tensors)".format(len(content)) if isinstance(content, dict) else "a tensor"


def _load_exported(path: str) -> Any:
    try:
        return torch.export.load(path)
    except Exception as error:
        raise Refused(
            "PyTorch cannot read the ExportedProgram: {}".format(first_line(error)),
            "it must be saved by torch.export.save of PyTorch 2.1 to {}".format(torch.__version__.split("+")[0]),
        ) from error


def _inputs(request: Request, model: Any, exported: bool) -> "List[tuple[str, List[int], str]]":
    """Return name, shape and dtype of each input: the descriptor's, in its order, which is that of the arguments."""
    if request.inputs:
        return [(i["name"], [int(s) for s in i["shape"]], i.get("dtype") or "float32") for i in request.inputs]
    if exported:
        found = []
        for name in model.graph_signature.user_inputs:
            node = next(n for n in model.graph.nodes if n.name == name)
            value = node.meta["val"]
            shape = [int(s) if isinstance(s, int) else 1 for s in value.shape]
            found.append((name, shape, str(value.dtype).replace("torch.", "")))
        return found
    raise Refused(
        "TorchScript does not say how large its inputs are",
        "give descriptor.json with mlModelDescriptor.inputs, or --input data=1,3,224,224",
    )


def _run(model: Any, arrays: Sequence[np.ndarray]) -> List[np.ndarray]:
    try:
        with torch.no_grad():
            result = model(*[torch.from_numpy(array) for array in arrays])
    except Exception as error:
        shapes = ", ".join("x".join(map(str, array.shape)) for array in arrays)
        lines = [line for line in str(error).splitlines() if "Error" in line]
        raise Refused(
            "the model does not run on inputs of {}: {}".format(
                shapes, lines[-1].strip() if lines else first_line(error)
            ),
            "compare the descriptor's inputs with what the model was traced with",
        ) from error
    return [value.detach().cpu().numpy() for value in _flat(result)]


def _flat(result: Any) -> List[Any]:
    """Return the tensors in a result, in the order in which ONNX will have them."""
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, dict):
        return [tensor for key in result for tensor in _flat(result[key])]
    if isinstance(result, (list, tuple)):
        return [tensor for value in result for tensor in _flat(value)]
    raise Refused("the model returns {}, expected tensors".format(type(result).__name__))


if __name__ == "__main__":
    run(convert)
