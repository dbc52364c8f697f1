"""The one place where errors of the AWS SDK become errors of the bus."""

import concurrent.futures
from collections.abc import Iterator
from contextlib import contextmanager

from awscrt.exceptions import AwsCrtError
from awsiot.eventstreamrpc import AccessDeniedError, ConnectionClosedError, StreamClosedError
from awsiot.greengrasscoreipc import model

from vedette.bus.errors import BusError, BusLost, NotFound, NotSupported, Refused, Unauthorized

__all__ = ["translated_call", "translated_connect"]


@contextmanager
def translated_connect(socket_path: str, timeout_s: float) -> Iterator[None]:
    """Translate what connecting raises."""
    try:
        yield
    except AccessDeniedError as error:
        raise Unauthorized(
            "the nucleus does not know this process's token: an earlier nucleus started it, it must be started anew"
        ) from error
    except concurrent.futures.TimeoutError as error:
        raise BusLost(f"no answer from the nucleus at {socket_path} within {timeout_s:g} s") from error
    except (AwsCrtError, RuntimeError, OSError) as error:
        raise BusLost(f"no nucleus at {socket_path}: {error}") from error


@contextmanager
def translated_call(what: str) -> Iterator[None]:
    """Translate what a request raises; ``what`` names it in the message.

    Errors that are not of the service model go without their text and cause: those about an answer that cannot be read
    carry the answer, which may be a secret.
    """
    try:
        yield
    except model.UnauthorizedError as error:
        reason = error.message or "the recipe's accessControl has no policy for it"
        raise Unauthorized(f"not allowed: {what}: {reason}") from error
    except model.ResourceNotFoundError as error:
        raise NotFound(f"not found: {what}: {error.message or 'no reason given'}") from error
    except model.ServiceError as error:
        # Nucleus lite answers every operation that it does not have with a ServiceError without words.
        if not error.message or "is not supported by Greengrass" in error.message:
            raise NotSupported(f"this nucleus does not offer it: {what}") from error
        raise Refused(f"refused: {what}: {error.message}") from error
    except model.GreengrassCoreIPCError as error:
        raise Refused(f"refused: {what}: {getattr(error, 'message', None) or type(error).__name__}") from error
    except (ConnectionClosedError, StreamClosedError) as error:
        raise BusLost(f"connection to the nucleus lost: {what}") from error
    except (AwsCrtError, RuntimeError, OSError) as error:
        raise BusError(f"{what} failed: {type(error).__name__}") from None
