"""docs/ref/parity.md says where each feature stands; this keeps it from saying more than is proved."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "ref" / "parity.md"
ROW = re.compile(r"^\| ([A-Z]+-\d\d) \| (core|operate|convenience|n/a) \| (.+) \| (done|part|not yet|n/a) \| (.*) \|$")
ROWS = [match for line in PAGE.read_text().splitlines() if (match := ROW.match(line))]
GROUPS = {
    "SET": 16, "DEV": 20, "CAM": 18, "APP": 34, "SDK": 21, "MOD": 14, "PAR": 12, "DISP": 8, "PORT": 8, "LOG": 23,
    "GPU": 4, "SEC": 33, "NET": 13, "API": 34, "CLI": 11, "SCR": 22, "TPL": 9, "MON": 10,
    "TRB": 20,
    "SAM": 13, "QUO": 10,
}  # fmt: skip


def test_a_row_is_missing_or_stands_twice() -> None:
    ids = [row[1] for row in ROWS]
    assert Counter(row_id.partition("-")[0] for row_id in ids) == GROUPS
    assert len(set(ids)) == len(ids) == 353


def test_a_proof_does_not_exist() -> None:
    wrong = []
    for row in ROWS:
        for proof in re.findall(r"`(\S+::\w+)`", row[5]):
            file, _, name = proof.partition("::")
            path = ROOT / "tests" / file
            if not path.is_file() or not re.search(rf"def {name}\b", path.read_text()):
                wrong.append(f"{row[1]}: {proof}")
    assert not wrong


def test_a_row_is_done_without_a_proof() -> None:
    assert not [row[1] for row in ROWS if row[4] == "done" and "::" not in row[5]]


def test_a_row_is_done_in_part_and_does_not_say_what_is_missing() -> None:
    proofs = re.compile(r"`\S+::\w+`")
    assert not [row[1] for row in ROWS if row[4] == "part" and not proofs.sub("", row[5]).strip()]


def test_the_counts_of_the_page_are_wrong() -> None:
    said = dict(re.findall(r"^\| (done|part|not yet|n/a) \| (\d+) \|$", PAGE.read_text(), re.MULTILINE))
    assert {state: int(count) for state, count in said.items()} == Counter(row[4] for row in ROWS)
