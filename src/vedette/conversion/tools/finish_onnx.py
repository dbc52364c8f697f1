"""What is done to ONNX files: inputs' names, a free batch dimension, FP16 weights, int8 with calibration.

``options.step``: ``finish`` (names, one file, and beside it the candidate with a free batch), ``fp16``, ``int8``, or
``locate``: where a model parts from its original.
"""

import re
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference
from toolkit import Refused, Request, first_line, run, tell

_SMALLEST_FP16 = 64
_LARGEST_FP16 = 65504.0


def convert(request: Request) -> Dict[str, Any]:
    """Do one step."""
    steps = {"finish": finish, "fp16": halve, "int8": quantise, "locate": locate}
    return steps[request.options["step"]](request)


def finish(request: Request) -> Dict[str, Any]:
    """Rename inputs, drop weights from the list of inputs, write one file; and a candidate with a free batch."""
    model = _load(request.main)
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    # MXNet's exporter lists weights as inputs: ONNX Runtime then warns of each and folds none.
    inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
    for old, new in (request.options.get("rename") or {}).items():
        if old != new:
            _rename(graph, old, new)
    _check_names(request, [value.name for value in graph.input])
    _fix_shapes(request, graph)
    _fix_outputs(request.options.get("output_shapes") or [], graph)
    _save(model, request.output)
    free = _free_batch(model)
    if free is not None:
        _save(free, request.options["free_batch"])
    return {
        "free_batch": free is not None,
        "operators": sorted({node.op_type for node in graph.node}),
        "inputs": [_described(value) for value in graph.input],
        "outputs": [_described(value) for value in graph.output],
    }


def _load(path: str) -> Any:
    try:
        model = onnx.load(path)
    except Exception as error:
        raise Refused("the file is no ONNX model: {}".format(first_line(error))) from error
    custom = sorted({n.domain + "::" + n.op_type for n in _nodes(model.graph) if n.domain not in _DOMAINS})
    if custom:
        raise Refused(
            "the model has operators that ONNX does not define: {}".format(", ".join(custom[:4])),
            "export it without custom operators; libraries of them are not loaded",
        )
    return model


_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _nodes(attribute.g)


def _save(model: Any, path: str) -> None:
    onnx.save(model, path)


def _check_names(request: Request, names: List[str]) -> None:
    wanted = [entry["name"] for entry in request.inputs]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise Refused(
            "the model has no input `{}`: it has {}".format(missing[0], ", ".join("`{}`".format(n) for n in names)),
            "name the inputs in descriptor.json as the model does, or rename with --input",
        )


def _rename(graph: Any, old: str, new: str) -> None:
    if any(new in node.output for node in graph.node) or any(value.name == new for value in graph.initializer):
        # Something inside has that name: it gives way.
        _rename_inside(graph, new, new + "_inside")
    for value in graph.input:
        if value.name == old:
            value.name = new
    _rename_inside(graph, old, new)


