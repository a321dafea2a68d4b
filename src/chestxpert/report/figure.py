"""What every figure of the report is made of: pictures for two widths, words, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from chestxpert.report.canvas import Canvas
from chestxpert.report.results import Results
from chestxpert.report.rows import NARROW, WIDE, Frame


@dataclass(frozen=True)
class Table:
    """A table of words: `head` over `rows`; the first `words` columns are text, the rest numbers.

    `groups` are the titles above the head, each with how many columns it spans.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    note: str = ""
    groups: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True)
class Key:
    """One entry of a legend: the class names of its swatch, its shape, and what it stands for."""

    kind: str
    shape: str
    words: str


@dataclass(frozen=True)
class Figure:
    """A figure as the page shows it.

    Attributes
    ----------
    anchor : str
        Its id on the page.
    title, caption : str
        The caption says how to read the figure.
    picture : Markup
        Inline SVG elements.
    tables : sequence of Table
        The same numbers, folded beneath.
    keys : sequence of Key
        Its legend; empty where lines and marks are named directly.
    grid : bool
        Whether the pictures are small multiples that the page arranges.
    """

    anchor: str
    title: str
    caption: str
    picture: Markup
    tables: Sequence[Table] = ()
    keys: Sequence[Key] = field(default_factory=tuple)
    grid: bool = False


FLAT_KEY = Key("flat", "circle", "flat")
HIERARCHICAL_KEY = Key("hier", "diamond", "hierarchical")
SIDES = (FLAT_KEY, HIERARCHICAL_KEY)
"""Legend of the two sides: at 0 flat, at 1 hierarchical."""


def side_key(side: str, words: str) -> Key:
    """Legend of one line by its name, from the class names of its colour (`Results.side`)."""
    return Key(side, HIERARCHICAL_KEY.shape if side == HIERARCHICAL_KEY.kind else FLAT_KEY.shape, words)


def side_keys(results: Results) -> list[Key]:
    """Legend of the sides that a study has, and of other tools, each by its own name."""
    trained = [] if not results.recipes else list(SIDES)
    return [*trained, *(side_key(results.side(name), name) for name in results.externals)]


def two_widths(
    draw: Callable[[Frame], Canvas], name: str, row: float = 26, narrow_row: float | None = None, above: bool = False
) -> Markup:
    """The drawing twice: panels side by side for a desk or paper, one above the other for a phone.

    The style sheet shows one of the two; the other is hidden from screen readers as well. `above` puts the labels
    of the narrow drawing above their rows.
    """
    wide = draw(Frame(WIDE, row, stacked=False)).svg(name, "wide")
    narrow = draw(Frame(NARROW, narrow_row or row, stacked=True, above=above)).svg(name, "narrow")
    return wide + narrow
