"""Darknet's cfg and weights to ONNX. The original's outputs are OpenCV's, which reads Darknet's files by itself.

The result has one output ``detections``, (1, N, 5 + classes) for YOLO and region layers: centre x, centre y, width,
height in 0..1 of the picture, objectness, and each class's probability, cell by cell as Darknet and OpenCV have them,
one layer after the other. A network that ends otherwise (a classifier) has its last layer's output.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from toolkit import Refused, Request, run, sample_inputs, tell, write_reference, write_values

Section = Dict[str, str]
_OPSET = 13
_ACTIVATIONS = ("leaky", "relu", "relu6", "logistic", "tanh", "swish", "mish")


def convert(request: Request) -> Dict[str, Any]:
    """Write the ONNX file and the reference."""
    sections = read_cfg(request.other)
    with open(request.main, "rb") as stream:
        weights = Weights(stream.read())
    network = Network(sections, weights)
    name = request.inputs[0]["name"] if request.inputs else "data"
    model = network.build(name)
    shape = [1, network.channels, network.height, network.width]
    declared = request.inputs[0]["shape"] if request.inputs else shape
    if list(declared) != shape:
        raise Refused(
            "the descriptor gives the input the shape {}, the cfg has {}".format(list(declared), shape),
            "make width and height of the cfg and the descriptor agree",
        )
    onnx.checker.check_model(model)
    samples = sample_inputs(request, [(name, shape, "float32")])
    tell("running the original on {} inputs, with OpenCV".format(len(samples)))
    outputs = [network.reference(request.other, request.main, sample[name]) for sample in samples]
    write_reference(request, samples, outputs)
    if request.options.get("values"):
        write_values(request, network.values(request.other, request.main, samples[0][name]))
    onnx.save(model, request.output)
    return {"outputs": len(outputs[0])}


def read_cfg(path: str) -> List[Section]:
    """Return the sections of a cfg file, each with its kind under ``kind``."""
    sections: List[Section] = []
    with open(path, encoding="utf-8", errors="replace") as stream:
        for number, raw in enumerate(stream, start=1):
            line = raw.split("#")[0].strip()
            if not line or line.startswith(";"):
                continue
            if line.startswith("["):
                sections.append({"kind": line.strip("[]").strip()})
            elif "=" in line and sections:
                key, value = line.split("=", 1)
                sections[-1][key.strip()] = value.strip()
            else:
                raise Refused("line {} of the cfg is no `key=value`: {!r}".format(number, line[:60]))
    if not sections or sections[0]["kind"] not in ("net", "network"):
        raise Refused("the cfg does not begin with [net]")
    return sections


class Weights:
    """Reads a weights file from its begin to its end."""

    def __init__(self, content: bytes) -> None:
        if len(content) < 16:
            raise Refused("the weights file has {} bytes: it is cut short".format(len(content)))
        major, minor, _ = np.frombuffer(content, np.int32, 3)
        seen_bytes = 8 if major * 10 + minor >= 2 else 4
        body = content[12 + seen_bytes :]
        self._values = np.frombuffer(body[: len(body) // 4 * 4], np.float32)
        self._at = 0

    def take(self, count: int, layer: str) -> np.ndarray:
        """Return the next ``count`` numbers."""
        if self._at + count > len(self._values):
            raise Refused(
                "the weights end in {}: {} numbers are left, {} are needed".format(
                    layer, len(self._values) - self._at, count
                ),
                "cfg and weights are not of the same network, or the file is cut short",
            )
        values = self._values[self._at : self._at + count]
        self._at += count
        return values

    @property
    def left(self) -> int:
        """Numbers that nothing has asked for."""
        return len(self._values) - self._at


class Network:
    """Builds the graph layer by layer; each layer's output has a name and the shape (channels, height, width)."""

    def __init__(self, sections: Sequence[Section], weights: Weights) -> None:
        net = sections[0]
        self.width, self.height = int(net.get("width", 416)), int(net.get("height", 416))
        self.channels = int(net.get("channels", 3))
        self._sections = list(sections[1:])
        self._weights = weights
        self._nodes: List[Any] = []
        self._initializers: List[Any] = []
        self._outputs: List[Tuple[str, Tuple[int, int, int]]] = []
        self._heads: List[Tuple[int, str, Section, Tuple[int, int, int]]] = []

    def build(self, input_name: str) -> Any:
        """Return the ONNX model."""
        at, shape = input_name, (self.channels, self.height, self.width)
        for index, section in enumerate(self._sections):
            add = getattr(self, "_add_" + section["kind"], None)
            if add is None:
                raise Refused(
                    "layer {} of the cfg is of type `{}`, which is not supported".format(index, section["kind"]),
                    "supported: " + ", ".join(n[5:] for n in sorted(dir(self)) if n.startswith("_add_")),
                )
            try:
                at, shape = add(index, section, at, shape)
            except (KeyError, ValueError, IndexError) as error:
                raise Refused("layer {} [{}] of the cfg: {!r}".format(index, section["kind"], error)) from error
            self._outputs.append((at, shape))
        if self._weights.left:
            raise Refused(
                "the weights hold {} numbers more than the cfg asks for".format(self._weights.left),
                "cfg and weights are not of the same network",
            )
        if self._heads:
            rows = sum(s[1] * s[2] * len(_anchors(c)) for _, _, c, s in self._heads)
            width = 5 + int(self._heads[0][2].get("classes", 20))
            parts = [self._decode(*head) for head in self._heads]
            self._node("Concat", parts, "detections", axis=1)
            output = helper.make_tensor_value_info("detections", TensorProto.FLOAT, ["batch", rows, width])
        else:
            self._node("Identity", [at], "output")
            self.plain = tuple(shape)
            dims = ["batch", *(shape if shape[1:] != (1, 1) else shape[:1])]
            if shape[1:] == (1, 1):
                self._nodes.pop()
                self._node("Reshape", [at, self._const("output_shape", np.array([0, -1], np.int64))], "output")
            output = helper.make_tensor_value_info("output", TensorProto.FLOAT, dims)
        source = helper.make_tensor_value_info(
            input_name, TensorProto.FLOAT, ["batch", self.channels, self.height, self.width]
        )
        graph = helper.make_graph(self._nodes, "darknet", [source], [output], self._initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="vedette")
        model.ir_version = 8
        return model

    def reference(self, cfg: str, weights: str, picture: np.ndarray) -> List[np.ndarray]:
        """Return what OpenCV computes, YOLO layers decoded here with numpy."""
        opencv: Any = cv2
        net = opencv.dnn.readNetFromDarknet(cfg, weights)
        net.setPreferableBackend(opencv.dnn.DNN_BACKEND_OPENCV)
        net.setInput(picture)
        if not self._heads:
            result = net.forward()
            return [result.reshape(1, -1) if self.plain[1:] == (1, 1) else result]
        names = ["conv_{}".format(index - 1) for index, _, _, _ in self._heads]
        raws = net.forward(names)
        return [np.concatenate([self._decoded(raw, head[2]) for raw, head in zip(raws, self._heads)], axis=1)]

    def values(self, cfg: str, weights: str, picture: np.ndarray) -> Dict[str, np.ndarray]:
        """Return what OpenCV has after each layer, by this network's name for it."""
        opencv: Any = cv2
        net = opencv.dnn.readNetFromDarknet(cfg, weights)
        # Fused, a layer has the result of the one after it.
        net.enableFusion(False)
        net.setInput(picture)
        last: Dict[int, str] = {}
        for name in net.getLayerNames():
            kind, _, number = name.rpartition("_")
            if number.isdigit():
                # OpenCV counts an activation as the layer after the one that it belongs to.
                last[int(number) - (kind in _ACTIVATIONS)] = name
        known = [index for index in range(len(self._outputs)) if index in last]
        given = net.forward([last[index] for index in known])
        return {self._outputs[index][0]: value for index, value in zip(known, given)}

    def _decoded(self, raw: np.ndarray, section: Section) -> np.ndarray:
        anchors = _anchors(section)
        _, _, height, width = raw.shape
        values = raw.reshape(len(anchors), -1, height, width).transpose(2, 3, 0, 1).astype(np.float64)
        region = section["kind"] == "region"
        new = int(section.get("new_coords", 0))
        scale = float(section.get("scale_x_y", 1))

        def logistic(v: np.ndarray) -> np.ndarray:
            return v if new else np.asarray(1 / (1 + np.exp(-v)))

        grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)[:, :, None]
        boxes = np.empty_like(values)
        boxes[..., :2] = (logistic(values[..., :2]) * scale - (scale - 1) / 2 + grid) / (width, height)
        size = np.square(values[..., 2:4] * 2) if new else np.exp(values[..., 2:4])
        unit = (width, height) if region else (self.width, self.height)
        boxes[..., 2:4] = size * anchors / unit
        boxes[..., 4:5] = logistic(values[..., 4:5])
        scores = values[..., 5:]
        if region and int(section.get("softmax", 0)):
            powers = np.exp(scores - scores.max(-1, keepdims=True))
            boxes[..., 5:] = powers / powers.sum(-1, keepdims=True)
        else:
            boxes[..., 5:] = logistic(scores)
        return boxes.reshape(1, -1, values.shape[-1]).astype(np.float32)

    # Layers. Each returns the name and the shape of its output.

    def _add_convolutional(self, index: int, s: Section, at: str, shape: Any) -> Any:
        filters, size, stride = int(s.get("filters", 1)), int(s.get("size", 1)), int(s.get("stride", 1))
        groups, dilation = int(s.get("groups", 1)), int(s.get("dilation", 1))
        pad = size // 2 if int(s.get("pad", 0)) else int(s.get("padding", 0))
        pad *= dilation
        layer = "layer {} [convolutional]".format(index)
        normalised = int(s.get("batch_normalize", 0))
        bias = self._weights.take(filters, layer)
        scales = mean = variance = None
        if normalised:
            scales, mean, variance = (self._weights.take(filters, layer) for _ in range(3))
        kernel = self._weights.take(filters * (shape[0] // groups) * size * size, layer)
        kernel = kernel.reshape(filters, shape[0] // groups, size, size)
        if scales is not None and mean is not None and variance is not None:
            # Folded in double precision, as the frameworks' own optimisers do it. Darknet's epsilon is 1e-6.
            factor = scales.astype(np.float64) / np.sqrt(variance.astype(np.float64) + 1e-6)
            kernel = (kernel * factor[:, None, None, None]).astype(np.float32)
            bias = (bias - mean * factor).astype(np.float32)
        name = "conv_{}".format(index)
        inputs = [at, self._const(name + "_w", kernel), self._const(name + "_b", bias)]
        self._node(
            "Conv", inputs, name,
            strides=[stride] * 2, pads=[pad] * 4, group=groups, dilations=[dilation] * 2, kernel_shape=[size] * 2,
        )  # fmt: skip
        spread = dilation * (size - 1) + 1
        out = (filters, (shape[1] + 2 * pad - spread) // stride + 1, (shape[2] + 2 * pad - spread) // stride + 1)
        return self._activation(s.get("activation", "logistic"), name, index), out

    def _add_connected(self, index: int, s: Section, at: str, shape: Any) -> Any:
        outputs, inputs = int(s.get("output", 1)), int(np.prod(shape))
        layer = "layer {} [connected]".format(index)
        bias = self._weights.take(outputs, layer)
        matrix = self._weights.take(outputs * inputs, layer).reshape(outputs, inputs)
        if int(s.get("batch_normalize", 0)):
            scales, mean, variance = (self._weights.take(outputs, layer) for _ in range(3))
            factor = scales.astype(np.float64) / np.sqrt(variance.astype(np.float64) + 1e-6)
            matrix = (matrix * factor[:, None]).astype(np.float32)
            bias = (bias - mean * factor).astype(np.float32)
        name = "connected_{}".format(index)
        self._node("Reshape", [at, self._const(name + "_s", np.array([0, -1], np.int64))], name + "_flat")
        weights = [self._const(name + "_w", matrix), self._const(name + "_b", bias)]
        self._node("Gemm", [name + "_flat", *weights], name + "_2d", transB=1)
        self._node("Reshape", [name + "_2d", self._const(name + "_o", np.array([0, outputs, 1, 1], np.int64))], name)
        return self._activation(s.get("activation", "logistic"), name, index), (outputs, 1, 1)

    def _add_maxpool(self, index: int, s: Section, at: str, shape: Any) -> Any:
        stride = int(s.get("stride", 1))
        size = int(s.get("size", stride))
        pad = int(s.get("padding", size - 1))
        name = "maxpool_{}".format(index)
        begin = pad // 2
        self._node(
            "MaxPool", [at], name,
            kernel_shape=[size] * 2, strides=[stride] * 2, pads=[begin, begin, pad - begin, pad - begin],
        )  # fmt: skip
        return name, (shape[0], (shape[1] + pad - size) // stride + 1, (shape[2] + pad - size) // stride + 1)

    def _add_avgpool(self, index: int, s: Section, at: str, shape: Any) -> Any:
        name = "avgpool_{}".format(index)
        self._node("GlobalAveragePool", [at], name)
        return name, (shape[0], 1, 1)

    def _add_upsample(self, index: int, s: Section, at: str, shape: Any) -> Any:
        stride = int(s.get("stride", 2))
        name = "upsample_{}".format(index)
        scales = self._const(name + "_s", np.array([1, 1, stride, stride], np.float32))
        empty = self._const(name + "_r", np.array([], np.float32))
        self._node(
            "Resize", [at, empty, scales], name,
            mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric",
        )  # fmt: skip
        return name, (shape[0], shape[1] * stride, shape[2] * stride)

    def _add_route(self, index: int, s: Section, at: str, shape: Any) -> Any:
        layers = [int(part) for part in s["layers"].split(",")]
        chosen = [self._outputs[layer if layer >= 0 else index + layer] for layer in layers]
        groups, group = int(s.get("groups", 1)), int(s.get("group_id", 0))
        parts, channels = [], 0
        for number, (source, (count, _, _)) in enumerate(chosen):
            part, size = source, count
            if groups > 1:
                size = count // groups
                part = "route_{}_{}".format(index, number)
                bounds = [np.array([v], np.int64) for v in (group * size, (group + 1) * size, 1)]
                self._node(
                    "Slice", [source, *(self._const(part + "_" + str(i), b) for i, b in enumerate(bounds))], part
                )
            parts.append(part)
            channels += size
        name = "route_{}".format(index)
        self._node("Concat", parts, name, axis=1)
        return name, (channels, *chosen[0][1][1:])

    def _add_shortcut(self, index: int, s: Section, at: str, shape: Any) -> Any:
        sources = [int(part) for part in s["from"].split(",")]
        if s.get("weights_type", "none") != "none":
            raise Refused("layer {} [shortcut] has weights_type, which is not supported".format(index))
        name, current = "", at
        for number, source in enumerate(sources):
            other, other_shape = self._outputs[source if source >= 0 else index + source]
            if other_shape != shape:
                raise Refused("layer {} [shortcut] adds {} to {}: not supported".format(index, other_shape, shape))
            name = "shortcut_{}_{}".format(index, number)
            self._node("Add", [current, other], name)
            current = name
        return self._activation(s.get("activation", "linear"), name, index), shape

    def _add_scale_channels(self, index: int, s: Section, at: str, shape: Any) -> Any:
        source = int(s["from"])
        other, other_shape = self._outputs[source if source >= 0 else index + source]
        name = "scale_channels_{}".format(index)
        self._node("Mul", [at, other], name)
        return self._activation(s.get("activation", "linear"), name, index), other_shape

    def _add_reorg(self, index: int, s: Section, at: str, shape: Any) -> Any:
        stride = int(s.get("stride", 2))
        channels, height, width = shape
        name = "reorg_{}".format(index)
        # Darknet's reorg reads the memory as if channels were stride^2 times fewer: not a plain space-to-depth.
        inner = channels // (stride * stride)
        steps: List[Tuple[str, Any]] = [
            ("Reshape", [0, inner, height, stride, width, stride]),
            ("Transpose", [0, 3, 5, 1, 2, 4]),
            ("Reshape", [0, channels * stride * stride, height // stride, width // stride]),
        ]
        current = at
        for number, (operator, values) in enumerate(steps):
            out = name if number == 2 else "{}_{}".format(name, number)
            if operator == "Transpose":
                self._node("Transpose", [current], out, perm=values)
            else:
                self._node("Reshape", [current, self._const(out + "_s", np.array(values, np.int64))], out)
            current = out
        return name, (channels * stride * stride, height // stride, width // stride)

    def _add_dropout(self, index: int, s: Section, at: str, shape: Any) -> Any:
        return at, shape

    def _add_cost(self, index: int, s: Section, at: str, shape: Any) -> Any:
        return at, shape

    def _add_softmax(self, index: int, s: Section, at: str, shape: Any) -> Any:
        name = "softmax_{}".format(index)
        self._node("Softmax", [at], name, axis=1)
        return name, shape

    def _add_yolo(self, index: int, s: Section, at: str, shape: Any) -> Any:
        wanted = len(_anchors(s)) * (5 + int(s.get("classes", 20)))
        if shape[0] != wanted:
            raise Refused("layer {} [yolo] gets {} channels, expected {}".format(index, shape[0], wanted))
        self._heads.append((index, at, s, shape))
        return at, shape

    _add_region = _add_yolo

    def _decode(self, index: int, at: str, s: Section, shape: Any) -> str:
        anchors = _anchors(s)
        _, height, width = shape
        fields = 5 + int(s.get("classes", 20))
        name = "head_{}".format(index)
        region, new = s["kind"] == "region", int(s.get("new_coords", 0))
        scale = float(s.get("scale_x_y", 1))
        parts = self._const(name + "_s1", np.array([0, len(anchors), fields, height, width], np.int64))
        self._node("Reshape", [at, parts], name + "_5d")
        self._node("Transpose", [name + "_5d"], name + "_cells", perm=[0, 3, 4, 1, 2])
        sizes = self._const(name + "_split", np.array([2, 2, 1, fields - 5], np.int64))
        raw = [name + "_" + part for part in ("xy", "wh", "object", "class")]
        self._nodes.append(helper.make_node("Split", [name + "_cells", sizes], raw, axis=4))
        xy, wh, objectness, classes = raw

        def logistic(value: str) -> str:
            return value if new else self._node("Sigmoid", [value], value + "_p")

        grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)[None, :, :, None].astype(np.float32)
        cell = np.array([width, height], np.float32)
        offset = self._const(name + "_grid", (grid - (scale - 1) / 2) / cell)
        factor = self._const(name + "_cell", (scale / cell).astype(np.float32))
        self._node("Mul", [logistic(xy), factor], name + "_xy_s")
        self._node("Add", [name + "_xy_s", offset], name + "_xy_o")
        unit = (width, height) if region else (self.width, self.height)
        anchor = (anchors / unit).astype(np.float32)
        if new:
            self._node("Mul", [wh, wh], name + "_wh_p")
            anchor = anchor * 4
        else:
            self._node("Exp", [wh], name + "_wh_p")
        self._node("Mul", [name + "_wh_p", self._const(name + "_anchors", anchor)], name + "_wh_o")
        if region and int(s.get("softmax", 0)):
            scores = self._node("Softmax", [classes], classes + "_p", axis=4)
        else:
            scores = logistic(classes)
        self._node("Concat", [name + "_xy_o", name + "_wh_o", logistic(objectness), scores], name + "_all", axis=4)
        rows = self._const(name + "_s2", np.array([0, -1, fields], np.int64))
        return self._node("Reshape", [name + "_all", rows], name)

    def _activation(self, kind: str, at: str, index: int) -> str:
        name = "{}_{}".format(kind, index)
        if kind == "linear":
            return at
        if kind == "leaky":
            return self._node("LeakyRelu", [at], name, alpha=0.1)
        if kind in ("relu", "logistic", "tanh"):
            return self._node({"relu": "Relu", "logistic": "Sigmoid", "tanh": "Tanh"}[kind], [at], name)
        if kind == "relu6":
            low, high = (self._const(name + "_" + str(v), np.array(v, np.float32)) for v in (0, 6))
            return self._node("Clip", [at, low, high], name)
        if kind == "swish":
            self._node("Sigmoid", [at], name + "_p")
            return self._node("Mul", [at, name + "_p"], name)
        if kind == "mish":
            self._node("Softplus", [at], name + "_s")
            self._node("Tanh", [name + "_s"], name + "_t")
            return self._node("Mul", [at, name + "_t"], name)
        raise Refused("layer {} of the cfg has the activation `{}`, which is not supported".format(index, kind))

    def _const(self, name: str, values: np.ndarray) -> str:
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output


def _anchors(section: Section) -> np.ndarray:
    values = np.array([float(part) for part in section["anchors"].split(",")], np.float32).reshape(-1, 2)
    mask: Optional[str] = section.get("mask")
    if section["kind"] == "yolo" and mask:
        values = values[[int(part) for part in mask.split(",")]]
    return values


if __name__ == "__main__":
    run(convert)
