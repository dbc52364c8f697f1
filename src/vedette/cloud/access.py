"""boto3 behind one door: calls with bounded retries, and AWS's errors in one tree of our own."""

import os
import random
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from vedette.cloud.errors import (
    AccessDeniedError,
    AlreadyThereError,
    CloudError,
    CredentialsError,
    InvalidRequestError,
    NotFoundError,
    PreconditionError,
    QuotaError,
    UnreachableError,
)
from vedette.cloud.operations import NOT_REPEATABLE, OPERATIONS, OPTIONAL, iam_action
from vedette.cloud.permissions import granted_by
from vedette.redaction import redact

ATTEMPTS: Final = 7
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 8.0
_CONNECT_TIMEOUT_S: Final = 10
_READ_TIMEOUT_S: Final = 60
_CONNECTIONS: Final = 16

_THROTTLED: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "SlowDown",
        "PriorRequestNotComplete",
    }
)
_NO_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "TokenRefreshRequired",
    }
)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedException", "Forbidden", "403"})
_QUOTA: Final = frozenset({"ServiceQuotaExceededException", "LimitExceededException", "LimitExceeded"})
_THERE: Final = frozenset(
    {
        "ConflictException",
        "ResourceAlreadyExistsException",
        "EntityAlreadyExists",
        "ResourceExistsException",
        "BucketAlreadyOwnedByYou",
        "BucketAlreadyExists",
    }
)


@dataclass(frozen=True)
class Identity:
    """Who calls, where."""

    account: str
    arn: str
    region: str
    partition: str


@dataclass(frozen=True)
class HeldCredentials:
    """The credentials that calls are signed with; only the id of the key may be shown."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    """None: lasting keys."""
    expires_at: datetime | None = None
    """None: not known, or never."""


class Cloud:
    """AWS as one caller sees it. May be used by several threads."""

    def __init__(
        self,
        *,
        profile: str | None = None,
        region: str | None = None,
        wait: Callable[[float], object] | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        """Take credentials by AWS's usual chain; nothing is called yet.

        :param wait: waits so many seconds between two attempts; ends early when the command is to stop
        :raises CredentialsError: if the profile does not exist, or no region is set anywhere
        :raises CloudError: if boto3 is not installed
        """
        try:
            import boto3
        except ImportError as error:
            raise CloudError("boto3 is not installed", hint="pip install 'vedette[aws]'") from error
        from botocore.exceptions import BotoCoreError

        try:
            # boto3 itself reads AWS_DEFAULT_REGION alone; every other tool of AWS reads AWS_REGION, and first.
            chosen = region or os.environ.get("AWS_REGION")
            self._session = boto3.Session(profile_name=profile, region_name=chosen or None)
        except BotoCoreError as error:
            raise CredentialsError(f"profile cannot be used: {error}", hint="aws configure list-profiles") from error
        if not self._session.region_name:
            raise CredentialsError("no AWS region is set", hint="--region eu-west-1, or AWS_REGION=eu-west-1")
        self.region: str = self._session.region_name
        self._wait = wait if wait is not None else threading.Event().wait
        self._attempts = attempts
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._identity: Identity | None = None

    def identity(self) -> Identity:
        """Return account and caller; asked for once.

        :raises CloudError: if AWS does not answer, or takes the credentials for none of its own
        """
        if self._identity is None:
            answer = self.call("sts", "get_caller_identity")
            partition = answer["Arn"].split(":")[1]
            self._identity = Identity(answer["Account"], answer["Arn"], self.region, partition)
        return self._identity

    def credentials(self) -> HeldCredentials:
        """Return the credentials that hold now; those of roles and single sign-on are renewed when they must be.

        :raises CredentialsError: if there are none
        """
        try:
            found = self._session.get_credentials()
            held = None if found is None else found.get_frozen_credentials()
        except Exception as error:
            raise _translated(error, "sts", "", 1) from error
        if held is None:
            raise CredentialsError("the profile has no credentials", hint="aws configure, aws sso login")
        return HeldCredentials(held.access_key, held.secret_key, held.token, getattr(found, "_expiry_time", None))

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call one operation, again after throttling, server errors and lost connections; return its answer.

        :raises CloudError: of the kind that fits, when AWS refuses or does not answer
        """
        if operation not in OPERATIONS.get(service, ()):
            raise AssertionError(f"{service}.{operation} is not in vedette.cloud.operations")
        method = getattr(self._client(service), operation)
        for attempt in range(1, self._attempts + 1):
            try:
                answer: dict[str, Any] = method(**arguments)
                return answer
            except Exception as error:
                if attempt == self._attempts or not _worth_repeating(error, (service, operation)):
                    raise _translated(error, service, operation, attempt) from error
                bound = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt)
                self._wait(random.uniform(bound / 2, bound))  # noqa: S311 - spreads callers in time
        raise AssertionError("unreachable")

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Call an operation page by page and give out the items of ``key``.

        :raises CloudError: as ``call`` does
        """
        token = "nextToken"
        while True:
            answer = self.call(service, operation, **arguments)
            yield from answer.get(key, ())
            found = answer.get("nextToken") or answer.get("nextMarker") or answer.get("NextToken")
            if not found:
                return
            token = next(name for name in ("nextToken", "nextMarker", "NextToken") if answer.get(name))
            arguments = {**arguments, {"nextMarker": "marker"}.get(token, token): found}

    def _data_endpoint(self) -> str | None:
        """Return the account's own endpoint of AWS IoT's data plane; None where the environment names another.

        boto3 would call ``data-ats.iot.<region>``: a name that no VPC endpoint answers to.
        """
        if os.environ.get("AWS_ENDPOINT_URL_IOT_DATA_PLANE") or os.environ.get("AWS_ENDPOINT_URL"):
            return None
        found = self.call("iot", "describe_endpoint", endpointType="iot:Data-ATS")
        return f"https://{found['endpointAddress']}"

    def _client(self, service: str) -> Any:
        own = self._data_endpoint() if service == "iot-data" and service not in self._clients else None
        with self._lock:
            if service not in self._clients:
                from botocore.config import Config

                config = Config(
                    # This class repeats calls itself: it knows which may be.
                    retries={"mode": "standard", "total_max_attempts": 1},
                    connect_timeout=_CONNECT_TIMEOUT_S,
                    read_timeout=_READ_TIMEOUT_S,
                    max_pool_connections=_CONNECTIONS,
                )
                try:
                    self._clients[service] = self._session.client(service, config=config, endpoint_url=own)
                except Exception as error:
                    raise _translated(error, service, "", 1) from error
            return self._clients[service]


def _worth_repeating(error: Exception, call: tuple[str, str]) -> bool:
    from botocore import exceptions

    if call[0] in OPTIONAL and not isinstance(error, exceptions.ClientError):
        return False  # a site without internet has no endpoint of it, and the command goes on without the answer
    if isinstance(error, exceptions.ClientError):
        code, status = _code(error), _status(error)
        if code in _THROTTLED or status == 429:
            return True
        return status >= 500 and call not in NOT_REPEATABLE
    if isinstance(error, exceptions.EndpointConnectionError):
        return True
    return isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError)) and call not in NOT_REPEATABLE


def _translated(error: Exception, service: str, operation: str, attempts: int) -> Exception:
    """Return our error for one of botocore's; anything else as it is."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        return _refused(error, service, operation, attempts)
    if isinstance(
        error,
        (
            exceptions.NoCredentialsError,
            exceptions.PartialCredentialsError,
            exceptions.SSOError,
            exceptions.TokenRetrievalError,
        ),
    ):
        return CredentialsError(
            f"no AWS credentials that can be used: {redact(str(error))}",
            hint="aws sso login, aws configure, or --profile NAME; nothing was changed by this call",
        )
    if isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError)):
        tries = f" in {attempts} attempts" if attempts > 1 else ""
        return UnreachableError(
            f"{service} of AWS did not answer {_name(operation)}{tries}: {redact(str(error))}",
            hint="check the network, then run the same command again: it goes on where it stopped",
        )
    if isinstance(error, exceptions.BotoCoreError):
        return CloudError(f"{service} {_name(operation)}: {redact(str(error))}")
    return error


