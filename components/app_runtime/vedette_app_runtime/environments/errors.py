"""Errors of preparing an environment.

``EnvironmentFailed``
├── ``RequirementsInvalid``   a requirements file or a line of it cannot be used
├── ``InterpreterMissing``    no Python of that name runs here
├── ``PackagesUnreachable``   no network, and neither the cache nor bundled wheels hold what is needed
├── ``ContainerUnusable``     the application's container asset cannot be unpacked or does not run
└── ``NoWorkingResolution``   every strategy was tried and none gave an environment whose imports work
"""


class EnvironmentFailed(Exception):
    """Base of everything that preparing an environment raises."""


class RequirementsInvalid(EnvironmentFailed):
    """A requirements file or a line of it cannot be used."""


class InterpreterMissing(EnvironmentFailed):
    """No Python of that name runs here."""


class PackagesUnreachable(EnvironmentFailed):
    """No network, and neither the cache nor bundled wheels hold what is needed."""


class ContainerUnusable(EnvironmentFailed):
    """The application's container asset cannot be unpacked or does not run."""


class NoWorkingResolution(EnvironmentFailed):
    """Every strategy was tried and none gave an environment whose imports work."""
