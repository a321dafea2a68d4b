"""Prevalence shift between training and test: dots with intervals, as a difference and as a ratio."""

from __future__ import annotations

import math
from collections.abc import Mapping

from chestxpert.report.canvas import Canvas
from chestxpert.report.dataset.shift import ENDLESS, Shift
from chestxpert.report.figure import Figure, Key, Table, two_widths
from chestxpert.report.results import finding_name
from chestxpert.report.rows import Frame, Mark, Panel, Row, draw_interval, draw_rows
from chestxpert.report.scales import UNDEFINED, Scale, decimal, domain, percent, signed

_TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_FEW_TICKS = (0.1, 1.0, 10.0)


def shift_figure(shifts: Mapping[str, Shift], draws: int) -> Figure:
    """A row a label: test minus training and validation in percentage points, and test over them.

    Parameters
    ----------
    shifts : mapping of label to Shift
        In the order shown; not empty.
    draws : int
        How many draws the intervals rest on.
    """
    labels = list(shifts)
    points = [100 * value for shift in shifts.values() for value in shift.difference]
    panels = [
        Panel(
            "Difference, percentage points", *domain([0.0, *points]),
            _marks(labels, shifts, "difference"), reference=0.0, tick_words=lambda value, _: signed(value, 0),
        ),
        _ratio_panel(labels, shifts),
    ]  # fmt: skip

    def draw(frame: Frame) -> Canvas:
        # A phone has no room for the shares beside the names; the table has them.
        notes = ["" if frame.stacked else _before_and_after(shift) for shift in shifts.values()]
        rows = [Row(finding_name(label), note=note) for label, note in zip(labels, notes, strict=True)]
        return draw_rows(rows, panels, frame, "" if frame.stacked else "train and val \N{RIGHTWARDS ARROW} test")

    clear = [finding_name(label) for label, shift in shifts.items() if shift.clear]
    spoken = "; ".join(f"{finding_name(f)} {_share(s.before)} to {_share(s.after)}" for f, s in shifts.items())
    return Figure(
        anchor="fig-shift",
        title="Prevalence shift from training to test",
        caption=(
            "Share of the images that carry each label: test against training and validation together. Lines are "
            f"95 % intervals from {draws} bootstrap draws over patients. Filled: the interval of the difference "
            f"leaves zero out ({len(clear)} of {len(shifts)} labels). Intervals are each by itself: of twenty labels "
            "without a shift, one would be filled by chance. Where they differ, thresholds chosen on validation and "
            "scores that depend on prevalence, such as average precision, do not carry over to test as they are."
        ),
        picture=two_widths(draw, f"Share outside of test and in test: {spoken}.", 24),
        tables=[_table(shifts)],
        keys=[Key("clear", "square", "shift shown"), Key("unclear", "square", "no shift shown")],
    )  # fmt: skip


def _ratio_panel(labels: list[str], shifts: Mapping[str, Shift]) -> Panel:
    """Panel of ratios on a logarithmic axis that shows factors up to fifty; what lies beyond gets an arrow."""
    logs = [_log(value) for shift in shifts.values() for value in shift.ratio if value == value]
    low, high = max(min([*logs, -0.3]) - 0.05, -1.75), min(max([*logs, 0.3]) + 0.05, 1.75)
    ticks = [
        math.log10(tick) for tick in (_TICKS if high - low < 1.5 else _FEW_TICKS) if low <= math.log10(tick) <= high
    ]
    return Panel(
        "Ratio, test over the rest", low, high, _marks(labels, shifts, "ratio"), reference=0.0, room=12,
        tick_words=lambda value, _: f"{10**value:g}", at=ticks,
    )  # fmt: skip


def _log(value: float) -> float:
    return math.log10(min(max(value, 1 / ENDLESS), ENDLESS))


def _marks(labels: list[str], shifts: Mapping[str, Shift], what: str) -> Mark:
    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        shift = shifts[labels[index]]
        values = shift.difference if what == "difference" else shift.ratio
        if values[0] != values[0]:
            canvas.text(scale(0.0) + 6, y + 4, UNDEFINED, "tick")
            return
        value, low, high = (_log(v) if what == "ratio" else 100 * v for v in values)
        state = "clear" if shift.clear else "unclear"
        draw_interval(canvas, scale, (low, high), y, state)
        words = _points(shift) if what == "difference" else _times(shift)
        tip = f"{finding_name(labels[index])}: {words}"
        canvas.rect(scale(value) - 4, y - 4, 8, 8, f"square {state}", tip=tip)

    return mark


def _before_and_after(shift: Shift) -> str:
    return f"{_share(shift.before)} \N{RIGHTWARDS ARROW} {_share(shift.after)}"


def _share(value: float) -> str:
    return percent(value, 2 if value < 0.01 else 1)


def _points(shift: Shift) -> str:
    value, low, high = (signed(100 * v, 2) for v in shift.difference)
    return UNDEFINED if value == UNDEFINED else f"{value} [{low}, {high}]"


def _times(shift: Shift) -> str:
    value, low, high = ("no end" if v >= ENDLESS else decimal(v, 2) for v in shift.ratio)
    return UNDEFINED if value == UNDEFINED else f"{value} [{low}, {high}]"


def _table(shifts: Mapping[str, Shift]) -> Table:
    rows = [
        [
            finding_name(label), percent(shift.before, 2), percent(shift.after, 2), _points(shift), _times(shift),
            "shift" if shift.clear else "no shift shown",
        ]
        for label, shift in shifts.items()
    ]  # fmt: skip
    head = ["finding", "train and val", "test", "difference, points [95 %]", "ratio [95 %]", "shown"]
    return Table(head, rows, note="Prevalence outside of test and in test")