def _refused(error: Any, service: str, operation: str, attempts: int) -> CloudError:
    code, status = _code(error), _status(error)
    message = redact(str(error.response.get("Error", {}).get("Message") or "").strip())
    if message.lower().startswith(("<!doctype", "<html")):
        message = ""
    text = f"{service} refused {_name(operation)}: {code}{f', {message}' if message and message != code else ''}"
    text += _facts(error.response, message)
    if code in _NO_CREDENTIALS:
        hint = "aws sso login or other credentials (--profile NAME), then run the same command again"
        return CredentialsError(f"AWS does not take the credentials: {code}", hint=hint)
    if code in _DENIED or (status == 403 and not code.startswith("Invalid")):
        action = iam_action(service, operation)
        denied = re.search(r"perform: ([a-z0-9-]+:[A-Za-z]+) on resource: (\S+)", message)
        where = f" on {denied[2]}" if denied else ""
        return AccessDeniedError(
            f"these credentials may not {action}{where}",
            hint=f"the policy {granted_by(action)} of infra/operators.yaml allows it: attach it, or allow {action}",
        )
    if code in _QUOTA or status == 402:
        return QuotaError(text, hint="remove what is not used any more, or ask for more: AWS console, Service Quotas")
    if code in _THROTTLED or status >= 500 or status == 429:
        hint = "run the same command again: it goes on where it stopped"
        return UnreachableError(f"{text}; {attempts} attempts", hint=hint)
    if status == 404 or "NotFound" in code or code.startswith("NoSuch"):
        return NotFoundError(text)
    if status == 412 or code in {"PreconditionFailed", "ConditionalRequestConflict"}:
        return PreconditionError(text)
    if code in _THERE:
        return AlreadyThereError(text)
    return InvalidRequestError(text)


def _facts(response: Mapping[str, Any], message: str) -> str:
    """Return what the service says besides: which resource, which quota, which fields are wrong."""
    found = []
    if response.get("resourceId") and str(response["resourceId"]) not in message:
        found.append(f"{response.get('resourceType') or 'resource'} {response['resourceId']}")
    if response.get("quotaCode"):
        found.append(f"quota {response['quotaCode']}")
    found += [f"{field.get('name')}: {field.get('message')}" for field in response.get("fields") or ()]
    return f" ({redact('; '.join(found))})" if found else ""


def _name(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: Any) -> int:
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    return int(metadata.get("HTTPStatusCode", 0))
