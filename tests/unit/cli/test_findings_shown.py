"""How a finding looks: the line, the carets, nothing that a terminal would obey, no password."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from vedette.cli.findings import Sources, count, write_findings
from vedette.cli.output import Output
from vedette.documents import Finding, load_project
from vedette.documents.json_text import read_json
from vedette.documents.snippets import SourceText, printable

GRAPH = "graphs/g/graph.json"


def shown(root: Path, *findings: Finding, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    write_findings(findings, Sources(load_project(root)), Output(stream, {}))
    stream.flush()
    buffer: Any = stream.buffer
    return str(buffer.getvalue().decode(encoding))


def write(root: Path, text: str) -> None:
    path = root / GRAPH
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_finding_looks_different(tmp_path: Path) -> None:
    write(tmp_path, '{\n    "nodeGraph": {\n        "consumer": "code_node.treshold"\n    }\n}\n')
    error = Finding(GRAPH, 3, 21, "V012", 'the package has no input "treshold"', 'did you mean "threshold"?', 20)
    listed = Finding(GRAPH, 3, 21, "V012", "no input", "inputs: a, threshold", 20)
    warning = Finding("graphs/lost.json", 0, 0, "V031", "no file", "put it there")
    assert shown(tmp_path, error, listed, warning) == (
        'error[V012]: the package has no input "treshold"\n'
        "  --> graphs/g/graph.json:3:21\n"
        '3 |         "consumer": "code_node.treshold"\n'
        "  |                     ^^^^^^^^^^^^^^^^^^^^\n"
        'hint: did you mean "threshold"?\n'
        "error[V012]: no input\n"
        "  --> graphs/g/graph.json:3:21\n"
        '3 |         "consumer": "code_node.treshold"\n'
        "  |                     ^^^^^^^^^^^^^^^^^^^^ inputs: a, threshold\n"
        "warning[V031]: no file\n"
        "  --> graphs/lost.json\n"
        "hint: put it there\n"
    )


def test_count_of_findings() -> None:
    error, warning = Finding("", 0, 0, "V001", ""), Finding("", 0, 0, "V031", "")
    assert count([]) == "no findings"
    assert count([error, warning]) == "1 error, 1 warning"
    assert count([warning, warning]) == "0 errors, 2 warnings"


def carets(text: str, column: int, length: int, *, room: int = 60) -> tuple[str, str]:
    """Return the shown line and the part of it above the carets, for a line without wide characters."""
    finding = Finding("f", 1, column, "V012", "", "", length)
    snippet = SourceText(text, read_json(text)).snippet(finding, room=room)
    assert snippet is not None
    return snippet.text, snippet.text[snippet.start :][: snippet.width]


@pytest.mark.parametrize("column", [1, 20, 100, 300, 995])
def test_long_line_is_cut_beside_what_is_meant(column: int) -> None:
    text = json.dumps([f"w{number:03}" for number in range(1, 126)])
    column = text.index('"', column - 1) + 1
    line, meant = carets(text, column, 6)
    assert len(line) <= 60
    assert meant == text[column - 1 :][:6]


def test_very_long_line_takes_long() -> None:
    text = '["' + "x" * 900_000 + '"]'
    line, meant = carets(text, 2, 900_002)
    assert line.endswith("...")
    assert meant.startswith('"xxx')
    line, meant = carets(text, 450_000, 5)
    assert (line[:3], line[-3:], meant) == ("...", "...", "xxxxx")


def test_tabs_and_wide_characters_shift_the_carets() -> None:
    text = '{\t"\u65e5\u672c": 1}'
    snippet = SourceText(text, read_json(text)).snippet(Finding("f", 1, 3, "V011", "", "", 4))
    assert snippet is not None
    assert (snippet.text, snippet.start, snippet.width) == ('{    "\u65e5\u672c": 1}', 5, 6)


@pytest.mark.parametrize(
    "line",
    [
        '{"name": "password", "type": "string", "default": "hunter2", "extra": 1}',
        '{"name": "streamUrl", "default": "rtsp://viewer:hunter2@10.0.0.1/s", "extra": 1}',
        '{"name": "api_token", "value": "hunter2"}',
    ],
)
@pytest.mark.parametrize("parsed", [True, False])
def test_password_of_a_document_is_shown(line: str, parsed: bool) -> None:
    source = SourceText(line, read_json(line)) if parsed else SourceText(line)
    for column in range(1, len(line), 7):
        snippet = source.snippet(Finding("f", 1, column, "V011", "", "", 4))
        assert snippet is not None
        assert "hunter2" not in snippet.text
        assert "***" in snippet.text


@pytest.mark.parametrize(
    "line", ['password = "hunter2" if', "TOKEN: hunter2", "--index-url https://me:hunter2@host/simple"]
)
def test_password_of_a_source_is_shown(line: str) -> None:
    snippet = SourceText(line).snippet(Finding("f", 1, 1, "V080", "", "", 4))
    assert snippet is not None
    assert "hunter2" not in snippet.text


def test_password_at_the_edge_of_a_long_line_is_shown() -> None:
    line = '{"pad": "' + "x" * 5000 + '", "name": "password", "default": "hunter2"}'
    for column in (3990, 4990, 5030, len(line)):
        snippet = SourceText(line, read_json(line)).snippet(Finding("f", 1, column, "V011", "", "", 4))
        assert snippet is not None
        assert "hunter2" not in snippet.text
        assert SourceText(line).snippet(Finding("f", 1, column, "V011", "", "", 4)) is None


def test_terminal_obeys_a_document(tmp_path: Path) -> None:
    write(tmp_path, '{"a\x1b[31m": "\u202e"}\n')
    text = shown(tmp_path, Finding(GRAPH, 1, 2, "V011", 'unknown key "\x1b]0;x\x07"', "\u202e", 9))
    assert not set(text) & {"\x1b", "\x07", "\u202e"}
    assert '"\\u001b]0;x\\u0007"' in text
    assert printable("a\u2028b\ud800\U000e0001") == "a\\u2028b\\ud800\\U000e0001"


def test_terminal_lacks_a_character(tmp_path: Path) -> None:
    write(tmp_path, '{"\u65e5": "\xfc"}\n')
    text = shown(tmp_path, Finding(GRAPH, 1, 2, "V011", "unknown key \u65e5", "", 3), encoding="latin-1")
    assert '1 | {"?": "\xfc"}' in text


def test_place_beyond_the_file_breaks_the_output(tmp_path: Path) -> None:
    write(tmp_path, "{}")
    assert shown(tmp_path, Finding(GRAPH, 9, 9, "V011", "m", "", 3)) == f"error[V011]: m\n  --> {GRAPH}:9:9\n"
    assert "1 | {}" in shown(tmp_path, Finding(GRAPH, 1, 99, "V011", "m", "", 3))
