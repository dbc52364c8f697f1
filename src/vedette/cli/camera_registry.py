"""``vedette camera add|list|update|remove|fetch``: cameras by name, in the AWS account or on this machine."""

import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vedette.cli.arguments import known_secrets, read_known_cameras, split_url
from vedette.cli.aws import speaking_to_aws
from vedette.cli.credentials import Credentials
from vedette.cli.failure import EXIT_USAGE, Failure
from vedette.cli.known_cameras import put_known_camera, remove_known_camera
from vedette.cli.substreams import MISSING, small_address
from vedette.cli.terminal import Terminal
from vedette.redaction import split_credentials

if TYPE_CHECKING:
    from vedette.cloud.access import Cloud
    from vedette.cloud.camera_users import Use
    from vedette.cloud.cameras import CameraRegistry, Login, RegisteredCamera

SCHEMA: Final = "vedette.camera/1"


@dataclass(frozen=True)
class Place:
    """Where cameras are kept: in the account, or in a file of this user."""

    local: bool = False
    cameras_file: Path | None = None
    profile: str | None = None
    region: str | None = None

    def registry(self) -> "CameraRegistry":
        """Return the account's list."""
        from vedette.cloud.cameras import CameraRegistry

        return CameraRegistry(self.cloud())

    def cloud(self) -> "Cloud":
        """Return the account."""
        from vedette.cloud.access import Cloud

        return Cloud(profile=self.profile, region=self.region)

    @property
    def here(self) -> bool:
        """Tell whether it is the file."""
        return self.local or self.cameras_file is not None


@dataclass(frozen=True)
class Given:
    """What the command line says of a camera."""

    url: str | None = None
    user: str | None = None
    password_stdin: bool = False
    from_file: Path | None = None
    about: str | None = None
    certificate: Path | None = None
    sub: str | None = None
    """Address of the small stream; empty: it has none any more."""
    sub_missing: str | None = None
    password: str | None = field(default=None, repr=False)
    """Where it has been read already."""


def add_camera(name: str, given: Given, place: Place, credentials: Credentials, *, as_json: bool) -> int:
    """Register a camera; returns the exit code.

    :raises Failure: if it cannot be registered
    """
    from vedette.cloud.cameras import check_camera_name

    terminal = Terminal()
    with speaking_to_aws():
        check_camera_name(name)
        if place.here and name in _local(place):
            raise Failure(f"camera `{name}` is known already", hint=f"vedette camera update {name} --local")
        login = _login(given, credentials, None)
        if place.here:
            _put_local(name, login, place, terminal, as_json=as_json)
        else:
            camera = place.registry().add(name, login, given.about or "")
            _told(camera, "added", terminal, as_json=as_json)
    return 0


def update_camera(name: str, given: Given, place: Place, credentials: Credentials, *, as_json: bool) -> int:
    """Change address, login or description of a camera; returns the exit code.

    :raises Failure: if there is none of that name, or it cannot be changed
    """
    from vedette.cloud.cameras import Login

    terminal = Terminal()
    with speaking_to_aws():
        if place.here:
            known = _local(place)
            if name not in known:
                raise Failure(f"there is no camera `{name[:80]}`", hint=f"vedette camera add {name} --local")
            before = _login_of(known, name)
            _put_local(name, _login(given, credentials, before), place, terminal, as_json=as_json)
        else:
            registry = place.registry()
            old = registry.camera(name)
            # With everything given, the secret that is there need not be read, nor make sense.
            user_known = given.user is not None or not old.login
            whole = given.url is not None and user_known and (given.certificate is not None or not old.pinned)
            kept = Login(old.url, sub=old.sub, sub_missing=old.sub_missing)
            before = kept if whole or given.from_file else registry.login(name)
            login = _login(given, credentials, before)
            about = old.about if given.about is None else given.about
            _told(registry.update(name, login, about), "updated", terminal, as_json=as_json)
    return 0


