"""Applications share the machine's network namespace, and with it every abstract Unix socket: the suite has none."""

import ast
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_TAKES_ADDRESS = {"bind", "connect", "connect_ex", "sendto", "Client", "Listener"}


def _abstract_addresses(tree: ast.AST) -> Iterator[int]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in _TAKES_ADDRESS:
            for part in (each for argument in call.args for each in ast.walk(argument)):
                if isinstance(part, ast.Constant) and part.value and str(part.value)[:1] in {"\0", "@"}:
                    yield part.lineno
                if isinstance(part, ast.Constant) and isinstance(part.value, bytes) and part.value[:1] == b"\0":
                    yield part.lineno


def test_the_search_finds_one() -> None:
    assert list(_abstract_addresses(ast.parse('s.bind("\\0name")\ns.connect(b"\\0" + name)\ns.bind("/run/x")'))) == [
        1,
        2,
    ]


def test_no_socket_of_the_suite_has_an_abstract_name() -> None:
    found = [
        f"{path.relative_to(_ROOT)}:{line}"
        for folder in ("src", "components")
        for path in sorted((_ROOT / folder).rglob("*.py"))
        for line in _abstract_addresses(ast.parse(path.read_bytes()))
    ]
    assert found == []
