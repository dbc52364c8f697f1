"""What the terminal shows under odd circumstances."""

import io

from vedette.cli.terminal import Terminal


class Latin(io.StringIO):
    encoding = "ascii"


class Screen(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_password_in_a_line_is_shown() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, {})
    terminal.line("rtsp://u:s3cret@h/")
    terminal.status("rtsp://u:s3cret@h/")
    terminal.error("rtsp://u:s3cret@h/", "rtsp://u:s3cret@h/")
    assert "s3cret" not in stream.getvalue()


def test_marks_break_a_terminal_without_unicode() -> None:
    stream = Latin()
    Terminal(stream, {}).done("manifests", "0.1 s")
    assert stream.getvalue() == "  ok manifests     0.1 s\n"


def test_no_color_is_ignored() -> None:
    coloured, plain = Screen(), Screen()
    Terminal(coloured, {}).failed("camera")
    Terminal(plain, {"NO_COLOR": ""}).failed("camera")
    assert "\033[31m" in coloured.getvalue()
    assert "\033[31m" not in plain.getvalue()


def test_status_line_floods_a_log() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, {})
    for _ in range(100):
        terminal.status("15 fps")
    assert stream.getvalue() == "15 fps\n"
