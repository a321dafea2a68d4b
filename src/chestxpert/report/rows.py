"""Plots with one row a thing (a recipe, a finding, a contrast) and one panel a quantity.

Panels stand side by side where there is room, and one above the other on a phone. Most figures of the report are
such plots, so they share their measures and read alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from chestxpert.report.canvas import Anchor, Canvas
from chestxpert.report.scales import Scale, shortened, text_width, tick_step, tick_text

WIDE = 820.0
NARROW = 356.0
_TOP = 34.0
_BOTTOM = 26.0
_GAP = 26.0
_LABELS, _LABELS_AT_LEAST = 0.34, 150.0
"""What labels may take: a share of the width, or some pixels where that is more. Longer ones are shortened."""
_BOLDEST = 1.12
"""By how much a wide bold font outdoes the widths that are reckoned with, where words have to fit."""

Mark = Callable[[Canvas, Scale, int, float], None]
"""Draws one row's content of one panel: canvas, the panel's scale, index of the row, the row's middle in pixels."""


@dataclass(frozen=True)
class Row:
    """One row: its label, an optional note between label and panels, and how it stands out.

    `about` names the recipes or findings that it shows, by which the page's filters find it; without any, its label.
    """

    label: str
    kind: str = ""
    note: str = ""
    strong: bool = False
    heading: bool = False
    about: Sequence[str] = ()

    @property
    def subjects(self) -> Sequence[str]:
        """What a filter knows the row by; nothing for a heading."""
        return () if self.heading else self.about or (self.label,)


@dataclass(frozen=True)
class Panel:
    """One quantity: title, ends of its axis, and what to draw in each row.

    Attributes
    ----------
    reference : float or None
        Value with a dashed line across all rows.
    room : float
        Pixels kept free at the right for words that a row writes beyond the axis.
    weight : float
        Share of the width, relative to the other panels.
    ticks : bool
        Whether the axis has grid lines and numbers.
    sides : tuple of two str, or None
        What lies to the left and to the right of the reference, beneath the title where there is one.
    at : sequence of float
        Where the ticks stand; round values if empty. `tick_words` of a power of ten makes a logarithmic axis.
    lines : sequence of (float, str)
        Further values with a line across all rows, each with the class name of its line.
    """

    title: str
    low: float
    high: float
    mark: Mark
    reference: float | None = None
    room: float = 0.0
    weight: float = 1.0
    ticks: bool = True
    sides: tuple[str, str] | None = None
    tick_words: Callable[[float, float], str] = tick_text
    at: Sequence[float] = ()
    lines: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True)
class Frame:
    """Measures of a plot.

    Attributes
    ----------
    width, row : float
        Width of the drawing and height of a row, in pixels.
    stacked : bool
        Whether panels stand one above the other.
    above : bool
        Whether a row's label stands above its content, so that the content has the whole width.
    """

    width: float
    row: float
    stacked: bool
    above: bool = False

    def middle(self, top: float, index: int, heading: bool = False) -> float:
        """Pixel of the middle of a row's content; `top` is where the first row begins."""
        if self.above and not heading:
            return top + self.row * (index + 1) - 13
        return top + self.row * (index + 0.5) + (6 if self.above else 0)


def draw_rows(rows: Sequence[Row], panels: Sequence[Panel], frame: Frame, note_title: str = "") -> Canvas:
    """Plot of rows by panels.

    Parameters
    ----------
    rows : sequence of Row
        From top to bottom; headings have no content.
    panels : sequence of Panel
    frame : Frame
    note_title : str
        Heading of the column of notes.
    """
    labels, notes = (0.0, 14.0) if frame.above else _columns(rows, note_title, frame)
    block = _TOP + frame.row * len(rows) + _BOTTOM
    blocks = [[panel] for panel in panels] if frame.stacked else [list(panels)]
    canvas = Canvas(frame.width, block * len(blocks) + (len(blocks) - 1) * 10)
    for index, group in enumerate(blocks):
        top = index * (block + 10)
        _draw_bands(canvas, rows, frame, top)
        start = labels + notes
        shares = sum(panel.weight for panel in group)
        room = frame.width - start - _GAP * (len(group) - 1)
        for panel in group:
            width = room * panel.weight / shares
            _draw_panel(canvas, rows, panel, frame, (top, start, start + width))
            start += width + _GAP
        _draw_labels(canvas, rows, frame, top, labels, note_title)
    return canvas


def _size(row: Row) -> float:
    return 13.5 if row.strong else 12


def _fitted(words: str, size: float, most: float) -> str:
    """The words as they are where there is room, else shortened by as much as the widest bold font asks for."""
    return words if text_width(words, size) <= most else shortened(words, _BOLDEST * size, most)


def _columns(rows: Sequence[Row], note_title: str, frame: Frame) -> tuple[float, float]:
    """Right end of the labels, and the width that notes and gap take; a long name may not crowd out what is drawn."""
    most = max(text_width(row.label, _size(row)) for row in rows if not row.heading) + 8
    labels = min(most, max(_LABELS * frame.width, _LABELS_AT_LEAST))
    notes = [text_width(row.note, 11) for row in rows if row.note]
    return labels, (max([*notes, text_width(note_title, 11)]) + 26 if notes else 14.0)


