"""The conformance suite as a component of the local nucleus: what a real nucleus lite answered, and Java's."""

import zipfile
from pathlib import Path

import pytest

from vedette.nucleus.deployment import ComponentDeployment, Deployment
from vedette.nucleus.events import ComponentOutput, Event
from vedette.nucleus.nucleus import Nucleus

from .conftest import Heard

SUITE = Path(__file__).parents[2] / "conformance"
NAME = "vedette.Conformance"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("personality", ["java", "lite"])
def test_answer_differs_from_that_of_the_real_nucleus(runtime_folder: Path, tmp_path: Path, personality: str) -> None:
    packages = tmp_path / "packages"
    artifact = packages / "artifacts" / NAME / "1.0.0" / "conformance.zip"
    artifact.parent.mkdir(parents=True)
    with zipfile.ZipFile(artifact, "w") as archive:
        for path in (*SUITE.glob("*.py"), *SUITE.glob("expected/*.json")):
            archive.write(path, path.relative_to(SUITE))
    (packages / "recipes").mkdir()
    for name, recipe in {NAME: "recipe", f"{NAME}Neighbour": "neighbour"}.items():
        (packages / "recipes" / f"{name}-1.0.0.yaml").write_bytes((SUITE / f"{recipe}.yaml").read_bytes())
    heard = Heard()
    nucleus = Nucleus(tmp_path, listeners=[heard], personality=personality)
    nucleus.start()
    try:
        nucleus.deploy(Deployment(components={NAME: ComponentDeployment(merge={"nucleus": personality})}))

        def over(events: list[Event]) -> list[str]:
            lines = [event.line for event in events if isinstance(event, ComponentOutput)]
            return lines if any("cases as expected" in line for line in lines) else []

        lines = heard.wait_for(over, 150)
    finally:
        nucleus.stop()
    assert not any(line.startswith("DIFFERENT") for line in lines), "\n".join(
        line for line in lines if not line.startswith("same")
    )
