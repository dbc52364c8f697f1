"""Why a camera does not say which streams it has.

OnvifError
  OnvifUnreachable   no connection, or no answer in time
  NotOnvif           what answers is no ONVIF device, or says what cannot be understood
  LoginNeeded        a login is asked for and none was given
  OnvifLoginRefused  user name or password is wrong, or the user may not

The texts name host and port, never a password.
"""


class OnvifError(Exception):
    """A camera's services cannot be used. The text is a sentence of facts."""


class OnvifUnreachable(OnvifError):
    """No connection, or no answer in time."""


class NotOnvif(OnvifError):
    """No ONVIF device."""


class LoginNeeded(OnvifError):
    """A login is asked for and none was given."""


class OnvifLoginRefused(OnvifError):
    """The login was refused."""
