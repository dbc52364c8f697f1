"""One bounded connection to an RTSP server."""

import contextlib
import errno
import socket
import time
from types import TracebackType
from typing import Any, Final

from vedette.rtsp.address import Address
from vedette.rtsp.errors import ConnectionClosed, NotRtsp, PortRefused, RtspError, TlsFailed, Unreachable
from vedette.rtsp.message import Response, ResponseReader, encode_request

_READ_BYTES: Final = 16 * 1024
_NO_ROUTE: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL)


class Connection:
    """Sends requests and waits for their answers, each within ``timeout_s``; a context manager."""

    def __init__(self, address: Address, sock: socket.socket, timeout_s: float) -> None:
        self._address = address
        self._sock = sock
        self._timeout_s = timeout_s
        self._reader = ResponseReader()
        self._cseq = 0

    @property
    def peer(self) -> str:
        """The IP address that is connected."""
        return str(self._sock.getpeername()[0])

    def request(self, method: str, url: str, headers: "list[tuple[str, str]] | None" = None) -> Response:
        """Send a request and return its answer.

        :raises Unreachable: when no answer comes in time.
        :raises ConnectionClosed: when the server hangs up instead.
        :raises NotRtsp: when what comes is not RTSP.
        """
        self._cseq += 1
        deadline = time.monotonic() + self._timeout_s
        try:
            self._sock.settimeout(self._timeout_s)
            self._sock.sendall(encode_request(method, url, self._cseq, headers or []))
            while (response := self._reader.next_response()) is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0:  # a server that drips never lets a single wait become long
                    raise TimeoutError
                self._sock.settimeout(left_s)
                data = self._sock.recv(_READ_BYTES)
                if not data:
                    raise ConnectionClosed(f"{self._where} closed the connection without an answer to {method}")
                self._reader.receive_data(data)
        except TimeoutError as error:
            raise Unreachable(
                f"{self._where} took the connection and has not answered {method} for {self._timeout_s:g} s"
            ) from error
        except OSError as error:
            raise ConnectionClosed(f"{self._where} closed the connection without an answer to {method}") from error
        except RtspError as error:
            raise NotRtsp(f"What answers at {self._where} is not an RTSP server: {error}") from error
        return response

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _where(self) -> str:
        return f"{self._address.host} port {self._address.port}"


def open_connection(
    address: Address,
    targets: "list[tuple[socket.AddressFamily, tuple[Any, ...]]]",
    connect_timeout_s: float,
    answer_timeout_s: float,
) -> Connection:
    """Connect to the first of ``targets`` that takes the connection, within ``connect_timeout_s`` for all of them.

    :raises PortRefused: when the last one refuses the port.
    :raises Unreachable: when nobody answers or there is no route.
    :raises TlsFailed: when the address wants TLS and it cannot be had.
    """
    deadline = time.monotonic() + connect_timeout_s
    failure: OSError = OSError(errno.EHOSTUNREACH, "no address")
    for position, (family, target) in enumerate(targets):
        share = (deadline - time.monotonic()) / (len(targets) - position)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(0.05, share))
            sock.connect(target)
        except OSError as error:
            sock.close()
            failure = error
            continue
        return Connection(address, _secure(sock, address, answer_timeout_s) if address.tls else sock, answer_timeout_s)
    if isinstance(failure, ConnectionRefusedError):
        raise PortRefused(f"{address.host} refused port {address.port}: is RTSP switched on?") from failure
    if failure.errno in _NO_ROUTE:
        raise Unreachable(f"No route to {address.host}: is it in a network this device reaches?") from failure
    raise Unreachable(f"No answer from {address.host} port {address.port} for {connect_timeout_s:g} s") from failure


def _secure(sock: socket.socket, address: Address, timeout_s: float) -> socket.socket:
    # Only here: few cameras speak TLS, and it takes a megabyte of each process that plays one.
    import ssl

    try:
        sock.settimeout(timeout_s)
        return ssl.create_default_context().wrap_socket(sock, server_hostname=address.host)
    except ssl.SSLCertVerificationError as error:
        sock.close()
        raise TlsFailed(
            f"The certificate of {address.host} is not trusted ({error.verify_message}): "
            f"add the camera's authority to the device's certificates, or use rtsp://"
        ) from error
    except (OSError, ValueError) as error:
        with contextlib.suppress(OSError):
            sock.close()
        raise TlsFailed(f"{address.host} port {address.port} does not speak TLS: use rtsp://?") from error
