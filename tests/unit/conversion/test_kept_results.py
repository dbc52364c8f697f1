"""Results of conversions, which several commands keep in one folder."""

from pathlib import Path

import pytest

from vedette.conversion.converting import SCHEMA, Converter


@pytest.fixture
def keep(tmp_path: Path) -> tuple[Path, Path]:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"converted")
    return model, tmp_path / "models" / "digest"


def test_a_command_that_was_slower_takes_the_model_from_one_that_uses_it(keep: tuple[Path, Path]) -> None:
    model, place = keep
    Converter._keep(model, {"schema": SCHEMA, "by": "first"}, place, anew=False)
    used = (place / "model.onnx").stat().st_ino
    Converter._keep(model, {"schema": SCHEMA, "by": "second"}, place, anew=False)
    assert (place / "model.onnx").stat().st_ino == used
    assert [each.name for each in place.parent.iterdir()] == ["digest"]


def test_a_damaged_or_unwanted_result_stays(keep: tuple[Path, Path]) -> None:
    model, place = keep
    place.mkdir(parents=True)
    (place / "model.onnx.json").write_text("{")
    for anew, by in ((False, "first"), (True, "second")):
        Converter._keep(model, {"schema": SCHEMA, "by": by}, place, anew=anew)
        found = Converter._read(place)
        assert found is not None
        assert found.document["by"] == by
