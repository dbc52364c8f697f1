"""Projects as they were on Panorama, with a framework's model in assets/: run, compile, import, validate."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vedette.conversion
from vedette.cli.compile import CompileOptions, compile_to_folder
from vedette.cli.failure import Failure
from vedette.cli.model_import import ImportOptions, check_model, import_model
from vedette.cli.terminal import Terminal
from vedette.cli.validate import validate
from vedette.conversion import ConversionFailed, Converter

Projects = Callable[[bytes], Path]


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch, converter: Converter, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    monkeypatch.setattr(vedette.conversion, "Converter", lambda: converter)
    monkeypatch.setattr("vedette.cli.model_import.Converter", lambda: converter)


def compiled(root: Path, out: Path) -> tuple[str, dict[str, Any]]:
    said = io.StringIO()
    options = CompileOptions(root, out, cameras=("camera_node=rtsp://10.0.0.9/street",))
    assert compile_to_folder(options, {}, Terminal(said, {"NO_COLOR": "1"})) == 0
    return said.getvalue(), json.loads((out / "compiled.json").read_text())


def test_a_raw_model_must_be_converted_by_hand(project: Projects, tools: Any, tmp_path: Path) -> None:
    # GIVEN a project as it was published, its model TorchScript in an archive
    root = project(b"TorchScript")
    # WHEN it is compiled
    said, index = compiled(root, tmp_path / "out")
    # THEN it says what was done, and the model's component holds ONNX
    assert "TorchScript to ONNX, 8 inputs compared" in said
    (model,) = [c for c in index["components"] if c["name"].startswith("vedette.model.")]
    with zipfile.ZipFile(tmp_path / "out" / model["artifact"]) as archive:
        assert [Path(name).name for name in archive.namelist()] == ["net.onnx"]
    # AND a second time nothing is converted, nothing changes
    runs = len(tools.runs)
    said, again = compiled(root, tmp_path / "out")
    assert len(tools.runs) == runs
    assert "from cache" in said
    assert again == index
    # AND an edited descriptor is another version, by itself (Panorama wanted add-raw-model again)
    (descriptor,) = [p for p in root.glob("packages/*/descriptor.json") if "mlModelDescriptor" in p.read_text()]
    descriptor.write_text(descriptor.read_text().replace('"data"', '"image"'))
    _, changed = compiled(root, tmp_path / "out")
    assert [c["version"] for c in changed["components"]] != [c["version"] for c in index["components"]]


def test_a_model_that_cannot_be_converted_has_no_place_or_reason(project: Projects, tools: Any, tmp_path: Path) -> None:
    tools.error = ConversionFailed("operator torchvision::nms is not supported", "end the model before it")
    root, said = project(b"TorchScript"), io.StringIO()
    with pytest.raises(Failure):
        compile_to_folder(
            CompileOptions(root, tmp_path / "out", cameras=("camera_node=rtsp://10.0.0.9/street",)),
            {},
            Terminal(said, {"NO_COLOR": "1"}),
        )
    assert "error[V033]" in said.getvalue()
    assert "net.pth cannot be converted: operator torchvision::nms is not supported" in said.getvalue()
    assert "hint: end the model before it" in said.getvalue()


def test_validate_converts_or_calls_a_panorama_project_wrong(
    project: Projects, tools: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from vedette.cli.output import Output

    assert validate(project(b"TorchScript"), Output(), as_document=False, verify=False) == 0
    assert "warning[V083]" in capsys.readouterr().out
    assert not tools.runs


def test_another_model_does_not_take_the_place_of_the_first(
    project: Projects, raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a project with a model, and another model with another input's name
    root = project(b"TorchScript")
    raw.write_bytes(b"a better one")
    _, before = compiled(root, tmp_path / "out")
    (package,) = [p.parent for p in root.glob("packages/*/descriptor.json") if "mlModelDescriptor" in p.read_text()]
    name = package.name.split("-")[1]
    # WHEN it is imported
    options = ImportOptions(file=str(raw), inputs=("image=1,3,8,8",), project=root, package=name, as_json=True)
    assert import_model(options, Terminal(io.StringIO(), {})) == 0
    # THEN package, descriptor and record say so, and the old asset is gone
    answer = json.loads(capsys.readouterr().out)
    assert answer["proof"]["largestDifference"] < 1e-6
    assert "assets/net.tar.gz" in answer["changed"]
    assert not (root / "assets" / "net.tar.gz").exists()
    assert json.loads((package / "descriptor.json").read_text())["mlModelDescriptor"]["inputs"][0]["name"] == "image"
    assert {p.suffix for p in package.glob("model_asset.onnx*")} == {".onnx", ".json"}
    # AND the project compiles with it
    said, after = compiled(root, tmp_path / "out")
    assert "TorchScript to ONNX" not in said
    assert after["components"] != before["components"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"package": "NOBODY"}, "no package of the name `NOBODY`"),
        ({"inputs": ("data",)}, "--input takes NAME=1,3,224,224, got `data`"),
        ({"precision": "fp8"}, "--precision takes fp32, fp16, int8, got `fp8`"),
        ({"precision": "int8"}, "int8 needs frames to calibrate with"),
        ({"file": "/nowhere.pth"}, "/nowhere.pth does not exist"),
        ({"interface": "other"}, "name one with --interface"),
    ],
)
def test_a_wrong_argument_is_not_explained(project: Projects, raw: Path, change: Any, said: str) -> None:
    root = project(b"TorchScript")
    (package,) = [p.parent for p in root.glob("packages/*/descriptor.json") if "mlModelDescriptor" in p.read_text()]
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    name = package.name.split("-")[1]
    options = ImportOptions(**{"file": str(raw), "project": root, "package": name, **change})
    with pytest.raises(Failure) as raised:
        import_model(options, Terminal(io.StringIO(), {}))
    assert said in f"{raised.value.message} {raised.value.hint}"
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_check_writes_nothing_or_no_record(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "result.onnx"
    options = ImportOptions(file=str(raw), inputs=("data=1,3,8,8",), out=out)
    assert check_model(options, Terminal(io.StringIO(), {})) == 0
    assert out.is_file()
    assert json.loads(out.with_name("result.onnx.json").read_text())["source"]["framework"] == "torchscript"


def test_a_wrong_address_in_s3_is_a_traceback() -> None:
    with pytest.raises(Failure, match="is no address of an object"):
        check_model(ImportOptions(file="s3://models"), Terminal(io.StringIO(), {}))