def _rename_inside(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _rename_inside(attribute.g, old, new)
    for value in [*graph.initializer, *graph.value_info, *graph.output]:
        if value.name == old:
            value.name = new


def _fix_shapes(request: Request, graph: Any) -> None:
    """Put the descriptor's shape where the file leaves a dimension free; the batch stays free where it is."""
    for value in graph.input:
        for entry in request.inputs:
            dims = value.type.tensor_type.shape.dim
            if entry["name"] != value.name or len(dims) != len(entry["shape"]):
                continue
            for index, (dim, size) in enumerate(zip(dims, entry["shape"])):
                if index and not dim.dim_value and int(size) > 0:
                    dim.Clear()
                    dim.dim_value = int(size)
            fixed = [dim.dim_value for dim in dims]
            if any(own and own != int(size) for own, size in zip(fixed, entry["shape"])):
                raise Refused(
                    "the descriptor gives input `{}` the shape {}, the model has {}".format(
                        value.name, list(entry["shape"]), [size or "?" for size in fixed]
                    )
                )


def _fix_outputs(shapes: List[List[int]], graph: Any) -> None:
    """Write the outputs' true shapes, as the original gave them, where the exporter left them open."""
    fixed = all(dim.dim_value for value in graph.input for dim in value.type.tensor_type.shape.dim)
    for value, shape in zip(graph.output, shapes if fixed else []):
        tensor = value.type.tensor_type
        if not tensor.HasField("shape") or len(tensor.shape.dim) != len(shape):
            tensor.shape.Clear()
            for size in shape:
                tensor.shape.dim.add().dim_value = size
        for dim, size in zip(tensor.shape.dim, shape):
            if not dim.dim_value:
                dim.Clear()
                dim.dim_value = size


def _free_batch(model: Any) -> Any:
    """Return a copy whose first dimensions are free, or None where they are already or cannot be.

    Only a candidate: whether it computes the same for a batch is for the proof to say.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        if not dims or dims[0].dim_value != 1:
            return None
    for value in graph.output:
        dims = value.type.tensor_type.shape.dim
        if not dims or dims[0].dim_value not in (0, 1):
            return None
    for value in [*graph.input, *graph.output]:
        dim = value.type.tensor_type.shape.dim[0]
        dim.Clear()
        dim.dim_param = "batch"
    del graph.value_info[:]
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    constants = {t.name: t for t in graph.initializer if t.name in shapes}
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in shapes:
            for attribute in node.attribute:
                if attribute.name == "value":
                    constants[node.output[0]] = attribute.t
    for tensor in constants.values():
        sizes = numpy_helper.to_array(tensor)
        if sizes.ndim != 1 or not sizes.size or sizes[0] != 1:
            continue
        freed = sizes.copy()
        # 0 takes the size from the input, where that is the batch; where another size is -1 there is no other way.
        freed[0] = 0 if (sizes[1:] == -1).any() else -1
        tensor.CopyFrom(numpy_helper.from_array(freed, tensor.name))
    try:
        return shape_inference.infer_shapes(copy)
    except Exception:
        return None


def _described(value: Any) -> Dict[str, Any]:
    dims = value.type.tensor_type.shape.dim
    return {
        "name": value.name,
        "dtype": str(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
        "shape": [dim.dim_value if dim.dim_value else (dim.dim_param or "?") for dim in dims],
    }


def halve(request: Request) -> Dict[str, Any]:
    """Keep weights as float16 and compute in float32: half the file, and no slower where float16 is not native."""
    model = _load(request.main)
    graph = model.graph
    kept, casts, halved = [], [], 0
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor) if tensor.data_type == TensorProto.FLOAT else None
        if values is None or values.size < _SMALLEST_FP16 or float(np.abs(values).max()) > _LARGEST_FP16:
            kept.append(tensor)
            continue
        half = tensor.name + "_fp16"
        kept.append(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [tensor.name], name=half + "_cast", to=TensorProto.FLOAT))
        halved += 1
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    if not halved:
        raise Refused("the model has no float32 weights that could be kept as float16")
    _save(model, request.output)
    return {"tensors": halved}


def quantise(request: Request) -> Dict[str, Any]:
    """Quantise to int8 with calibration inputs: convolutions and matrix products, weights per channel."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    calibration = np.load(request.options["calibration"])
    names = sorted({key.split("/", 2)[2] for key in calibration.files})
    count = 1 + max(int(key.split("/")[1]) for key in calibration.files)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._at = 0

        def get_next(self) -> Any:
            if self._at >= count:
                return None
            self._at += 1
            return {name: calibration["in/{}/{}".format(self._at - 1, name)] for name in names}

    prepared = request.output + ".prepared"
    tell("calibrating on {} inputs".format(count))
    try:
        quant_pre_process(request.main, prepared, skip_symbolic_shape=True)
        operators = request.options.get("operators") or ["Conv", "ConvTranspose", "MatMul", "Gemm"]
        quantize_static(
            prepared,
            request.output,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=operators,
            nodes_to_exclude=request.options.get("exclude") or [],
            per_channel=True,
            reduce_range=False,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    except Exception as error:
        raise Refused("the model cannot be quantised: {}".format(first_line(error))) from error
    model = onnx.load(request.output)
    return {"quantised": sum(node.op_type == "QuantizeLinear" for node in model.graph.node)}


_TRACED_BYTES = 2 << 30


def locate(request: Request) -> Dict[str, Any]:
    """Name the node at which the model in ``main`` parts from its original, or nothing where that cannot be told.

    The original is what ``options.values`` recorded of it, or the ONNX file ``options.original``; both on the input in
    ``options.sample``. Differences are parts of a value's range: the largest, or with ``options.mean`` the mean.
    """
    model = _load(request.main)
    with np.load(request.options["sample"]) as stored:
        prefix = "in/0/"
        sample = {key[len(prefix) :]: stored[key] for key in stored.files if key.startswith(prefix)}
    if request.options.get("original"):
        original = _load(request.options["original"])
        inner = {name for node in original.graph.node for name in node.output}
        wanted = _trace(original, sample, inner & {name for node in model.graph.node for name in node.output})
    else:
        with np.load(request.options["values"]) as stored:
            wanted = {key.split("/", 1)[1]: stored[key] for key in stored.files}
    got = _trace(model, sample, set(wanted))
    limit, mean = request.options["limit"], request.options.get("mean", False)
    gaps: Dict[str, float] = {}
    reached: Dict[str, float] = {}
    for node in model.graph.node:
        # What lies between two values that are known is as far off as the last of them.
        before = max([reached.get(name, 0.0) for name in node.input] or [0.0])
        for name in node.output:
            gap = _gap(wanted.get(name), got.get(name), mean)
            reached[name] = before if gap is None else gap
            if gap is not None:
                gaps[name] = gap
            if gap is not None and gap > limit:
                at = _quantised(node, model.graph.node)
                return {"operator": at.op_type, "node": _called(at), "before": before, "after": gap}
    return {"compared": len(gaps)}


def _quantised(node: Any, nodes: Any) -> Any:
    """Return the node whose result a QuantizeLinear or DequantizeLinear carries on; the node itself for any other."""
    makers = {name: each for each in nodes for name in each.output}
    while node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[0] in makers:
        node = makers[node.input[0]]
    return node


def _called(node: Any) -> str:
    """Return the name that says most: PyTorch's exporter numbers its nodes and names what they give."""
    return str(node.output[0] if re.fullmatch(r"n\d+|node_.*|", node.name) else node.name)


def _trace(model: Any, sample: Dict[str, np.ndarray], names: "set[str]") -> Dict[str, np.ndarray]:
    """Return those of the values that the model computes, without the optimisations that would merge them."""
    import onnxruntime

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = {value.name for value in copy.graph.output}
    inner = [name for node in copy.graph.node for name in node.output if name in names and name not in known]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])
    every = [output.name for output in session.get_outputs()]
    found: Dict[str, np.ndarray] = {}
    total = 0
    for begin in range(0, len(every), 32):
        part = every[begin : begin + 32]
        for name, value in zip(part, session.run(part, sample)):
            if name in names and isinstance(value, np.ndarray) and value.dtype.kind == "f":
                found[name] = value
                total += value.nbytes
        if total > _TRACED_BYTES:
            break
    return found


def _gap(one: Optional[np.ndarray], other: Optional[np.ndarray], mean: bool) -> Optional[float]:
    """Return the difference as a part of the range; None where there is nothing to compare."""
    if one is None or other is None or one.size != other.size or not one.size:
        return None
    if one.shape != other.shape:
        # TensorFlow's NHWC where ONNX has NCHW, or the other way.
        turned = [one.transpose(order) for order in ((0, 3, 1, 2), (0, 2, 3, 1)) if one.ndim == 4]
        fitting = [each for each in turned if each.shape == other.shape]
        if not fitting:
            return None
        one = fitting[0]
    finite = np.isfinite(one)
    if not finite.any() or (np.isfinite(other) != finite).any():
        return float("inf") if finite.any() else None
    gap = np.abs(one[finite].astype(np.float64) - other[finite])
    span = float(np.ptp(one[finite])) or 1.0
    return float(gap.mean() if mean else gap.max()) / span


if __name__ == "__main__":
    run(convert)
