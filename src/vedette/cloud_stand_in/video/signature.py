"""Signature Version 4 as the service checks it: of whole requests, and of PutMedia, whose body is not known yet."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from vedette.cloud_stand_in.errors import ServiceError

SKEW_S: Final = 300.0
EMPTY: Final = hashlib.sha256(b"").hexdigest()


class SignatureError(ServiceError):
    """The signature is not the caller's."""

    status = 403
    code = "InvalidSignatureException"


class TokenError(ServiceError):
    """Who calls is not known, or no more."""

    status = 403
    code = "UnrecognizedClientException"


class ExpiredError(TokenError):
    """The credentials have expired."""

    code = "ExpiredTokenException"


def check(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    secrets: Mapping[str, str],
    region: str,
    now: float,
) -> str:
    """Check a request; return the access key of its caller.

    :param headers: names in lower case
    :param secrets: access key -> secret key
    :raises ServiceError: as the service refuses it
    """
    algorithm, _, rest = headers.get("authorization", "").partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    scope = parts.get("Credential", "").split("/")
    if algorithm != "AWS4-HMAC-SHA256" or len(scope) != 5 or not {"SignedHeaders", "Signature"} <= parts.keys():
        raise SignatureError("the Authorization header is not of Signature Version 4")
    key, day, scope_region, service, _ = scope
    if key not in secrets:
        raise TokenError("The security token included in the request is invalid.")
    if (scope_region, service) != (region, "kinesisvideo"):
        raise SignatureError(f"Credential should be scoped to {region}/kinesisvideo, not {scope_region}/{service}")
    stamp = headers.get("x-amz-date", "")
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        raise SignatureError("there is no X-Amz-Date") from None
    if abs(signed_at - now) > SKEW_S:
        raise SignatureError(f"Signature expired: {stamp} is now earlier or later than the server's time by 5 minutes")
    names = parts["SignedHeaders"].split(";")
    if "host" not in names or "x-amz-date" not in names:
        raise SignatureError("host and x-amz-date have to be signed")
    url = urlsplit(path)
    canonical = "\n".join(
        [
            method,
            quote(unquote(url.path), safe="/-_.~"),
            "&".join(sorted(url.query.split("&"))),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
            "",
            parts["SignedHeaders"],
            hashlib.sha256(body).hexdigest(),
        ]
    )
    text = "\n".join([algorithm, stamp, "/".join(scope[1:]), hashlib.sha256(canonical.encode()).hexdigest()])
    signing = f"AWS4{secrets[key]}".encode()
    for part in (day, scope_region, service, "aws4_request"):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, parts["Signature"]):
        raise SignatureError("The request signature we calculated does not match the signature you provided.")
    return key