def remove_camera(name: str, place: Place, *, delete_secret: bool, as_json: bool) -> int:
    """Take a camera off the list; returns the exit code.

    :raises Failure: if there is none of that name
    """
    terminal = Terminal()
    if place.here:
        file = remove_known_camera(name, place.cameras_file)
        terminal.done("removed", f"{name} from {file}")
        _json({"ok": True, "name": name, "removed": True}, as_json=as_json)
        return 0
    with speaking_to_aws():
        from vedette.cloud.cameras import RECOVERY_DAYS

        registry = place.registry()
        uses = _users(place, terminal).get(name, ())
        camera = registry.remove(name, delete_secret=delete_secret)
    secret = f"deleted, can be restored for {RECOVERY_DAYS} days" if delete_secret else "kept (--delete-secret)"
    terminal.done("removed", f"{name}; its secret {camera.secret} is {secret}")
    if uses:
        used_by = ", ".join(map(str, uses))
        # A secret that is gone is missed when a device starts anew, and when the copy that it kept has expired.
        end = "loses it at its next start" if delete_secret else "goes on with it"
        terminal.warn("in use", f"by {used_by}, which {end}")
    _json(
        {
            "ok": True,
            **_document(camera),
            "removed": True,
            "secretDeleted": delete_secret,
            "usedBy": [str(use) for use in uses],
        },
        as_json=as_json,
    )
    return 0


def list_cameras(place: Place, *, as_json: bool, users: bool = False) -> int:
    """Write the cameras to standard output; returns the exit code.

    :param users: with the applications that use them, and what their devices said of them last
    :raises Failure: if they cannot be read
    """
    if place.here:
        cameras = [_local_document(name, camera) for name, camera in sorted(_local(place).items())]
    else:
        with speaking_to_aws():
            cameras = [_document(camera) for camera in place.registry().cameras()]
            if users:
                cameras = _with_users(cameras, place)
    if as_json:
        _json({"ok": True, "cameras": cameras}, as_json=True)
        return 0
    if not cameras:
        Terminal().line(f"no cameras; vedette camera add NAME --url rtsp://HOST/PATH{' --local' if place.here else ''}")
    width = max((len(camera["name"]) for camera in cameras), default=0)
    for camera in cameras:
        login = "login" if camera["login"] else "-"
        sys.stdout.write(
            f"{camera['name']:<{width}}  {login:<5}  {camera['url']}  {camera.get('about', '')}".rstrip() + "\n"
        )
        if camera.get("sub"):
            sys.stdout.write(f"{'':<{width}}  {'small':<5}  {camera['sub']}\n")
        told = [f"used by {use}" for use in camera.get("users", ())]
        told += [f"{device}: {words}" for device, words in camera.get("states", {}).items()]
        sys.stdout.writelines(f"{'':<{width}}  {line}\n" for line in told)
    return 0


def _users(place: Place, terminal: Terminal) -> "Mapping[str, Sequence[Use]]":
    """Return who uses which camera; nobody, and a word about it, where that cannot be looked up."""
    from vedette.cloud.camera_users import camera_users
    from vedette.cloud.errors import CloudError

    try:
        return camera_users(place.cloud())
    except CloudError as error:
        terminal.warn("users", f"which applications use it is not known: {error}")
        return {}


def _with_users(cameras: list[dict[str, Any]], place: Place) -> list[dict[str, Any]]:
    """Add users and states; cameras that applications use and that are not registered come last, without an address."""
    from vedette.cloud.camera_users import camera_states, camera_users

    cloud = place.cloud()
    users = camera_users(cloud)
    states = camera_states(cloud, users)
    known = {camera["name"] for camera in cameras}
    others = [
        {"name": name, "url": "", "login": False, "about": "not registered"} for name in sorted(users.keys() - known)
    ]
    return [
        {
            **camera,
            "users": [str(use) for use in users.get(camera["name"], ())],
            "states": dict(states.get(camera["name"], {})),
        }
        for camera in (*cameras, *others)
    ]


