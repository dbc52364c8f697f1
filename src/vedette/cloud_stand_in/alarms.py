"""CloudWatch's rule for alarms, with missing data: no emulator has it. Pure.

An alarm looks at more periods than it is made of. Where enough of them have values, the newest count and what is
missing between them does not; only what is then still wanting is filled in as ``TreatMissingData`` says. A device that
falls silent is therefore told of some periods after the alarm's own. Source: "Configuring how CloudWatch alarms treat
missing data" in the CloudWatch user guide, whose example looks at five periods for an alarm of three; how many more
they are is not documented otherwise.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

State = Literal["OK", "ALARM"]
MORE_PERIODS: Final = 2
"""Periods that are looked at beyond the alarm's own."""
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
}
_MISSING: Final[Mapping[str, bool]] = {"breaching": True, "notBreaching": False}


@dataclass(frozen=True)
class AlarmRule:
    """When an alarm on one metric fires."""

    threshold: float
    comparison: str
    """CloudWatch's ``ComparisonOperator``."""
    periods: int
    datapoints: int
    """How many of the periods have to be wrong."""
    missing: str
    """``TreatMissingData``: breaching or notBreaching."""

    @classmethod
    def of(cls, alarm: Mapping[str, Any]) -> "AlarmRule":
        """Return the rule of an alarm as PutMetricAlarm takes and DescribeAlarms gives it.

        :raises ValueError: for a comparison or a treatment of missing data that is not played here
        """
        periods = int(alarm["EvaluationPeriods"])
        rule = cls(
            float(alarm["Threshold"]),
            str(alarm["ComparisonOperator"]),
            periods,
            int(alarm.get("DatapointsToAlarm") or periods),
            str(alarm.get("TreatMissingData") or "missing"),
        )
        if rule.comparison not in _COMPARE or rule.missing not in _MISSING:
            raise ValueError(f"an alarm with {rule.comparison} and TreatMissingData {rule.missing} is not played here")
        return rule

    @property
    def looks_at(self) -> int:
        """How many periods are looked at."""
        return self.periods + MORE_PERIODS

    def state(self, values: Sequence[float | None]) -> State:
        """Return the alarm's state.

        :param values: of the periods that are looked at, the oldest first; None: nothing came in it
        """
        wrong = [_COMPARE[self.comparison](value, self.threshold) for value in values if value is not None]
        wrong = wrong[-self.periods :]
        wrong += [_MISSING[self.missing]] * (self.periods - len(wrong))
        return "ALARM" if sum(wrong) >= self.datapoints else "OK"
