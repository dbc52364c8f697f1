"""``vedette run --kinesis-video``: a name that cannot be is said before anything starts."""

import io
from pathlib import Path

import pytest

from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.run import RunOptions, run_application
from vedette.cli.terminal import Terminal


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kinesis_video": "a b"}, "letters, digits"),
        ({"kinesis_video": "{camera}"}, "places are {device}, {instance}, {port}, {stream}"),
        ({"kinesis_video": ""}, "takes the name of a stream"),
        ({"profile": "dev"}, "take on a role, or send video"),
    ],
)
def test_a_stream_that_cannot_be_is_found_out_later(tmp_path: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(Failure) as caught:
        run_application(RunOptions(tmp_path, **options), {}, Terminal(io.StringIO()))  # type: ignore[arg-type]
    assert caught.value.exit_code == EXIT_USAGE
    assert words in str(caught.value)
    assert not list(tmp_path.iterdir())
