"""How every claim is measured: A and B in turn in one run, the median of their ratios, a target."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

#: Pairs of runs that take under 5 s each.
PAIRS = 12
#: Pairs of longer ones.
FEW_PAIRS = 3
#: The most of an error's text that the table shows.
_MAX_CAUSE = 200


@dataclass(frozen=True)
class Target:
    """What the median of the measured values has to reach."""

    limit: float
    bound: Literal["≤", "<", "≥", "="] = "≤"
    unit: str = ""

    def is_reached(self, value: float) -> bool:
        """Return whether a value reaches it."""
        compare = {"≤": operator.le, "<": operator.lt, "≥": operator.ge, "=": operator.eq}
        return bool(compare[self.bound](value, self.limit))

    def __str__(self) -> str:
        """Return such as `≤ 1.15`."""
        return f"{self.bound} {self.limit:g}{self.unit}"


@dataclass(frozen=True)
class Measurement:
    """What a claim's run has measured."""

    #: One value for each pair of runs: the ratio of A to B; or A itself, if B is a fixed value.
    #: None if it could not be measured.
    values: Sequence[float]
    #: What else the table says about it, such as the medians of A and B.
    details: str = ""
    #: What a run may not show; one is enough for the claim not to hold.
    faults: Sequence[str] = ()


@dataclass(frozen=True)
class Claim:
    """A claim, what it is compared with in the same run, its target, and its command's function."""

    text: str
    compared_with: str
    target: Target
    measure: Callable[[], Measurement]

    def run(self) -> "Verdict":
        """Measure it; an error is a fault, so that it does not cost the other claims' results."""
        try:
            measurement = self.measure()
        except Exception as error:  # noqa: BLE001 - of whatever kind
            cause = " ".join(str(error).split())[:_MAX_CAUSE]
            measurement = Measurement([], faults=[f"not measured: {type(error).__name__}: {cause}"])
        return Verdict(self, measurement)


@dataclass(frozen=True)
class Verdict:
    """A measured claim."""

    claim: Claim
    measurement: Measurement

    @property
    def holds(self) -> bool:
        """Whether the median reaches the target, and the run has shown no fault."""
        values = self.measurement.values
        reached = bool(values) and self.claim.target.is_reached(median(values))
        return reached and not self.measurement.faults

    @property
    def measured(self) -> str:
        """The median with its spread, and the details."""
        values = self.measurement.values
        spread = format_spread(values, self.claim.target.unit) if values else ""
        return "; ".join(filter(None, [spread, self.measurement.details, *self.measurement.faults]))


def measure_in_turn(
    a: Callable[[], float], b: Callable[[], float], *, pairs: int, unit: str = " s"
) -> Measurement:
    """Call both in turn (A B A B …); return the ratio of A to B for each pair.

    Args:
        a: Returns what is claimed, such as seconds or a rate.
        b: Returns the same of what it is compared with.
        pairs: How often each is called.
        unit: That of both.
    """
    measured = [(a(), b()) for _ in range(pairs)]
    return compare_pairs(measured, unit=unit)


def compare_pairs(pairs: Sequence[tuple[float, float]], *, unit: str = " s") -> Measurement:
    """Return the ratio of each pair, with the medians of both sides."""
    a, b = (median(values) for values in zip(*pairs, strict=True))
    details = f"{_format(a)}{unit} to {_format(b)}{unit}"
    return Measurement([first / second for first, second in pairs], details)


def format_spread(values: Sequence[float], unit: str = "") -> str:
    """Return the median of values, and their range if there are several."""
    text = f"{_format(median(values))}{unit}"
    if len(values) > 1:
        text += f" ({_format(min(values))} to {_format(max(values))})"
    return text


def format_table(verdicts: Sequence[tuple[str, Verdict]]) -> str:
    """Return the table in Markdown.

    Args:
        verdicts: The claims by the names of their commands.
    """
    heads = ("command", "claim", "compared with", "measured", "target", "holds")
    rows = [heads, ("---",) * len(heads)]
    rows += [
        (
            f"`{name}`",
            verdict.claim.text,
            verdict.claim.compared_with,
            verdict.measured,
            str(verdict.claim.target),
            "yes" if verdict.holds else "**no**",
        )
        for name, verdict in verdicts
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _format(value: float) -> str:
    """Return a value with three digits, or as a whole number."""
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
