"""Passwords on the command line."""

from vedette.cli.credentials import split_arguments


def test_password_stays_in_the_arguments() -> None:
    arguments = ["python", "-m", "x", "run", ".", "--camera", "cam=rtsp://u:p%40ss@h:8554/a?b=1", "--set", "a=b@c"]
    clean, found = split_arguments(arguments)
    assert clean[6] == "cam=rtsp://u@h:8554/a?b=1"
    assert found == {"rtsp://u@h:8554/a?b=1": ("u", "p@ss")}
    assert [a for i, a in enumerate(clean) if i != 6] == [a for i, a in enumerate(arguments) if i != 6]


def test_arguments_without_passwords_are_changed() -> None:
    arguments = ["vedette", "run", ".", "--camera=cam=rtsp://h/a", "--camera", "b=video.mp4"]
    assert split_arguments(arguments) == (arguments, {})


def test_two_logins_at_one_address_become_one() -> None:
    _, found = split_arguments(["a=rtsp://x:1@h/s", "b=rtsp://y:2@h/s"])
    assert found == {"rtsp://x@h/s": ("x", "1"), "rtsp://y@h/s": ("y", "2")}
