"""What GDK's build leaves open, filled in as its publication would."""

import json
from pathlib import Path
from typing import Any

import pytest

from vedette.nucleus.errors import RecipeError
from vedette.nucleus.store import ComponentStore


def build(folder: Path, text: str) -> None:
    """Write what ``gdk component build`` writes."""
    recipe: dict[str, Any] = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": "com.example.A",
        "ComponentVersion": "NEXT_PATCH",
        "Manifests": [
            {
                "Platform": {"os": "all"},
                "Lifecycle": {"run": "x"},
                "Artifacts": [{"URI": "s3://BUCKET_NAME/COMPONENT_NAME/COMPONENT_VERSION/main.py"}],
            }
        ],
    }
    (folder / "recipes").mkdir(parents=True, exist_ok=True)
    (folder / "recipes" / "recipe.json").write_text(json.dumps(recipe))
    artifact = folder / "artifacts" / "com.example.A" / "NEXT_PATCH" / "main.py"
    artifact.parent.mkdir(parents=True, exist_ok=True)
    artifact.write_text(text)


def test_second_build_replaces_the_first(tmp_path: Path) -> None:
    store = ComponentStore(tmp_path / "root")
    for text in ("first", "second"):
        build(tmp_path / "build", text)
        store.add(tmp_path / "build" / "recipes", tmp_path / "build" / "artifacts")
    assert [recipe.component_version for recipe in store.versions("com.example.A")] == ["1.0.1", "1.0.0"]
    for version, text in (("1.0.0", "first"), ("1.0.1", "second")):
        assert (store.artifacts_folder("com.example.A", version) / "main.py").read_text() == text


def test_builds_pile_up_or_what_somebody_put_there_goes(tmp_path: Path) -> None:
    store = ComponentStore(tmp_path / "root")
    store.recipes.mkdir(parents=True)
    by_hand = {"RecipeFormatVersion": "2020-01-25", "ComponentName": "com.example.A", "ComponentVersion": "0.9.0"}
    (store.recipes / "com.example.A-0.9.0.json").write_text(json.dumps({**by_hand, "Manifests": [{"Lifecycle": {}}]}))
    for text in ("first", "second", "third"):
        build(tmp_path / "build", text)
        store.add(tmp_path / "build" / "recipes", tmp_path / "build" / "artifacts")
    running = ComponentStore(tmp_path / "root")  # a later start
    running.tidy({("com.example.A", "0.9.2")})
    assert [recipe.component_version for recipe in running.versions("com.example.A")] == ["0.9.2", "0.9.0"]
    assert [path.name for path in (store.artifacts / "com.example.A").iterdir()] == ["0.9.2"]
    running.tidy(())
    assert [recipe.component_version for recipe in running.versions("com.example.A")] == ["0.9.2", "0.9.0"]


def test_next_patch_without_a_name_is_filled_in(tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("RecipeFormatVersion: '2020-01-25'\nComponentVersion: NEXT_PATCH\n")
    with pytest.raises(RecipeError, match="'NEXT_PATCH' is not a semantic version"):
        ComponentStore(tmp_path / "root").add(folder, None)
