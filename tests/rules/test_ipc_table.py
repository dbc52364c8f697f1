"""docs/ref/greengrass-ipc.md says what is answered to each operation; this keeps it whole and true."""

import re
from pathlib import Path

from awsiot.greengrasscoreipc import model

from vedette.nucleus.ipc.service_model import UNSUPPORTED

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([\w, ]+) \| (served|refused) \| (served|refused) \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs/ref/greengrass-ipc.md").read_text())
OPERATIONS = [name for row in ROWS for name in row[0].split(", ")]


def test_an_operation_of_the_service_model_is_not_on_the_page() -> None:
    in_model = sorted(name.removesuffix("Request") for name in dir(model) if name.endswith("Request"))
    assert sorted(OPERATIONS) == in_model


def test_an_operation_that_is_refused_is_unknown_to_the_server() -> None:
    refused = {name for row in ROWS if row[1] == "refused" for name in row[0].split(", ")}
    assert refused <= UNSUPPORTED


def test_a_proof_does_not_exist() -> None:
    wrong = []
    for row in ROWS:
        for proof in re.findall(r"`(\S+::\w+)`", row[3]):
            file, _, name = proof.partition("::")
            path = ROOT / "tests" / file
            if not path.is_file() or not re.search(rf"def {name}\b", path.read_text()):
                wrong.append(proof)
    assert not wrong
