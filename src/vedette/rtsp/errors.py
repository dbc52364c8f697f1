"""Why a camera's stream cannot be had.

RtspError                 something that was received, or given, cannot be understood
  AddressError            the URL is not one of an RTSP stream
ProbeError                a stream cannot be played; one class for each cause
  NameNotFound            the host's name is unknown
  Unreachable             no answer, or no way there
  PortRefused             the host refuses the port
  ConnectionClosed        the host closed the connection without an answer
  NotRtsp                 what answers does not speak RTSP
  TlsFailed               no TLS connection, or a certificate that is not trusted
  PasswordNeeded          login is asked for and none was given
  LoginRefused            user name or password is wrong, or the user may not see the stream
  StreamNotFound          404
  Busy                    453, 503
  AnswerRefused           any other answer than 200
  TransportRefused        461: not over TCP, or not over UDP
  NoVideo                 the stream has no video

The texts name host, port, path and answer code, and the user; never a password.
"""


class RtspError(Exception):
    """Bytes or text that are not RTSP."""


class AddressError(RtspError):
    """A URL that is not the address of an RTSP stream."""


class ProbeError(Exception):
    """A stream cannot be played. The text is a sentence of facts; ``code`` is the server's answer, if there was one."""

    def __init__(self, detail: str, *, code: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class NameNotFound(ProbeError):
    """The host's name is unknown."""


class Unreachable(ProbeError):
    """No answer in time, or no route."""


class PortRefused(ProbeError):
    """The host refuses connections to the port."""


class ConnectionClosed(ProbeError):
    """The host closed the connection before it answered."""


class NotRtsp(ProbeError):
    """Something answers that is not RTSP."""


class TlsFailed(ProbeError):
    """TLS could not be set up, or the certificate is not trusted."""


class PasswordNeeded(ProbeError):
    """The server wants a login and none was given."""


class LoginRefused(ProbeError):
    """The server refused the login that was given."""


class StreamNotFound(ProbeError):
    """There is no stream at this path."""


class Busy(ProbeError):
    """The server has no room for one more viewer."""


class AnswerRefused(ProbeError):
    """The server answered with an error that has no class of its own."""


class TransportRefused(ProbeError):
    """The server does not send over this transport."""


class NoVideo(ProbeError):
    """The stream exists and has no video in it."""
