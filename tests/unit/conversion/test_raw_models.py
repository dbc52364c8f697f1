"""Which files make a model, whatever they came in."""

import io
import tarfile
from pathlib import Path

import pytest

from vedette.conversion import Framework, UnknownModel, read_raw_model


def archive(path: Path, *names: str, content: bytes = b"x") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("names", "framework"),
    [
        (["squeezenet1_0.pth"], Framework.TORCHSCRIPT),
        (["model.pt2"], Framework.TORCH_EXPORT),
        (["export/saved_model.pb", "export/variables/variables.index"], Framework.SAVED_MODEL),
        (["frozen_inference_graph.pb"], Framework.FROZEN_GRAPH),
        (["dogs.h5"], Framework.KERAS),
        (["ssd-symbol.json", "ssd-0000.params"], Framework.MXNET),
        (["yolo.cfg", "yolo.weights"], Framework.DARKNET),
        (["detect.tflite", "labels.txt"], Framework.TFLITE),
        (["net.onnx", "net.onnx.data"], Framework.ONNX),
    ],
)
def test_a_form_panorama_took_is_not_known(tmp_path: Path, names: list[str], framework: Framework) -> None:
    model = read_raw_model(archive(tmp_path / "m.tar.gz", *names), tmp_path / "out")
    assert model.framework is framework
    assert {path.name for path in model.files()} >= {Path(name).name for name in names if "labels" not in name}


def test_the_same_model_in_an_archive_and_alone_are_two(tmp_path: Path) -> None:
    packed = read_raw_model(archive(tmp_path / "m.tar.gz", "a.pth"), tmp_path / "out")
    plain = tmp_path / "other.pth"
    plain.write_bytes(b"x")
    assert packed.sha256() == read_raw_model(plain, tmp_path / "unused").sha256()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["readme.txt"], "holds no model"),
        (["a.pth", "b.pth"], "holds 2 models: a.pth, b.pth"),
        (["ssd-0000.params"], "needs one `*-symbol.json` beside it, there are 0"),
        (["a.weights", "b.cfg", "c.cfg"], "needs one `*.cfg` beside it, there are 2"),
        (["../../etc/model.pth"], "leads out of it"),
        (["/etc/model.pth"], "leads out of it"),
    ],
)
def test_a_wrong_archive_is_not_explained(tmp_path: Path, names: list[str], said: str) -> None:
    with pytest.raises(UnknownModel) as raised:
        read_raw_model(archive(tmp_path / "m.tar.gz", *names), tmp_path / "out")
    assert said in str(raised.value)
    assert not (tmp_path.parent / "etc").exists()


def test_a_broken_archive_is_not_named(tmp_path: Path) -> None:
    whole = archive(tmp_path / "m.tar.gz", "a.pth", content=bytes(5000)).read_bytes()
    (tmp_path / "m.tar.gz").write_bytes(whole[:40])
    with pytest.raises(UnknownModel, match=r"m\.tar\.gz cannot be unpacked"):
        read_raw_model(tmp_path / "m.tar.gz", tmp_path / "out")


def test_links_of_an_archive_are_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "m.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo("model.pth")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(UnknownModel, match="holds no model"):
        read_raw_model(tmp_path / "m.tar.gz", tmp_path / "out")
