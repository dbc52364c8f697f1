"""What applications print, on an operator's terminal."""

import pytest

from vedette.cli.logs import harmless


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("plain \u00fc \U0001f600\ttext", "plain \u00fc \U0001f600\ttext"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b]0;title\x07a", "a"),
        ("\x1b]52;c;c2VjcmV0\x1b\\a", "a"),
        ("\x1b[2J\x1b[1;1Hcleared", "cleared"),
        ("\x1b[6nask\x1bcreset", "askreset"),
        ("\x1bP+q544e\x1b\\a", "a"),
        ("\x00\x07\x9b31m\x7f", "\ufffd\ufffd\ufffd31m\ufffd"),
        ("10 %\r20 %", "10 % 20 %"),
    ],
)
def test_an_application_gives_orders_to_the_terminal(printed: str, shown: str) -> None:
    assert harmless(printed) == shown
