"""Checks of the machine that Vedette runs on: what is there, what is missing, and the command that mends it.

Nothing here is shown: the command line does that from the list of :class:`Check`.
"""

from vedette.doctor.check import Check, State, checks_to_json
from vedette.doctor.examination import run_checks
from vedette.doctor.probes import Probes

__all__ = ["Check", "Probes", "State", "checks_to_json", "run_checks"]