def fetch_cameras(names: tuple[str, ...], place: Place) -> int:
    """Copy registered cameras with their logins into this user's file, for ``vedette run``; returns the exit code.

    :raises Failure: if one is not there
    """
    terminal = Terminal()
    with speaking_to_aws():
        registry = place.registry()
        for name in names or tuple(camera.name for camera in registry.cameras()):
            login = registry.login(name)
            file = put_known_camera(name, _known(login), place.cameras_file)
            terminal.done("fetched", f"{name} into {file}")
    return 0


def _login(given: Given, credentials: Credentials, before: "Login | None") -> "Login":
    """Return address, user and password; what is not given stays as ``before``. The password is asked for unseen."""
    from vedette.cloud.cameras import Login

    if given.from_file is not None:
        if given.url is not None or given.user is not None:
            raise Failure("--from-file excludes --url and --user", exit_code=EXIT_USAGE)
        read = _from_file(given.from_file)
        read = replace(read, certificate=_certificate(given, before))
        if before and not read.sub:
            read = replace(read, sub=before.sub, sub_missing=before.sub_missing)
        return _with_sub(read, given, credentials)
    url, user, password = before.url if before else "", before.user if before else "", before.password if before else ""
    if given.url is not None:
        url, in_url, word = split_url(given.url)
        if in_url is not None:
            user, password = in_url, (credentials[given.url][1] if given.url in credentials else word) or ""
    if not url:
        raise Failure("a camera needs an address", hint="--url rtsp://HOST/PATH", exit_code=EXIT_USAGE)
    changed = given.user is not None and (before is None or given.user != before.user or given.password_stdin)
    if given.user is not None:
        user = given.user
    if given.password is not None or given.password_stdin:
        password = read_password(given) or ""
    elif changed:
        password = _asked(user) if user else ""
    certificate = _certificate(given, before)
    if certificate and not url.startswith("rtsps://"):
        raise Failure("a certificate is for addresses that begin with rtsps://", exit_code=EXIT_USAGE)
    sub, sub_missing = (before.sub, before.sub_missing) if before else ("", "wait")
    login = Login(url, user, password, certificate, sub, sub_missing)
    return _with_sub(login, given, credentials)


def _with_sub(login: "Login", given: Given, credentials: Credentials) -> "Login":
    """Return the login with the small stream that is given; it takes the same user and password."""
    sub = login.sub
    if given.sub is not None:
        sub, user, word = small_address(given.sub) if given.sub else ("", None, None)
        if user is not None:
            password = (credentials[given.sub][1] if given.sub in credentials else word) or ""
            if login.user and (login.user, login.password) != (user, password):
                raise Failure(
                    "the small stream has another login than the main one",
                    hint="both take one login: leave it out of --sub",
                    exit_code=EXIT_USAGE,
                )
            login = replace(login, user=user, password=password)
    if given.sub_missing is not None:
        if given.sub_missing not in MISSING:
            raise Failure(f"--sub-missing takes wait or main, got `{given.sub_missing}`", exit_code=EXIT_USAGE)
        if not sub:
            raise Failure("--sub-missing is for a camera with a small stream", hint="--sub URL", exit_code=EXIT_USAGE)
        login = replace(login, sub_missing=given.sub_missing)
    return replace(login, sub=sub)


def _login_of(known: Mapping[str, Mapping[str, str]], name: str) -> "Login":
    """Return what this machine knows of a camera."""
    from vedette.cloud.cameras import Login

    kept = known_secrets(known, [name])[name]
    return Login(
        kept["StreamUrl"],
        kept.get("Username", ""),
        kept.get("Password", ""),
        kept.get("Certificate", ""),
        kept.get("SubStreamUrl", ""),
        known[name].get("SubMissing", "wait"),
    )


