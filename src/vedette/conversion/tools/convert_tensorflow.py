"""SavedModel, frozen graph, Keras and TFLite to ONNX, by tf2onnx."""

import logging
import os
import re
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import tensorflow as tf
import tf2onnx
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from toolkit import (
    Refused,
    Request,
    declared_shape,
    first_line,
    named_operators,
    run,
    sample_inputs,
    tell,
    write_reference,
    write_values,
)

_IGNORED = {"Assert", "NoOp", "Const", "Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "Print", "PrintV2"}
Outputs = List[np.ndarray]


class Original:
    """A model in TensorFlow: what it takes, what it gives, how it is run and written."""

    def __init__(
        self,
        inputs: List[Tuple[str, List[Optional[int]], str]],
        call: Callable[[Dict[str, np.ndarray]], Outputs],
        write: Callable[[str, List[str]], None],
        values: Callable[[Dict[str, np.ndarray]], Dict[str, np.ndarray]],
    ) -> None:
        self.inputs = inputs
        """(name, shape with None where free, dtype)"""
        self.call = call
        self.write = write
        """(ONNX file, inputs to be taken as NCHW)"""
        self.values = values
        """What flows inside, by TensorFlow's names, which tf2onnx keeps."""


class _Errors(logging.Handler):
    """Keeps what tf2onnx says at level error: the operators it does not know."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def convert(request: Request) -> Dict[str, Any]:
    """Write the ONNX file and the reference."""
    load = {
        "tensorflow-saved-model": _saved_model,
        "tensorflow-frozen-graph": _frozen_graph,
        "keras": _keras,
        "tflite": _tflite,
    }[request.framework]
    original = load(request)
    names = _own_names(request, original)
    inputs, swapped = _placed(request, original, names)
    samples = sample_inputs(request, inputs)
    tell("running the original on {} inputs".format(len(samples)))
    outputs = []
    fed: List[Dict[str, np.ndarray]] = []
    for sample in samples:
        given = {}
        for name, _, _ in inputs:
            own = names.get(name, name)
            values = sample[name]
            given[own] = values.transpose(0, 2, 3, 1) if name in swapped else values
        fed.append(given)
        try:
            outputs.append(original.call(given))
        except Exception as error:
            shapes = ", ".join("{} {}".format(name, "x".join(map(str, shape))) for name, shape, _ in inputs)
            raise Refused(
                "the model does not run on {}: {}".format(shapes, first_line(error)),
                "compare the descriptor's inputs with the model's",
            ) from error
    shown = [{name.split(":")[0]: values for name, values in sample.items()} for sample in samples]
    write_reference(request, samples if request.inputs else shown, outputs)
    if request.options.get("values"):
        write_values(request, original.values(fed[0]))
    tell("writing ONNX")
    errors = _Errors()
    for name in ("tf2onnx", "tf2onnx.tfonnx"):
        logging.getLogger(name).addHandler(errors)
    try:
        original.write(request.output, [names.get(name, name) for name in swapped])
    except Exception as error:
        raise _refusal(errors.lines, error) from error
    unsupported = [line for line in errors.lines if "not supported" in line or "no converter" in line.lower()]
    if unsupported:
        raise _refusal(errors.lines, RuntimeError(unsupported[0]))
    renamed = {own: name for name, own in names.items()}
    # Without the descriptor's word the names are those of TensorFlow, without the number of the output.
    for own, _, _ in original.inputs:
        renamed.setdefault(own, own.split(":")[0])
    return {"outputs": len(outputs[0]), "rename": renamed}


def _refusal(lines: List[str], error: Exception) -> Refused:
    text = "\n".join(lines) or str(error)
    named = re.findall(r"\[([^\[\]:]+): (\w+)\]", text)
    operators = [kind for _, kind in named] or named_operators(text)
    shown = ", ".join(dict.fromkeys(operators)) if operators else ""
    where = [name for name, _ in named]
    place = " at {}".format(where[0]) if where else ""
    reason = first_line(RuntimeError(text))
    message = (
        "operator {} is not supported by tf2onnx{}".format(shown, place) if shown else "tf2onnx: {}".format(reason)
    )
    return Refused(message, "replace the operator in the model, or give a part of the model that ends before it")


def _own_names(request: Request, original: Original) -> Dict[str, str]:
    """Return descriptor's name -> model's own name of each input."""
    own = [name for name, _, _ in original.inputs]
    plain = {name.split(":")[0]: name for name in own}
    names: Dict[str, str] = {}
    for entry in request.inputs:
        wanted = entry["name"]
        if wanted in own:
            names[wanted] = wanted
        elif wanted.split(":")[0] in plain:
            names[wanted] = plain[wanted.split(":")[0]]
        elif len(own) == len(request.inputs) == 1:
            names[wanted] = own[0]
        else:
            raise Refused(
                "the model has no input `{}`: it has {}".format(wanted, ", ".join("`{}`".format(n) for n in plain)),
                "name the inputs in descriptor.json as the model does",
            )
    return names


def _placed(
    request: Request, original: Original, names: Dict[str, str]
) -> Tuple[List[Tuple[str, List[int], str]], List[str]]:
    """Return the inputs with the descriptor's names and shapes, and which of them are given as NCHW."""
    by_own = {own: wanted for wanted, own in names.items()}
    placed: List[Tuple[str, List[int], str]] = []
    swapped: List[str] = []
    for own, shape, dtype in original.inputs:
        name = by_own.get(own, own)
        declared = declared_shape(request, name, only=len(original.inputs) == 1)
        if declared is None:
            # Unknown sizes: the batch is 1, pictures have a usual size.
            size = [s if s is not None else (1 if i == 0 else 224) for i, s in enumerate(shape or [1])]
        elif _is_nchw_of(declared, shape):
            size = declared
            swapped.append(name)
        else:
            size = declared
            if len(shape) == len(size) and any(a is not None and a != b for a, b in zip(shape, size)):
                raise Refused(
                    "the descriptor gives input `{}` the shape {}, the model has {}".format(
                        name, size, [s if s is not None else "?" for s in shape]
                    ),
                    "TensorFlow's models take NHWC: [1, height, width, 3]",
                )
        placed.append((name, size, dtype))
    return placed, swapped


def _is_nchw_of(declared: Sequence[int], shape: Sequence[Optional[int]]) -> bool:
    """Tell whether the descriptor has NCHW where the model has NHWC, as SageMaker Neo wanted it for Keras."""
    if len(declared) != 4 or len(shape) != 4 or declared[1] not in (1, 3, 4) or shape[3] != declared[1]:
        return False
    fits = all(own is None or own == given for own, given in zip(shape, declared))
    turned = [declared[0], declared[2], declared[3], declared[1]]
    return not fits and all(own is None or own == given for own, given in zip(shape, turned))


def _dtype(dtype: Any) -> str:
    return str(np.dtype(dtype.as_numpy_dtype))


def _of_function(function: Any, outputs: Sequence[Any], call: Callable[[Dict[str, np.ndarray]], Outputs]) -> Original:
    """Return the original of a concrete function whose outputs are ``outputs`` (symbolic tensors, in order)."""
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    graph_def = frozen.graph.as_graph_def()
    captured = {id(tensor) for tensor in frozen.captured_inputs}
    inputs = [tensor for tensor in frozen.inputs if id(tensor) not in captured and tensor.dtype != tf.resource]
    names = [tensor.name for tensor in inputs]
    ends = [frozen.outputs[_index_of(function.outputs, output)].name for output in outputs]

    def write(path: str, as_nchw: List[str]) -> None:
        _write_graph(graph_def, names, ends, path, as_nchw)

    def values(given: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            return _values_in(graph, session, given)

    shapes = [list(tensor.shape) if tensor.shape.rank is not None else [] for tensor in inputs]
    specs = [(name, shape, _dtype(tensor.dtype)) for name, shape, tensor in zip(names, shapes, inputs)]
    return Original(specs, call, write, values)


def _values_in(graph: Any, session: Any, given: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    wanted = [
        tensor
        for operation in graph.get_operations()
        for tensor in operation.outputs
        if tensor.dtype in (tf.float32, tf.float16, tf.float64) and operation.type not in _IGNORED
    ]
    return dict(zip([tensor.name for tensor in wanted], session.run(wanted, given)))


def _index_of(tensors: Sequence[Any], wanted: Any) -> int:
    return next(index for index, tensor in enumerate(tensors) if tensor is wanted or tensor.name == wanted.name)


def _write_graph(graph_def: Any, names: List[str], ends: List[str], path: str, as_nchw: List[str]) -> None:
    tf2onnx.convert.from_graph_def(
        graph_def,
        input_names=names,
        output_names=ends,
        opset=17,
        inputs_as_nchw=as_nchw or None,
        output_path=path,
    )


def _saved_model(request: Request) -> Original:
    try:
        model = tf.saved_model.load(request.main)
    except Exception as error:
        raise Refused(
            "TensorFlow {} cannot read the SavedModel: {}".format(tf.__version__, first_line(error)),
            "save it again in the version it was made with, or as a frozen graph",
        ) from error
    signatures = dict(model.signatures)
    if not signatures:
        raise Refused("the SavedModel has no signature", "save it with signatures={'serving_default': ...}")
    signature = signatures.get("serving_default") or next(iter(signatures.values()))
    names = sorted(signature.structured_outputs)
    keyed = signature.structured_input_signature[1]
    arguments = {
        tensor.name: _argument(tensor.name, keyed) for tensor in signature.inputs if tensor.dtype != tf.resource
    }

    def call(given: Dict[str, np.ndarray]) -> Outputs:
        result = signature(**{arguments[name]: tf.constant(values) for name, values in given.items()})
        return [result[name].numpy() for name in names]

    # Flattened, a dictionary is in the order of its keys, which is that of the function's outputs.
    keeps = list(signature.outputs)
    if len(keeps) != len(names):
        raise Refused("the signature has {} outputs and {} names of them".format(len(keeps), len(names)))
    return _of_function(signature, keeps, call)


def _argument(tensor: str, keyed: Dict[str, Any]) -> str:
    plain = tensor.split(":", maxsplit=1)[0]
    if plain in keyed:
        return plain
    cleaned = [name for name in keyed if plain.endswith(name)]
    return cleaned[0] if len(cleaned) == 1 else next(iter(keyed))


def _frozen_graph(request: Request) -> Original:
    graph_def = tf.compat.v1.GraphDef()
    try:
        with open(request.main, "rb") as stream:
            graph_def.ParseFromString(stream.read())
    except Exception as error:
        raise Refused("the file is no frozen graph: {}".format(first_line(error))) from error
    if not graph_def.node:
        raise Refused("the file is no frozen graph: it has no operators")
    graph = tf.Graph()
    with graph.as_default():
        try:
            tf.import_graph_def(graph_def, name="")
        except Exception as error:
            operators = named_operators(str(error))
            raise Refused(
                "TensorFlow {} does not take the graph{}: {}".format(
                    tf.__version__, " (operator {})".format(operators[0]) if operators else "", first_line(error)
                )
            ) from error
    operations = graph.get_operations()
    if any(op.type in ("VariableV2", "VarHandleOp") for op in operations):
        raise Refused("the graph has variables: it is not frozen", "freeze it, or give the SavedModel")
    starts = [op.outputs[0] for op in operations if op.type in ("Placeholder", "PlaceholderV2")]
    ends = _ends(request, operations)
    if not starts or not ends:
        raise Refused("the graph has {} inputs and {} outputs".format(len(starts), len(ends)))
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    session = tf.compat.v1.Session(graph=graph, config=config)

    def call(given: Dict[str, np.ndarray]) -> Outputs:
        result: Outputs = session.run(ends, given)
        return result

    def write(path: str, as_nchw: List[str]) -> None:
        _write_graph(graph_def, [t.name for t in starts], [t.name for t in ends], path, as_nchw)

    specs: List[Any] = [(t.name, list(t.shape) if t.shape.rank is not None else [], _dtype(t.dtype)) for t in starts]
    return Original(specs, call, write, lambda given: _values_in(graph, session, given))


def _ends(request: Request, operations: Sequence[Any]) -> List[Any]:
    if request.outputs:
        by_name = {op.name: op for op in operations}
        missing = [name for name in request.outputs if name.split(":")[0] not in by_name]
        if missing:
            raise Refused("the graph has no operator `{}`".format(missing[0]))
        return [by_name[name.split(":")[0]].outputs[int([*name.split(":"), "0"][1])] for name in request.outputs]
    used = {tensor.name for op in operations for tensor in op.inputs}
    return [
        tensor
        for op in operations
        if op.type not in _IGNORED
        for tensor in op.outputs[:1]
        if tensor.name not in used and not any(t.name in used for t in op.outputs)
    ]


def _keras(request: Request) -> Original:
    try:
        model = tf.keras.models.load_model(request.main, compile=False)
    except Exception as error:
        text = str(error)
        custom = re.findall(r"(?:class|layer|object|function)[: ]+'?([A-Z]\w+)'?", text)
        name = " (layer {})".format(custom[0]) if custom else ""
        raise Refused(
            "Keras {} cannot read the model{}: {}".format(tf.keras.__version__, name, first_line(error)),
            "an .h5 holds layers only: save it as .keras; layers of one's own and Lambda layers are code outside of "
            "either: export a SavedModel",
        ) from error
    if not getattr(model, "inputs", None):
        raise Refused("the Keras model was never built: its inputs are not known", "export a SavedModel instead")
    free = []
    for tensor in model.inputs:
        name = tensor.name.split(":")[0]
        declared = declared_shape(request, name, only=len(model.inputs) == 1)
        own = list(tensor.shape)
        if declared is not None and len(declared) == len(own):
            turned = [declared[0], declared[2], declared[3], declared[1]] if len(own) == 4 else declared
            declared = turned if _is_nchw_of(declared, own) else declared
            own = [d if d is not None else given for d, given in zip(own, declared)]
        own = [d if d is not None or i == 0 else 224 for i, d in enumerate(own)]
        free.append(tf.TensorSpec([1, *own[1:]], tensor.dtype, name=re.sub(r"\W", "_", name)))

    @tf.function
    def forward(*arguments: Any) -> Any:
        return model(list(arguments) if len(arguments) > 1 else arguments[0], training=False)

    function = forward.get_concrete_function(*free)
    tensors = tf.nest.flatten(function.structured_outputs)
    # What it captures comes after its arguments: variables, and constants of layers such as Normalization.
    order = [tensor.name for tensor in function.inputs[: len(free)]]

    def call(given: Dict[str, np.ndarray]) -> Outputs:
        return [value.numpy() for value in tf.nest.flatten(forward(*[tf.constant(given[name]) for name in order]))]

    keeps = [function.outputs[_position(function, tensor)] for tensor in tensors]
    return _of_function(function, keeps, call)


def _position(function: Any, tensor: Any) -> int:
    return next(i for i, own in enumerate(function.outputs) if own is tensor or own.name == tensor.name)


def _tflite(request: Request) -> Original:
    try:
        interpreter = tf.lite.Interpreter(model_path=request.main, num_threads=1)
        interpreter.allocate_tensors()
    except Exception as error:
        raise Refused("TensorFlow Lite does not take the file: {}".format(first_line(error))) from error
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def call(given: Dict[str, np.ndarray]) -> Outputs:
        for detail in inputs:
            interpreter.set_tensor(detail["index"], given[detail["name"]])
        interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in outputs]

    def write(path: str, as_nchw: List[str]) -> None:
        tf2onnx.convert.from_tflite(
            request.main,
            input_names=[d["name"] for d in inputs],
            output_names=[d["name"] for d in outputs],
            opset=17,
            inputs_as_nchw=as_nchw or None,
            output_path=path,
        )

    def values(given: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        every = tf.lite.Interpreter(request.main, num_threads=1, experimental_preserve_all_tensors=True)
        every.allocate_tensors()
        for detail in inputs:
            every.set_tensor(detail["index"], given[detail["name"]])
        every.invoke()
        details = [d for d in every.get_tensor_details() if d["dtype"] == np.float32 and len(d["shape"])]
        found = {}
        for detail in details:
            try:
                found[detail["name"]] = every.get_tensor(detail["index"])
            except ValueError:
                # A tensor that nothing computed.
                continue
        return found

    specs: List[Any] = [(d["name"], [int(s) for s in d["shape"]], str(np.dtype(d["dtype"]))) for d in inputs]
    return Original(specs, call, write, values)


if __name__ == "__main__":
    run(convert)
