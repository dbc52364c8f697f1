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

    @property
    def sock(self) -> socket.socket:
        """What the connection is made of."""
        return self._sock

    def request(self, method: str, url: str, headers: "list[tuple[str, str]] | None" = None) -> Response:
        """Send a request and return its answer.

        :raises Unreachable: when no answer comes in time.
        :raises ConnectionClosed: when the server hangs up instead.
        :raises NotRtsp: when what comes is not RTSP.
        """
        deadline = time.monotonic() + self._timeout_s
        try:
            self._send(method, url, headers or [])
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

    def send(self, method: str, url: str, headers: "list[tuple[str, str]] | None" = None) -> None:
        """Send a request and do not wait for its answer.

        :raises ConnectionClosed: when it cannot be sent.
        """
        try:
            self._send(method, url, headers or [])
        except OSError as error:
            raise ConnectionClosed(f"{self._where} closed the connection") from error

    def give_up_reading(self) -> "tuple[socket.socket, bytes]":
        """Return the socket, for whoever reads it from now on, and what of the stream has been read already."""
        return self._sock, self._reader.rest()

    def close(self) -> None:
        """Close the connection, also under whoever waits for it in another thread."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _send(self, method: str, url: str, headers: "list[tuple[str, str]]") -> None:
        self._cseq += 1
        self._sock.settimeout(self._timeout_s)
        self._sock.sendall(encode_request(method, url, self._cseq, headers))

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
    *,
    authority: str | None = None,
) -> Connection:
    """Connect to the first of ``targets`` that takes the connection, within ``connect_timeout_s`` for all of them.

    ``authority`` is the certificate (PEM) that the server's has to be, or to be signed with, where TLS is wanted; None
    trusts whom the device trusts.

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
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.tls:
            sock = _secure(sock, address, answer_timeout_s, authority)
        return Connection(address, sock, answer_timeout_s)
    if isinstance(failure, ConnectionRefusedError):
        raise PortRefused(f"{address.host} refused port {address.port}: is RTSP switched on?") from failure
    if failure.errno in _NO_ROUTE:
        raise Unreachable(f"No route to {address.host}: is it in a network this device reaches?") from failure
    raise Unreachable(f"No answer from {address.host} port {address.port} for {connect_timeout_s:g} s") from failure


def _secure(sock: socket.socket, address: Address, timeout_s: float, authority: str | None) -> socket.socket:
    # Only here: few cameras speak TLS, and it takes a megabyte of each process that plays one.
    import ssl

    try:
        context = ssl.create_default_context(cadata=authority)
    except (ssl.SSLError, ValueError) as error:
        sock.close()
        raise TlsFailed(f"The certificate that {address.host} is to be known by is none (expected PEM)") from error
    try:
        sock.settimeout(timeout_s)
        if authority is None:
            return context.wrap_socket(sock, server_hostname=address.host)
        # A camera's own certificate seldom names its address. The very certificate that was given needs no name.
        context.check_hostname = False
        given = ssl.PEM_cert_to_DER_cert(authority[authority.index("-----BEGIN CERTIFICATE") :].strip())
        secured = context.wrap_socket(sock, server_hostname=address.host)
        if secured.getpeercert(binary_form=True) != given:
            try:
                _check_name(secured.getpeercert() or {}, address)
            except ssl.SSLCertVerificationError:
                secured.close()
                raise
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
    return secured


def _check_name(certificate: "dict[str, Any]", address: Address) -> None:
    """Raise SSLCertVerificationError when a certificate of the pinned authority is another host's."""
    import ssl

    host = address.host.lower()
    names = {value.lower() for _, value in certificate.get("subjectAltName", ())}
    if host not in names and f"*.{host.partition('.')[2]}" not in names:
        error = ssl.SSLCertVerificationError(1, "another host's")
        error.verify_message = f"it is for {', '.join(sorted(names)) or 'no name'}"
        raise error