def _certificate(given: Given, before: "Login | None") -> str:
    if given.certificate is None:
        return before.certificate if before else ""
    try:
        text = given.certificate.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise Failure(f"{given.certificate} cannot be read ({type(error).__name__})") from error
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    if begin not in text or end not in text or "PRIVATE KEY" in text:
        raise Failure(
            f"{given.certificate} holds no certificate alone",
            hint="PEM is expected: openssl x509 -in FILE -out camera.pem",
        )
    # One, without the text that some tools write before it: a secret has 64 kB, a certificate one.
    return text[text.index(begin) : text.index(end) + len(end)] + "\n"


def read_password(given: Given) -> str | None:
    """Return the password of ``given.user``, from standard input or the terminal; None where there is no user.

    :raises Failure: when there is no terminal to ask on
    """
    if given.password is not None:
        return given.password
    if given.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return _asked(given.user) if given.user else None


def _asked(user: str) -> str:
    if not sys.stdin.isatty():
        raise Failure("there is no terminal to ask for the password on", hint="--password-stdin", exit_code=EXIT_USAGE)
    return getpass.getpass(f"password of {user}: ")


def _from_file(path: Path) -> "Login":
    """Read the parameters of Panorama's template, ``{"Username", "Password", "StreamUrl"}``, or with SubStreamUrl."""
    from vedette.cloud.cameras import Login

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        url, in_url, word = split_url(document["StreamUrl"])
        user, password = document.get("Username") or in_url or "", document.get("Password") or word or ""
        if not isinstance(user, str) or not isinstance(password, str):
            raise TypeError
        sub = split_url(document["SubStreamUrl"])[0] if document.get("SubStreamUrl") else ""
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        # Never what it holds.
        raise Failure(
            f'{path} must hold {{"Username": ..., "Password": ..., "StreamUrl": "rtsp://HOST/PATH"}}'
        ) from None
    return Login(url, user, password, sub=sub)


def _local(place: Place) -> dict[str, dict[str, str]]:
    if place.cameras_file is not None and not place.cameras_file.exists():
        return {}
    return read_known_cameras(place.cameras_file)


def _known(login: "Login") -> dict[str, str]:
    known = {"StreamUrl": login.url} | ({"Certificate": login.certificate} if login.certificate else {})
    known |= {"SubStreamUrl": login.sub} if login.sub else {}
    known |= {"SubMissing": login.sub_missing} if login.sub and login.sub_missing != "wait" else {}
    return {"Username": login.user, "Password": login.password, **known} if login.user else known


def _put_local(name: str, login: "Login", place: Place, terminal: Terminal, *, as_json: bool) -> None:
    file = put_known_camera(name, _known(login), place.cameras_file)
    terminal.done("camera", f"{name} in {file}, for its owner alone")
    terminal.line(f"next: {terminal.paint(f'vedette camera test {name}', 'cyan')}")
    _json({"ok": True, **_local_document(name, _known(login))}, as_json=as_json)


def _local_document(name: str, camera: Mapping[str, str]) -> dict[str, Any]:
    url, user, _ = split_credentials(camera["StreamUrl"])
    document = {"name": name, "url": url, "login": bool(camera.get("Username") or user)}
    return {**document, "sub": camera["SubStreamUrl"]} if camera.get("SubStreamUrl") else document


def _document(camera: "RegisteredCamera") -> dict[str, Any]:
    return {
        "name": camera.name,
        "url": camera.url,
        **({"sub": camera.sub} if camera.sub else {}),
        "login": camera.login,
        "about": camera.about,
        "secret": camera.secret,
        "arn": camera.arn,
    }


def _told(camera: "RegisteredCamera", what: str, terminal: Terminal, *, as_json: bool) -> None:
    small = f", small stream {camera.sub}" if camera.sub else ""
    terminal.done(what, f"{camera.name}: {camera.url}{small}, secret {camera.secret}")
    _json({"ok": True, **_document(camera)}, as_json=as_json)


def _json(document: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"schema": SCHEMA, **document}, indent=2, ensure_ascii=False) + "\n")
