"""How long after a save ``vedette run --watch`` has the application running, and its first picture on the output.

usage: watch.py [--rounds N] [--work DIR] [--json]

The example with its model, on the example's clip. Saves of the application's code alone, which start it again from its
files, alternate with saves of its graph as well (another threshold), which deploy its component anew. The times are
those of the words that the saved application prints: behind its imports, and behind its first ``put``.
"""

import argparse
import re
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from figures import table, tell
from suite import EXAMPLE, Suite

_CLIP: Final = EXAMPLE.parent / "media" / "street.mp4"
_IMPORT: Final = "import panoramasdk\n"
_PUT: Final = "        self.outputs.video_out.put(streams)\n"
_LIMIT_S: Final = 60.0
_REST_S: Final = 3.0
KINDS: Final = ("code", "code and graph")


def saved(text: str, number: int) -> str:
    """Return the application's text with words of its own to print."""
    if _IMPORT not in text or _PUT not in text:
        raise SystemExit("the example is not written as this benchmark expects")
    text = text.replace(_IMPORT, f'{_IMPORT}print("running {number}.", flush=True)\n', 1)
    return text.replace(
        _PUT, f'{_PUT}        if self.frames == 0:\n            print("output {number}.", flush=True)\n', 1
    )


def wait_for(console: Path, word: str, since: float) -> float:
    """Return how long after ``since`` the application had printed ``word``, s."""
    while time.monotonic() - since < _LIMIT_S:
        if console.exists() and word in console.read_text(errors="replace"):
            return time.monotonic() - since
        time.sleep(0.005)
    raise SystemExit(f"the application did not print {word!r} in {_LIMIT_S:.0f} s")


def measure(work: Path, rounds: int) -> dict[str, Any]:
    """Return medians and the worst, s, of both kinds of saves."""
    taken: dict[str, dict[str, list[float]]] = {kind: {"running": [], "output": []} for kind in KINDS}
    with Suite(work, _CLIP, fast=False, watch=True) as suite:
        (code,) = suite.application.glob("packages/*PEOPLE_COUNTER*/src/application.py")
        (graph,) = suite.application.glob("graphs/*/graph.json")
        (component,) = suite.application.glob(".vedette/work/vedette.app.*")
        console = component / "logs/console_output"  # made by the first word
        text, drawn = code.read_text(), graph.read_text()
        for number in range(rounds * len(KINDS)):
            kind = KINDS[number % len(KINDS)]
            time.sleep(_REST_S)
            if kind != "code":
                graph.write_text(re.sub(r'("value": )\d+\.0', rf"\g<1>{30 + number}.0", drawn, count=1))
            code.write_text(saved(text, number))
            began = time.monotonic()
            for word, times in taken[kind].items():
                times.append(wait_for(console, f"{word} {number}.", began))
        code.write_text(text)
        graph.write_text(drawn)
    return {
        kind: {f"{word}_s": {"median": median(each), "worst": max(each)} for word, each in words.items()}
        for kind, words in taken.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, help="keeps the example's environment from one run to the next")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vedette-watch-") as folder:
        work = given.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        figures = measure(work, given.rounds)
    rows = [
        [
            kind,
            *(f"{figures[kind][word][key]:.2f}" for word in ("running_s", "output_s") for key in ("median", "worst")),
        ]
        for kind in KINDS
    ]
    tell(figures, table(["saved", "running, s", "worst", "first output, s", "worst"], rows), as_json=given.json)


if __name__ == "__main__":
    main()
