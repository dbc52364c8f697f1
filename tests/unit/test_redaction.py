"""No credential of a URL gets into text that is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.redaction import redact, split_credentials


@pytest.mark.parametrize(
    "text",
    [
        "cannot open rtsp://viewer:s3cret@10.0.0.1:554/stream1",
        "rtsps://viewer:s3cret@cam",
        "twice rtsp://a:s3cret@b and http://c:s3cret@d/e",
        "at sign inside rtsp://viewer:s3cret@s3cret@10.0.0.1/",
        "slash inside rtsp://viewer:s3/cret@s3cret@10.0.0.1/",
        'quoted "rtsp://viewer:s3cret@h/" end',
    ],
)
def test_password_of_a_url_is_shown(text: str) -> None:
    assert "s3cret" not in redact(text)
    assert "***@" in redact(text)


def test_text_without_credentials_is_changed() -> None:
    text = "camera rtsp://10.0.0.1/a?b=c@d does not answer; mail to x@y.z"
    assert redact("mail x@y.z, rtsp://host/path") == "mail x@y.z, rtsp://host/path"
    assert redact(text).startswith("camera rtsp://")


PASSWORDS = st.text(st.characters(codec="ascii", exclude_characters="@/?#[]\\ \t\r\n:%", min_codepoint=33), min_size=1)


@given(PASSWORDS)
def test_password_is_lost_or_kept_in_the_url(password: str) -> None:
    clean, user, found = split_credentials(f"rtsp://viewer:{password}@10.0.0.1:554/s?x=1")
    assert (clean, user, found) == ("rtsp://10.0.0.1:554/s?x=1", "viewer", password)


def test_percent_encoded_password_stays_encoded() -> None:
    assert split_credentials("rtsp://u:p%40ss%2Fw@h/")[2] == "p@ss/w"


def test_user_without_password_gets_one() -> None:
    assert split_credentials("rtsp://u@h/") == ("rtsp://h/", "u", None)
    assert split_credentials("video.mp4") == ("video.mp4", None, None)
