import pytest

from benchmarks.comparison import (
    Claim,
    Measurement,
    Target,
    Verdict,
    compare_pairs,
    format_spread,
    format_table,
    measure_in_turn,
)
from benchmarks.trace import STEPS, format_steps


def verdict(measurement: Measurement, target: Target = Target(1.15)) -> Verdict:  # noqa: B008 - immutable
    return Claim("a page", "a script", target, lambda: measurement).run()


class TestTarget:
    @pytest.mark.parametrize(
        ("target", "reached", "missed", "text"),
        [
            (Target(1.15), 1.15, 1.16, "≤ 1.15"),
            (Target(100, "<", " ms"), 99.9, 100, "< 100 ms"),
            (Target(20, "≥"), 20, 19.9, "≥ 20"),
            (Target(1, "="), 1, 2, "= 1"),
        ],
    )
    def test_is_reached_at_its_bound(
        self, target: Target, reached: float, missed: float, text: str
    ) -> None:
        assert target.is_reached(reached)
        assert not target.is_reached(missed)
        assert str(target) == text


class TestMeasureInTurn:
    def test_calls_both_in_turn_and_divides_pair_by_pair(self) -> None:
        calls: list[str] = []
        seconds = iter([2.0, 1.0, 9.0, 3.0])

        def measure(name: str) -> float:
            calls.append(name)
            return next(seconds)

        measured = measure_in_turn(lambda: measure("a"), lambda: measure("b"), pairs=2)

        assert calls == ["a", "b", "a", "b"]
        assert measured.values == [2.0, 3.0]
        assert measured.details == "5.5 s to 2 s"


class TestComparePairs:
    def test_names_the_medians_with_their_unit(self) -> None:
        assert compare_pairs([(800.4, 1000)], unit="/s").details == "800/s to 1000/s"


class TestFormatSpread:
    def test_has_the_median_and_the_range(self) -> None:
        assert format_spread([3, 1.234, 2.5], " ms") == "2.5 ms (1.23 to 3)"

    def test_has_no_range_of_one_value(self) -> None:
        assert format_spread([0.123456]) == "0.123"


class TestVerdict:
    def test_holds_if_the_median_reaches_the_target(self) -> None:
        assert verdict(Measurement([0.9, 1.1, 5.0])).holds
        assert not verdict(Measurement([0.9, 1.2, 1.3])).holds

    def test_does_not_hold_with_a_fault(self) -> None:
        faulty = verdict(Measurement([1.0], faults=["zombie 12"]))

        assert not faulty.holds
        assert faulty.measured == "1; zombie 12"

    def test_does_not_hold_if_it_cannot_be_measured(self) -> None:
        def fail() -> Measurement:
            message = "no worker"
            raise RuntimeError(message)

        failed = Claim("a page", "a script", Target(1.15), fail).run()

        assert not failed.holds
        assert failed.measured == "not measured: RuntimeError: no worker"


class TestFormatTable:
    def test_is_markdown_with_a_row_for_each_claim(self) -> None:
        good, bad = verdict(Measurement([1.0], "1 s to 1 s")), verdict(Measurement([2.0]))

        lines = format_table([("good", good), ("bad", bad)]).splitlines()

        assert lines[0] == "| command | claim | compared with | measured | target | holds |"
        assert lines[2] == "| `good` | a page | a script | 1; 1 s to 1 s | ≤ 1.15 | yes |"
        assert lines[3].endswith("| 2 | ≤ 1.15 | **no** |")


class TestFormatSteps:
    def test_has_a_bar_for_each_step_and_the_sum(self) -> None:
        lines = format_steps([0.0] * (len(STEPS) - 2) + [0.3, 0.1]).splitlines()

        assert len(lines) == len(STEPS) + 1
        assert lines[-3].count("█") == 3 * lines[-2].count("█") + 1
        assert lines[-1].split()[-2:] == ["400", "ms"]
