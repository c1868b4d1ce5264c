"""What was measured, against what it must be and should be."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Result:
    """
    One line of the table: *values*, one per round, whose median counts.

    *must* and *aim* are upper bounds, lower ones where *more_is_better*; without a *must* the
    figure is reported alone.
    """

    what: str
    values: Sequence[float]
    must: float | None
    aim: float
    unit: str = "×"
    more_is_better: bool = False
    detail: str = ""
    digits: int = 0

    @property
    def verdict(self) -> str:
        """Return which bound the median keeps: `aim`, `must`, or `missed`."""
        if self._keeps(self.aim):
            return "aim"
        if self.must is None:
            return "reported"
        return "must" if self._keeps(self.must) else "missed"

    def _keeps(self, bound: float) -> bool:
        value = median(self.values)
        return value >= bound if self.more_is_better else value <= bound

    def cells(self) -> list[str]:
        """Return the table's cells: what, median, spread, must, aim, verdict, detail."""
        sign = "≥" if self.more_is_better else "≤"
        return [
            self.what,
            self._text(median(self.values)),
            f"{self._text(min(self.values))} … {self._text(max(self.values))}",
            "" if self.must is None else f"{sign} {self._text(self.must)}",
            f"{sign} {self._text(self.aim)}",
            self.verdict,
            self.detail,
        ]

    def _text(self, value: float) -> str:
        return f"{value:.2f} ×" if self.unit == "×" else f"{value:.{self.digits}f} {self.unit}"


def compared(
    what: str,
    pairs: Sequence[tuple[float, float]],
    must: float,
    aim: float,
    *,
    names: tuple[str, str] = ("service", "floor"),
    unit: str,
    more_is_better: bool = False,
) -> Result:
    """Return the line of a comparison: *pairs* of what was measured in turns, in *unit*."""
    left, right = (median(column) for column in zip(*pairs, strict=True))
    digits = {"s": 2, "ms": 1}.get(unit, 0)
    return Result(
        what,
        [one / other for one, other in pairs],
        must,
        aim,
        more_is_better=more_is_better,
        detail=f"{names[0]} {left:.{digits}f}, {names[1]} {right:.{digits}f} {unit}",
    )


HEADER = ["what", "median", "spread", "must", "aim", "kept", "in figures"]


def table(results: Sequence[Result]) -> str:
    """Return *results* as a table in Markdown."""
    rows = [HEADER, ["---"] * len(HEADER), *(result.cells() for result in results)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
