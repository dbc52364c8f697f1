"""docs/ref/findings.md explains every finding code, and no other."""

import re
from pathlib import Path

from vedette.documents.codes import CODES

PAGE = Path(__file__).parents[2] / "docs" / "ref" / "findings.md"
ROW = re.compile(r"\| (V[0-9]{3}) \| (\w+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|")


def test_page_and_codes_differ() -> None:
    rows = [ROW.fullmatch(line) for line in PAGE.read_text().splitlines() if line.startswith("| V")]
    assert all(rows)
    explained = {row[1]: (row[2], row[3]) for row in rows if row}
    assert explained == {code: (rule.severity.value, rule.title) for code, rule in CODES.items()}
    assert len(rows) == len(CODES)
