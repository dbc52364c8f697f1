"""Cameras: which sources are attached to which camera node, and their credentials as secrets."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from vedette.application import CameraAttachment, Launch
from vedette.documents.findings import Finding, general
from vedette.documents.models import InterfaceNode
from vedette.documents.models.package import StringInputPort
from vedette.documents.resolution.overriding import Overriding
from vedette.documents.resolution.placed import NodeKind, PlacedNode
from vedette.documents.suggestions import did_you_mean
from vedette.messages import CameraSource
from vedette.redaction import redact, split_credentials

PANORAMA_MAX_STREAMS: Final = 8
_SCHEMES: Final = frozenset({"rtsp", "rtsps", "http", "https", "file"})
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


@dataclass
class Cameras:
    """What was found out about cameras."""

    attached: dict[str, tuple[CameraAttachment, ...]] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    findings: list[Finding] = field(default_factory=list)


def resolve_cameras(
    wired: Mapping[str, Sequence[PlacedNode]],
    nodes: Mapping[str, PlacedNode],
    overriding: Overriding,
    given: Mapping[str, Sequence[CameraSource]],
    registered: Mapping[str, CameraSource],
    *,
    complete: bool,
) -> Cameras:
    """Attach sources to every camera node that an edge connects to the code.

    A source given for the node of the graph stands in place of all that documents say of it; one given for a node of
    an override document is that camera's. The name of a camera's package, by which Panorama's console knew it, serves
    where one node alone is of that package. ``registered`` are cameras by that name, for nodes whose package the
    project does not have. ``complete=False`` leaves out what a deployment has to say.
    """
    result = Cameras()
    known = {name: node for name, node in {**nodes, **overriding.added}.items() if node.kind is NodeKind.CAMERA}
    given = _by_node(given, known)
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known, what="camera nodes")
            message = f'camera "{name[:60]}": the application has no camera node of that name'
            result.findings.append(general("V054", message, hint))
    camera_nodes = {node.name: node for attached in wired.values() for node in attached}.values()
    names = [node.name for node in camera_nodes]
    for node in camera_nodes:
        attachments = _attachments(node, overriding, given, registered, result, complete=complete)
        if attachments:
            result.attached[node.name] = tuple(attachments)
    _check_names(result)
    for port, attached in wired.items():
        count = sum(len(result.attached.get(node.name, ())) for node in attached)
        if count > PANORAMA_MAX_STREAMS:
            message = f'input "{port}" has {count} cameras: Panorama allowed {PANORAMA_MAX_STREAMS}'
            result.findings.append(general("V056", message))
    for name in given.keys() & known.keys() - set(names) - {n.name for r in overriding.replaced.values() for n in r}:
        message = f'camera "{name}": the node is not connected to the code'
        result.findings.append(general("V054", message, f"connected camera nodes: {', '.join(names) or 'none'}"))
    return result


def _by_node(
    given: Mapping[str, Sequence[CameraSource]], known: Mapping[str, PlacedNode]
) -> Mapping[str, Sequence[CameraSource]]:
    """Return ``given`` with the names of camera packages led to their nodes."""
    named = dict(given)
    for name in given.keys() - known.keys():
        of_package = [
            node.name
            for node in known.values()
            if isinstance(node.node, InterfaceNode) and node.system is None and node.node.package == name
        ]
        if len(of_package) == 1 and of_package[0] not in given:
            named[of_package[0]] = named.pop(name)
    return named


def _attachments(
    node: PlacedNode,
    overriding: Overriding,
    given: Mapping[str, Sequence[CameraSource]],
    registered: Mapping[str, CameraSource],
    result: Cameras,
    *,
    complete: bool,
) -> list[CameraAttachment]:
    if node.name in given:
        return _given(node, given[node.name], result)
    replacing = overriding.replaced.get(node.name)
    if replacing is None:
        if node.node.override_mandatory:
            if complete:
                hint = f"name a camera: --camera {node.name}=rtsp://HOST/PATH, or an override document"
                result.findings.append(node.finding("V042", "an override is mandatory, and there is none", hint))
            return []
        replacing = [node]
    found: list[CameraAttachment] = []
    for camera in replacing:
        if camera.name in given:
            found += _given(camera, given[camera.name], result)
        elif (source := _of_package(camera, result)) is not None:
            found.append(source)
        elif (name := _registered_name(camera)) and name in registered:
            found += _given(camera, [registered[name]], result)
        elif complete:
            hint = f"give its address: --camera {camera.name}=rtsp://HOST/PATH"
            if name and registered:
                hint += f"; known cameras: {', '.join(sorted(registered)[:8])}"
            result.findings.append(camera.finding("V046", "the camera has no address in this project", hint))
    return found


def _registered_name(node: PlacedNode) -> str:
    """Return the name of a camera that was registered beside the project: ``<account>::NAME.NAME``."""
    if isinstance(node.node, InterfaceNode) and node.system is None and node.interface is None:
        return node.node.package
    return ""


def _given(node: PlacedNode, sources: Sequence[CameraSource], result: Cameras) -> list[CameraAttachment]:
    if not sources:
        result.findings.append(general("V055", f'camera "{node.name}": no source is given'))
    found: list[CameraAttachment] = []
    for source in sources:
        attachment = _attachment(source.name, source.url, source, _launch(node), result)
        if attachment is not None:
            found.append(attachment)
    return found


def _of_package(node: PlacedNode, result: Cameras) -> CameraAttachment | None:
    """Return the camera that the defaults of its own package describe (streamUrl, username, password).

    ``subStreamUrl`` is an addition to Panorama's: the camera's small stream, with the same login.
    """
    if node.interface is None:
        return None
    ports = {port.name: port.default for port in node.interface.inputs if isinstance(port, StringInputPort)}
    url = ports.get("streamUrl", "").strip()
    if not url or "<" in url:  # the CLI's template has "rtsp://<stream url>"
        return None
    user, password = ports.get("username", ""), ports.get("password", "")
    credentials = None if not user or "<" in user else (user, "" if "<" in password else password)
    small = ports.get("subStreamUrl", "").strip()
    source = CameraSource(name=node.name, sub=None if not small or "<" in small else small)
    return _attachment(node.name, url, source, _launch(node), result, credentials)


def _attachment(
    name: str,
    url: str,
    source: CameraSource,
    launch: Launch,
    result: Cameras,
    credentials: tuple[str, str] | None = None,
) -> CameraAttachment | None:
    if not url and source.secret is None:
        result.findings.append(general("V055", f'camera "{name}": the address is empty'))
        return None
    address = _address(name, url, result)
    small = _address(name, source.sub, result) if source.sub else None
    if address is None or (source.sub and small is None):
        return None
    credentials = address.login or credentials or (small.login if small else None)
    if small is not None and small.login not in (None, credentials):
        message = f'camera "{name}": its two streams have different logins'
        result.findings.append(general("V055", message, "both take one login: give it once"))
        return None
    secret = source.secret
    if credentials is not None:
        secret = camera_secret_name(name, address.url, credentials[0])
        held = {"Username": credentials[0], "Password": credentials[1], "StreamUrl": address.url}
        result.secrets[secret] = {**held, "SubStreamUrl": small.url} if small else held
    given = source.model_dump(exclude={"name", "url", "secret", "sub"})
    sub = small.url if small else source.sub
    return CameraAttachment(name=name, url=address.url, secret=secret, launch=launch, sub=sub, **given)


class _Address(NamedTuple):
    url: str
    login: tuple[str, str] | None


def _address(name: str, url: str, result: Cameras) -> _Address | None:
    """Return an address without its login, and the login; None, and a finding, for one that cannot be used."""
    try:
        clean, user, password = split_credentials(url)
        port_is_good = "://" not in clean or _port_is_good(clean)
    except ValueError:
        clean, user, password, port_is_good = "", None, None, False
    scheme = _SCHEME.match(clean) if "://" in clean else None
    if not port_is_good or (scheme is not None and scheme[1].lower() not in _SCHEMES):
        message = f'camera "{name}": {redact(url)[:120]} cannot be used'
        result.findings.append(
            general("V055", message, "expected rtsp://HOST[:PORT]/PATH, rtsps://, http:// or https://, or a video file")
        )
        return None
    if "@" in clean and "://" in clean and user is not None:
        # "rtsp://u:a@b/c@host/" may be read in more than one way: nothing of a password may stay in the address.
        message = f'camera "{name}": {redact(url)[:120]} has "@" or "/" in its password or path'
        result.findings.append(general("V055", message, 'write "@" as %40 and "/" as %2F'))
        return None
    return _Address(clean, None if user is None else (user, password or ""))


def _port_is_good(url: str) -> bool:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return bool(parts.scheme == "file" or parts.hostname) and (parts.port is None or parts.port > 0)


def camera_secret_name(camera: str, url: str, user: str) -> str:
    """Equal camera and user give an equal secret, so that applications share one session; the password may change."""
    digest = hashlib.sha256(f"{url} {user}".encode()).hexdigest()[:8]
    return f"vedette/camera/{re.sub(r'[^A-Za-z0-9_.-]', '-', camera)[:100]}-{digest}"


def _launch(node: PlacedNode) -> Launch:
    return node.node.launch if isinstance(node.node, InterfaceNode) else "onAppStart"


def _check_names(result: Cameras) -> None:
    for node, attachments in result.attached.items():
        names = [attachment.name for attachment in attachments]
        for name in sorted({name for name in names if names.count(name) > 1}):
            message = f'node "{node}" has two cameras of the name "{name}"'
            result.findings.append(general("V018", message, "the name is the stream_id: give them different ones"))
