"""Serves the calls by which an application binds, listens and connects, as the rules say.

The application's threads wait in the kernel meanwhile (seccomp's user notification). Nothing is forwarded: the socket
of the application itself is bound to the device's port, so nothing stands between it and its clients.
"""

import array
import errno
import logging
import os
import select
import socket
import threading
from collections.abc import Callable
from typing import Final

from vedette_app_runtime.network import seccomp
from vedette_app_runtime.network.addresses import MAX_BYTES, Address, decode
from vedette_app_runtime.network.holder import holder_of
from vedette_app_runtime.network.rules import PortRules
from vedette_app_runtime.network.seccomp import Listener, Notification

logger = logging.getLogger(__name__)

_START_TIMEOUT_S: Final = 10.0
_FAMILY_BYTES: Final = 2
"""Length of a Unix socket's address without a name."""
_ABSTRACT_NAMES: Final = 10_000
_CONNECTING: Final = 32
"""Connections that may be waited for at once; a loopback connection waits only while its listener's queue is full."""


class PortGuard:
    """Guards one run of an application. Its thread ends with the application, or by :meth:`close`."""

    def __init__(self, rules: PortRules) -> None:
        self.rules = rules
        self.trouble: str | None = None
        """Why this kernel guards nothing."""
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stop_r, self._stop_w = os.pipe2(os.O_CLOEXEC)
        self._thread: threading.Thread | None = None
        self._abstract: set[bytes] = set()
        """Names of abstract Unix sockets that the application has bound, without the family before them."""
        self._connecting = threading.BoundedSemaphore(_CONNECTING)
        self._told: set[object] = set()
        """What the log has already: an application may try on and on."""

    def arguments(self) -> list[str]:
        """Return what the sandbox's launcher is told; ``fds`` are to be inherited by it."""
        return [str(self._theirs.fileno()), seccomp.filter_program().hex()]

    @property
    def fds(self) -> tuple[int, ...]:
        """Descriptors that the command inherits; it closes them itself."""
        return (self._theirs.fileno(),)

    def refuse(self, why: str) -> None:
        """Note that the application runs without guard."""
        self.trouble = why

    def begin(self) -> None:
        """Take the listener of the started command, and serve it; returns when the command has taken its place.

        A kernel that refuses is told in :attr:`trouble`; the application runs without guard then.
        """
        self._theirs.close()
        self._ours.settimeout(_START_TIMEOUT_S)
        fds = array.array("i")
        try:
            data, ancillary, _, _ = self._ours.recvmsg(1024, socket.CMSG_SPACE(fds.itemsize), socket.MSG_CMSG_CLOEXEC)
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds.frombytes(payload[: fds.itemsize])
            self._ours.recv(1)  # its end is the launcher's exec
        except OSError as error:
            data = str(error).encode()
        self._ours.close()
        if not fds:
            self.trouble = data.decode(errors="replace") or "it ended at once"
            return
        listener = Listener(fds[0])
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="ports", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        for end in (self._ours, self._theirs):
            end.close()
        if self._stop_w >= 0:
            os.close(self._stop_w)
            self._stop_w = -1
            if self._thread is not None:
                self._thread.join(_START_TIMEOUT_S)
            os.close(self._stop_r)

    def _serve(self, listener: Listener) -> None:
        poller = select.poll()
        poller.register(listener, select.POLLIN)
        poller.register(self._stop_r, select.POLLIN)
        try:
            while True:
                ready = dict(poller.poll())
                if self._stop_r in ready:
                    return
                events = ready[listener.fileno()]
                if not events & select.POLLIN:
                    return  # nobody is under the filter any more
                notification = listener.receive()
                if notification is not None:
                    self._handle(listener, notification)
        except OSError:
            logger.exception("the application's ports are not served any more")
        finally:
            listener.close()

    def _handle(self, listener: Listener, notification: Notification) -> None:
        try:
            sock = socket.socket(fileno=seccomp.descriptor_of(notification.thread, notification.fd))
        except OSError:
            listener.proceed(notification)  # no socket, or gone: the kernel's own answer is right
            return
        with sock:
            if sock.family == socket.AF_UNIX:
                self._unix(listener, notification, sock)
            elif sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
                listener.proceed(notification)
            elif notification.call == "listen":
                listener.answer(notification, self._listen(sock, notification.argument))
            else:
                self._with_address(listener, notification, sock)

    def _unix(self, listener: Listener, notification: Notification, sock: socket.socket) -> None:
        """Keep it from abstract Unix sockets that it has not bound itself; Landlock does that from Linux 6.12 on."""
        name = b""
        if notification.call != "listen":
            try:
                length = min(notification.length, MAX_BYTES)
                name = seccomp.memory_of(notification.thread, notification.argument, length)[_FAMILY_BYTES:]
            except OSError:
                name = b""
        if notification.call == "bind" and notification.length == _FAMILY_BYTES and listener.valid(notification):
            # The kernel is to choose a name: an abstract one.
            error = _try(lambda: sock.bind(b""))
            if error == 0:
                self._remember(sock.getsockname())
            listener.answer(notification, error)
        elif not name.startswith(b"\0") or not listener.valid(notification):
            listener.proceed(notification)
        elif notification.call == "bind":
            self._remember(name)
            listener.proceed(notification)
        elif name in self._abstract:
            listener.proceed(notification)
        else:
            listener.answer(notification, errno.EPERM)

    def _remember(self, name: bytes) -> None:
        if len(self._abstract) >= _ABSTRACT_NAMES:
            self._abstract.clear()
        self._abstract.add(name)

    def _with_address(self, listener: Listener, notification: Notification, sock: socket.socket) -> None:
        try:
            length = min(notification.length, MAX_BYTES)
            asked = decode(seccomp.memory_of(notification.thread, notification.argument, length))
        except OSError:
            asked = None
        if asked is None or asked.family != sock.family or not listener.valid(notification):
            listener.proceed(notification)
        elif notification.call == "bind":
            listener.answer(notification, self._bind(sock, asked))
        else:
            place = self.rules.connect_place(asked)
            if place is None and (error := self.rules.connect_error(asked)):
                listener.answer(notification, error)
            elif place is None:
                listener.proceed(notification)
            else:
                self._connect(listener, notification, sock, place)

    def _bind(self, sock: socket.socket, asked: Address) -> int:
        error = errno.EADDRNOTAVAIL
        v6_only = _v6_only(sock)
        for place in self.rules.bind_places(asked, v6_only=v6_only):
            error = _bind_to(sock, place)
            if error == 0:
                at = _bound_to(sock)
                self.rules.bound(asked, at or place, v6_only=v6_only)
                return 0
            if error != errno.EACCES:
                break
        opened = self.rules.refused(asked, error)
        if opened is not None and opened not in self._told:
            self._told.add(opened)
            whose = holder_of(opened.host_port)
            logger.error(
                "port %d of the application could not be opened at port %d of this device: %s%s",
                opened.container_port,
                opened.host_port,
                os.strerror(error),
                f", by {whose}; choose another one in the override" if whose else "",
            )
        return error

    def _listen(self, sock: socket.socket, backlog: int) -> int:
        at = _bound_to(sock)
        if at is None or at.port == 0:
            own = Address(sock.family, "::" if sock.family == socket.AF_INET6 else "0.0.0.0", 0)  # noqa: S104
            own = own.at(self.rules.loopback, 0)
            error = _bind_to(sock, own)
            if error:
                return error
        elif not self.rules.may_listen(at):
            if at.port not in self._told:
                logger.error("the application may not listen on port %d: no routing rule is confirmed for it", at.port)
            self._told.add(at.port)
            return errno.EACCES
        return _try(lambda: sock.listen(min(backlog & 0x7FFFFFFF, 65535)))

    def _connect(self, listener: Listener, notification: Notification, sock: socket.socket, place: Address) -> None:
        if not self._connecting.acquire(blocking=False):
            listener.answer(notification, errno.EAGAIN)
            return
        own = sock.dup()

        def connect() -> None:
            try:
                with own:
                    error = _try(lambda: own.connect(place.for_python()), own, place)
                    listener.answer(notification, error)
            except OSError:
                logger.debug("the application ended while it connected")
            finally:
                self._connecting.release()

        if os.get_blocking(own.fileno()):
            threading.Thread(target=connect, name="connect", daemon=True).start()
        else:
            connect()


def _try(deed: Callable[[], object], sock: socket.socket | None = None, place: Address | None = None) -> int:
    """Do it; return 0 or the error's number. An IPv6 socket has to be open to IPv4 to be bound to such a place."""
    try:
        if sock is not None and place is not None and place.host.startswith("::ffff:"):
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        deed()
    except OSError as error:
        return error.errno or errno.EIO
    except OverflowError:  # an address that Python does not take, such as one of IPv6 with a flow of more than 20 bits
        return errno.EINVAL
    return 0


def _bind_to(sock: socket.socket, place: Address) -> int:
    return _try(lambda: sock.bind(place.for_python()), sock, place)


def _v6_only(sock: socket.socket) -> bool:
    return sock.family == socket.AF_INET6 and bool(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))


def _bound_to(sock: socket.socket) -> Address | None:
    try:
        host, port, *_ = sock.getsockname()
    except OSError:
        return None
    return Address(sock.family, host, port)
