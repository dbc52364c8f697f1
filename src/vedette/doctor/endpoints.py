"""Whether a host answers from here: its name, its port, its certificate. Nothing is sent to it."""

import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from vedette.doctor.check import Check, State

_LIMIT_S: Final = 5.0
_AT_ONCE: Final = 16


def reach(
    hosts: Sequence[tuple[str, int]],
    *,
    environ: Mapping[str, str] = os.environ,
    limit_s: float = _LIMIT_S,
    connect: Callable[..., socket.socket] = socket.create_connection,
) -> list[Check]:
    """Try hosts at their ports, several at once; return one check each, in the order given; raises nothing.

    :param environ: AWS_CA_BUNDLE names certificates to trust in place of the system's, as for every tool of AWS
    """
    bundle = environ.get("AWS_CA_BUNDLE") or None
    try:
        context = ssl.create_default_context(cafile=bundle)
    except OSError as error:
        fix = "mend the path, or unset AWS_CA_BUNDLE"
        return [Check("certificates", State.FAILED, f"AWS_CA_BUNDLE={bundle} cannot be read: {error}", fix)]

    def one(place: tuple[str, int]) -> Check:
        return _try(*place, context, limit_s, connect)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(one, hosts))


def _try(host: str, port: int, context: ssl.SSLContext, limit_s: float, connect: Callable[..., socket.socket]) -> Check:
    name = f"{host}:{port}"
    try:
        with connect((host, port), timeout=limit_s) as opened:
            opened.settimeout(limit_s)
            try:
                with context.wrap_socket(opened, server_hostname=host):
                    return Check(name, State.OK, "answers, with a certificate that is trusted here")
            except ssl.SSLCertVerificationError as error:
                return Check(
                    name,
                    State.FAILED,
                    f"its certificate is not trusted: {error.verify_message}",
                    "a proxy that reads along has to be left out for this host; or the clock is wrong",
                )
            except ssl.SSLError:
                # Ports of AWS IoT want the device's certificate: that they say so is the answer that was looked for.
                return Check(name, State.OK, "answers, and asks for a device's certificate")
    except socket.gaierror:
        fix = "add the private name of its VPC endpoint, or let the name server ask on"
        return Check(name, State.FAILED, "its name is not resolved", fix)
    except TimeoutError:
        fix = f"let TCP {port} to it through the firewall, or make its VPC endpoint"
        return Check(name, State.FAILED, f"no answer within {limit_s:g} s", fix)
    except OSError as error:
        fix = f"let TCP {port} to it through the firewall"
        return Check(name, State.FAILED, f"no connection: {os.strerror(error.errno) if error.errno else error}", fix)
