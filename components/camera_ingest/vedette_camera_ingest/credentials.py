"""A camera's login: out of Secrets Manager, through the bus, to the worker."""

import json
from dataclasses import dataclass, field, replace

from vedette.aws_calls import AwsError, Denied, Rejected
from vedette.bus import BusError, NotFound, Unauthorized
from vedette.messages import CameraState
from vedette.redaction import split_credentials
from vedette.secrets import SecretReader
from vedette_camera_ingest.failure import CaptureError
from vedette_camera_ingest.source import Source


@dataclass(frozen=True)
class Credentials:
    """Where the stream is and how to log in. ``url`` holds no login; the password never appears in ``repr``.

    ``certificate`` (PEM) is what the camera's own has to be, or to be signed with, over TLS.
    """

    url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)


def fetch(
    secrets: SecretReader, source: Source, *, address_key: str = "StreamUrl", refused: bool = False
) -> Credentials:
    """Return what is needed to open ``source``, its secret read afresh.

    :param address_key: where the secret has the address, when ``source`` has none
    :param refused: the camera does not take the last login: the secret may have been rotated
    :raises CaptureError: with SECRET_UNAVAILABLE, saying which of the usual causes it is.
    """
    if source.secret is None:
        return _complete(source, source.url, None, None, address_key)
    try:
        text = secrets.get(source.secret, refused=refused)
    except NotFound as error:
        raise _unavailable(
            f"Secret {source.secret} is not on this device: it does not exist, is not listed in cloudSecrets of"
            f" aws.greengrass.SecretManager, or the device's role may not read it"
        ) from error
    except Unauthorized as error:
        raise _unavailable(
            f"The nucleus does not allow vedette.CameraIngest to read secret {source.secret}: add it to accessControl"
            f" of the component (aws.greengrass#GetSecretValue)"
        ) from error
    except (Denied, Rejected) as error:
        raise _unavailable(
            f"Secret {source.secret} cannot be read from AWS: {error}; this nucleus has no secrets of its own"
        ) from error
    except AwsError as error:
        raise _unavailable(
            f"This nucleus has no secrets, and AWS cannot be asked for {source.secret} now: {error}"
        ) from error
    except BusError as error:
        raise _unavailable(f"Secret {source.secret} could not be read ({type(error).__name__})") from error
    return _parse(source, text, address_key)


def _parse(source: Source, text: str, address_key: str) -> Credentials:
    expected = 'expected {"Username": ..., "Password": ..., "StreamUrl": ...}'
    try:
        document = json.loads(text)
    except ValueError:
        # Not chained: the error holds the secret's text.
        raise _unavailable(f"Secret {source.secret} is not JSON, {expected}") from None
    if not isinstance(document, dict):
        raise _unavailable(f"Secret {source.secret} is not a JSON object, {expected}")
    values = {key: document.get(key) or "" for key in ("Username", "Password", address_key, "Certificate")}
    wrong = [key for key, value in values.items() if not isinstance(value, str)]
    if wrong:
        raise _unavailable(f"Secret {source.secret} holds no text in {', '.join(wrong)}, {expected}")
    url, user, password = source.url or values[address_key], values["Username"] or None, values["Password"] or None
    found = _complete(source, url, user, password, address_key)
    return replace(found, certificate=values["Certificate"] or None)


def _complete(source: Source, url: str, user: str | None, password: str | None, address_key: str) -> Credentials:
    if not url:
        where = f"secret {source.secret} has no {address_key}" if source.secret else "it names no secret either"
        raise _unavailable(f"Camera {source.name} has no address, and {where}")
    try:
        clean, url_user, url_password = split_credentials(url)
    except ValueError:
        raise CaptureError(CameraState.FAILED, f"The address of camera {source.name} is not a URL") from None
    if user is None:
        user, password = url_user, url_password
    return Credentials(clean, user, password)


def _unavailable(detail: str) -> CaptureError:
    return CaptureError(CameraState.SECRET_UNAVAILABLE, detail)
