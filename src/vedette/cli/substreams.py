"""Reads ``--sub NODE=URL``: the small streams of cameras that ``--camera`` names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vedette.cli.arguments import Cameras, read_pairs, split_url
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.messages import CameraSource

MISSING = ("wait", "main")


def with_substreams(
    cameras: Cameras, values: Sequence[str], credentials: Credentials, *, missing: str | None = None
) -> Cameras:
    """Return the cameras with their small streams.

    A value's NODE is a camera node, or the name of a camera where the node has several. The value is an address like
    that of ``--camera``, with the same login or none.

    :param missing: what to do where a camera has no such stream: wait or main; None: what is known of each
    :raises Failure: for a camera that is not among them, or an address that cannot be
    """
    if missing not in (None, *MISSING):
        raise Failure(f"--sub-missing takes wait or main, got `{missing}`", exit_code=EXIT_USAGE)
    sources = {node: list(attached) for node, attached in cameras.sources.items()}
    secrets: dict[str, Mapping[str, str]] = dict(cameras.secrets)
    for name, value in read_pairs(values, "--sub"):
        node, index = _place(sources, name)
        source = sources[node][index]
        url, user, password = small_address(value)
        if user is not None:
            password = credentials[value][1] if value in credentials else password
            source = _with_login(source, user, password or "", secrets)
        if source.secret in secrets:
            secrets[source.secret] = {**secrets[source.secret], "SubStreamUrl": url}
        sources[node][index] = source.model_copy(update={"sub": url})
    if missing is not None:
        sources = {node: [_told(source, missing) for source in attached] for node, attached in sources.items()}
    return Cameras(sources, secrets)


def small_address(value: str) -> tuple[str, str | None, str | None]:
    """Return address, user and password of a small stream: a URL, or the path of a file.

    :raises Failure: for what is neither
    """
    if "://" in value:
        return split_url(value)
    path = Path(value).expanduser()
    if not path.exists():
        raise Failure(
            f"the small stream `{value}` is no rtsp:// URL and no file that exists",
            hint="--sub camera_node=rtsp://HOST/PATH",
            exit_code=EXIT_USAGE,
        )
    return str(path.resolve()), None, None


def _told(source: CameraSource, missing: str) -> CameraSource:
    update: dict[str, Any] = {"sub_missing": "main" if missing == "main" else None}
    return source if source.sub is None else source.model_copy(update=update)


def _place(sources: Mapping[str, Sequence[CameraSource]], name: str) -> tuple[str, int]:
    named = [(node, i) for node, each in sources.items() for i, source in enumerate(each) if source.name == name]
    places = named or [(name, 0)] * (len(sources.get(name, ())) == 1)
    if len(places) != 1:
        known = ", ".join(sorted({source.name for each in sources.values() for source in each})) or "none"
        raise Failure(
            f"--sub names `{name}`, which is no camera given by --camera",
            hint=f"cameras given: {known}; a registered one: vedette camera update NAME --sub URL",
            exit_code=EXIT_USAGE,
        )
    return places[0]


def _with_login(source: CameraSource, user: str, password: str, secrets: dict[str, Mapping[str, str]]) -> CameraSource:
    """Return the source with the login; one that it has already must be the same."""
    if source.secret is None:
        secret = f"vedette/{source.name}"
        secrets[secret] = {"Username": user, "Password": password, "StreamUrl": source.url}
        return source.model_copy(update={"secret": secret})
    known = secrets.get(source.secret, {})
    if (known.get("Username"), known.get("Password")) != (user, password):
        raise Failure(
            f"camera `{source.name}` has another login than its small stream",
            hint="both streams of a camera take one login: give it once, in the address of --camera",
            exit_code=EXIT_USAGE,
        )
    return source
