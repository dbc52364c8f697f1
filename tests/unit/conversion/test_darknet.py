"""Darknet's files, converted by our own program; the expected outputs are OpenCV's (tests/fixtures/models)."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

MODELS = Path(__file__).parents[2] / "fixtures" / "models"


def network(tools: Any, cfg: str, weights: bytes) -> Any:
    program = tools("convert_darknet")
    return program.Network(program.read_cfg(cfg), program.Weights(weights))


def test_boxes_differ_from_opencvs(tools: Any, tmp_path: Path) -> None:
    model = network(tools, str(MODELS / "yolo_small.cfg"), (MODELS / "yolo_small.weights").read_bytes()).build("data")
    expected = np.load(MODELS / "yolo_small.npz")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    picture = expected["picture"]
    (got,) = session.run(None, {"data": picture})
    assert got.shape == expected["detections"].shape
    np.testing.assert_allclose(got, expected["detections"], rtol=1e-4, atol=1e-5)
    # AND a batch gives what each picture gives alone
    (both,) = session.run(None, {"data": np.concatenate([picture * 0, picture])})
    np.testing.assert_allclose(both[1:], got, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda cfg, w: (cfg, w[:-4]), "the weights end in layer 12 \\[convolutional\\]"),
        (lambda cfg, w: (cfg, w + b"\0" * 8), "2 numbers more than the cfg asks for"),
        (lambda cfg, w: (cfg.replace("[upsample]", "[lstm]"), w), "layer 10 of the cfg is of type `lstm`"),
        (lambda cfg, w: (cfg.replace("mish", "gelu"), w), "layer 1 of the cfg has the activation `gelu`"),
        (lambda cfg, w: (cfg.replace("classes=2", "classes=3"), w), "gets 14 channels, expected 16"),
        (lambda cfg, w: (cfg.replace("layers=-1\n", "layers=-90\n"), w), "layer 2 \\[route\\]"),
        (lambda cfg, w: ("hello\n" + cfg, w), "line 1 of the cfg is no `key=value`"),
        (lambda cfg, w: (cfg, w[:0]), "0 bytes: it is cut short"),
    ],
)
def test_a_fault_is_not_named_by_its_layer(tools: Any, tmp_path: Path, change: Any, said: str) -> None:
    cfg, weights = change((MODELS / "yolo_small.cfg").read_text(), (MODELS / "yolo_small.weights").read_bytes())
    (tmp_path / "c.cfg").write_text(cfg)
    refused = tools("toolkit").Refused
    with pytest.raises(refused, match=said):
        network(tools, str(tmp_path / "c.cfg"), weights).build("data")
