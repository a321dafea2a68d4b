"""The figure of the pointing game: every finding, its maps, and what pointing without looking scores."""

from __future__ import annotations

from chestxpert.evaluation.localization.measure import BASELINES, CENTRE, CHANCE, USUAL
from chestxpert.report.canvas import Canvas
from chestxpert.report.figure import Figure, Key, Table, two_widths
from chestxpert.report.localization.stored import KINDS, Stored, words
from chestxpert.report.rows import Panel, Row, draw_interval, draw_rows
from chestxpert.report.scales import UNDEFINED, Scale, decimal

_TITLES = {"pointing": "Pointing game", "energy": "Mass in the boxes"}
_APART = 12


def pointing_figure(stored: Stored) -> Figure:
    """Share of maxima inside a box, and of the maps' mass, with the baselines."""
    names = stored.names
    rows = [Row(row.label, note=str(row.cases or ""), strong=row.cases is None) for row in stored.rows]
    panels = [_panel(stored, measure) for measure in _TITLES]
    spoken = "; ".join(f"{name} {words(stored.result['macro'][name]['pointing'])}" for name in [*names, *BASELINES])
    keys = [Key(kind, "circle", name) for name, kind in zip(names, KINDS, strict=False)]
    keys += [Key("plain", "bar", USUAL), Key("muted", "ring", "centre of the image"), Key("floor", "bar", CHANCE)]
    tolerance = stored.result["settings"]["tolerance"]
    return Figure(
        anchor="fig-pointing",
        title="Does the map point at the finding?",
        caption=(
            "Left: the share of maps whose maximum lies in a box"
            + (f", or within {tolerance:g} of 1024 pixels of one" if tolerance else "")
            + ". Right: the share of a map's positive values that lies in the boxes. Lines are 95 % intervals over "
            "patients. The upright line is the usual place of the finding, which is the mean of other patients' boxes "
            "and looks at no image; the dotted one is a random point, the ring the centre of the image. A map that "
            "does not pass the usual place has shown nothing that the finding's name does not tell. Numbers beside the "
            f"names are findings on images; one of fewer than {stored.result['settings']['enough']} patients has no "
            "interval and no part in the mean."
        ),
        picture=two_widths(
            lambda frame: draw_rows(rows, panels, frame), f"Pointing game, mean over findings: {spoken}", _height(names)
        ),
        tables=[_table(stored, measure) for measure in _TITLES],
        keys=keys,
    )


def _height(names: list[str]) -> float:
    return 22 + _APART * len(names)


def _panel(stored: Stored, measure: str) -> Panel:
    """One measure: a mark for each folder of maps, one below the other, and the baselines across them."""
    reach, rows = _height(stored.names) / 2 - 4, stored.rows

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        label, lines = rows[index].label, rows[index].lines
        for name, kind in ((CHANCE, "floor"), (USUAL, "guess")):
            value = lines[name][measure]["mean"]
            if value is not None:
                canvas.line(scale(value), y - reach, scale(value), y + reach, kind)
        centre = lines[CENTRE][measure]["mean"]
        if centre is not None:
            canvas.circle(scale(centre), y + reach - 3, 3, "ring muted", tip=f"{label}, centre: {decimal(centre)}")
        for place, name in enumerate(stored.names):
            middle = y + (place - (len(stored.names) - 1) / 2) * _APART
            entry = lines[name][measure]
            if entry["mean"] is None:
                canvas.text(scale.start, middle + 4, UNDEFINED, "tick")
                continue
            draw_interval(canvas, scale, (entry["low"], entry["high"]), middle, KINDS[place])
            tip = f"{label}, {name}: {words(entry)}"
            canvas.marker(scale(entry["mean"]), middle, False, f"dot {KINDS[place]}", tip=tip)

    return Panel(_TITLES[measure], 0.0, 1.0, mark)


def _table(stored: Stored, measure: str) -> Table:
    lines = [*stored.names, *BASELINES]
    rows = [[row.label, *(words(row.lines[name][measure]) for name in lines)] for row in stored.rows]
    return Table(["finding", *lines], rows, note=_TITLES[measure])