def _draw_bands(canvas: Canvas, rows: Sequence[Row], frame: Frame, top: float) -> None:
    """Tint behind the rows that stand out."""
    for index, row in enumerate(rows):
        if row.strong:
            upper = top + _TOP + frame.row * index
            with canvas.about(*row.subjects):
                canvas.rect(0, upper + 1, frame.width, frame.row - 2, f"band {row.kind}", rx="3")


def _draw_labels(canvas: Canvas, rows: Sequence[Row], frame: Frame, top: float, right: float, note_title: str) -> None:
    notes = _columns(rows, note_title, frame)[1]
    if note_title and not frame.above:
        canvas.text(right + notes - 14, top + 13, note_title, "tick", "end")
    for index, row in enumerate(rows):
        middle = frame.middle(top + _TOP, index, row.heading) + 4
        kind = "label strong" if row.strong else "label"
        if row.heading:
            words = _fitted(row.label, 11.5, frame.width)
            canvas.text(0, middle, words, f"heading {row.kind}" + (" above" if frame.above else ""))
            continue
        with canvas.about(*row.subjects):
            words = _fitted(row.label, _size(row), frame.width if frame.above else right)
            tip = row.label if words != row.label else ""
            if frame.above:
                canvas.text(2, top + _TOP + frame.row * index + 16, words, f"{kind} above", tip=tip)
            else:
                canvas.text(right, middle, words, kind, "end", tip=tip)
                canvas.text(right + notes - 14, middle, row.note, "tick", "end")


def _draw_panel(
    canvas: Canvas, rows: Sequence[Row], panel: Panel, frame: Frame, place: tuple[float, float, float]
) -> None:
    top, left, right = place
    scale = Scale(panel.low, panel.high, left, right - panel.room)
    first, last = top + _TOP, top + _TOP + frame.row * len(rows)
    title = _fitted(panel.title, 12, right - left + _GAP - 6)
    canvas.text(left, top + 13, title, "panel-title", tip=panel.title if title != panel.title else "")
    if panel.ticks:
        _draw_axis(canvas, panel, scale, first, last)
    if panel.reference is not None and panel.low <= panel.reference <= panel.high:
        x = scale(panel.reference)
        canvas.line(x, first - 2, x, last, "reference")
        if panel.sides is not None:
            line = top + (28 if panel.title else 13)
            canvas.text(x - 8, line, f"\N{LEFTWARDS ARROW} {panel.sides[0]}", "tick", "end")
            canvas.text(x + 8, line, f"{panel.sides[1]} \N{RIGHTWARDS ARROW}", "tick")
    for value, kind in panel.lines:
        if panel.low <= value <= panel.high:
            canvas.line(scale(value), first - 2, scale(value), last, kind)
    for index, row in enumerate(rows):
        if not row.heading:
            with canvas.about(*row.subjects):
                panel.mark(canvas, scale, index, frame.middle(first, index))


def _draw_axis(canvas: Canvas, panel: Panel, scale: Scale, first: float, last: float) -> None:
    apart = 34 if panel.tick_words is tick_text else 46
    most = max(3, int((scale.end - scale.start) / apart))
    step = _smallest_step(panel.at) or tick_step(scale.high - scale.low, most)
    for value in panel.at or scale.ticks(most):
        x = scale(value)
        # At the end of the axis words end with it, so that they never run into the next panel.
        anchor: Anchor = "end" if panel.room < 12 and scale.end - x < 8 else "middle"
        canvas.line(x, first - 2, x, last, "grid")
        canvas.text(x, last + 15, panel.tick_words(value, step), "tick", anchor)


def _smallest_step(at: Sequence[float]) -> float:
    """Between ticks that a panel names itself: their labels need the decimals of these, not of the axis; else 0."""
    return min((after - before for before, after in pairwise(at)), default=0.0)


def draw_interval(canvas: Canvas, scale: Scale, ends: tuple[float | None, float | None], y: float, kind: str) -> None:
    """Line of an interval, with an arrow head where it goes on beyond the axis; nothing if it is not defined."""
    low, high = ends
    if low is None or high is None:
        return
    canvas.line(scale(low), y, scale(high), y, f"interval {kind}")
    for end, beyond, turn in ((scale.start, low < scale.low, 1), (scale.end, high > scale.high, -1)):
        if beyond:
            canvas.path([(end + 5 * turn, y - 3.5), (end, y), (end + 5 * turn, y + 3.5)], f"interval open {kind}")


def draw_stack(canvas: Canvas, scale: Scale, parts: Sequence[tuple[str, float, str]], y: float) -> None:
    """Stacked bar from the scale's zero: kind, share and tip of each part; what is too thin to be seen is left out.

    Shares below zero go to the left.
    """
    before = 0.0
    for kind, share, tip in parts:
        left, right = sorted((scale(before), scale(before + share)))
        if right - left >= 0.5:
            canvas.rect(left, y - 6.5, right - left, 13, f"part {kind}", tip=tip)
        before += share
