"""The shortcut floor in figures: what the table of patients alone reaches, drawn alike wherever it has a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chestxpert.report.canvas import Canvas
from chestxpert.report.figure import Key
from chestxpert.report.results import Results
from chestxpert.report.scales import Scale
from chestxpert.report.stored_values import Estimate

NAME = "shortcut floor"
"""What the floor is called in legends and tables."""

KEY = Key("floor", "bar", f"{NAME}, without an image")
CURVE_KEY = Key("floor", "line", KEY.words)

WORDS = " Dotted: the shortcut floor, which is what the table of patients alone reaches, without an image."
"""For the end of a caption."""


def floor_keys(*values: float | None) -> list[Key]:
    """The legend's entry, if any of a figure's floors is known."""
    return [KEY] if any(value is not None for value in values) else []


def floor_words(*values: float | None) -> str:
    """The sentence of the caption, if any of a figure's floors is known; else empty."""
    return WORDS if floor_keys(*values) else ""


def floor_lines(value: float | None) -> list[tuple[float, str]]:
    """The line across all rows of a panel."""
    return [] if value is None else [(value, "floor")]


def draw_floor(canvas: Canvas, scale: Scale, value: float | None, y: float, reach: float = 12) -> None:
    """The line across one row."""
    if value is not None:
        canvas.line(scale(value), y - reach, scale(value), y + reach, "floor")


def stored_floor(results: Results) -> Mapping[str, Any]:
    """What the comparison says of the floor; empty where there is none."""
    found = results.comparison.get("floor")
    return found if isinstance(found, Mapping) else {}


def floor_mean(results: Results, findings: Sequence[str], metric: str) -> float | None:
    """Mean of the floor's metric over some findings, those left out of which it is not defined."""
    values = [value for finding in findings if (value := results.floor(metric, finding)) is not None]
    return sum(values) / len(values) if values else None


def floor_at(results: Results, *keys: str) -> Estimate:
    """The floor's estimate under some keys of what is stored, such as ``levels``, ``means``, ``1``, ``ap``."""
    found: object = stored_floor(results)
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return Estimate.of(found)
