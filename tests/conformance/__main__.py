"""Says how a Greengrass nucleus's IPC differs from what is expected: ``python3 tests/conformance --nucleus lite``.

Nothing but the standard library is needed (Python 3.8 and later), so it runs on any device; as a component it finds
socket and token in its environment. ``docs/guide/conformance.md`` says how.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import pkgutil
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES, Case
from session import RECORDED_S, Session

Transcript = Dict[str, Dict[str, Any]]


def _expected(nucleus: str) -> bytes:
    """Return the transcript of a nucleus; from the folder, or from the archive that this runs from."""
    found = pkgutil.get_data("session", f"expected/{nucleus}.json")
    if found is None:
        raise FileNotFoundError(f"expected/{nucleus}.json")
    return found


def play(case: Case, socket: str, token: str, expected: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    """Carry out a case and return what was answered."""
    session = Session(socket, token)
    try:
        if case.connected:
            session.connect()
        case.play(session)
        if expected is None:
            session.settle({}, closes=False, quiet_s=RECORDED_S)
        else:
            session.settle(expected["streams"], closes=expected["closed"])
    finally:
        session.close()
    return {"streams": session.streams, "closed": session.closed}


def written(answer: Dict[str, Any]) -> List[str]:
    """Return an answer as lines to be compared."""
    return json.dumps(answer, indent=1, sort_keys=True, ensure_ascii=False).splitlines()


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the cases; 0 when everything is as expected, 1 when something differs, 2 when there is no nucleus."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__.splitlines()[0])
    parser.add_argument("--socket", default=os.environ.get("AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"))
    parser.add_argument("--token", default=os.environ.get("SVCUID"), help="better given as SVCUID in the environment")
    parser.add_argument("--nucleus", choices=("java", "lite"), default="java", help="whose answers are expected")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name contains this")
    parser.add_argument("--record", metavar="FILE", help="write what is answered, and compare nothing")
    options = parser.parse_args(arguments)
    if not options.socket or not options.token:
        parser.error("socket and token are needed: run it as a component, or give --socket and --token")
    expected: Transcript = {}
    if not options.record:
        expected = json.loads(_expected(options.nucleus))
    heard: Transcript = {}
    differing = 0
    for case in (case for case in CASES if options.only in case.name):
        try:
            heard[case.name] = play(case, options.socket, options.token, expected.get(case.name))
        except OSError as error:
            sys.stderr.write(f"error: {options.socket}: {error.strerror or error}\n")
            return 2
        if options.record:
            continue
        wanted = {key: value for key, value in expected.get(case.name, {}).items() if key != "sources"}
        before, now = written(wanted), written(heard[case.name])
        same = before == now
        differing += not same
        sys.stdout.write(f"{'same     ' if same else 'DIFFERENT'}  {case.name}\n")
        for line in () if same else difflib.unified_diff(before, now, "expected", "answered", lineterm="", n=2):
            sys.stdout.write(f"    {line}\n")
        sys.stdout.flush()
    if options.record:
        text = json.dumps(heard, indent=1, sort_keys=True, ensure_ascii=False)
        Path(options.record).write_text(text + "\n", encoding="utf-8")
        return 0
    sys.stdout.write(f"{len(heard) - differing} of {len(heard)} cases as expected of nucleus {options.nucleus}\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
