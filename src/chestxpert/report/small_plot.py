"""One plot among small multiples: a square frame with ends of its axes written beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from chestxpert.report.canvas import Canvas, Point
from chestxpert.report.scales import Scale, shortened, text_width

WIDTH = 164.0
_LEFT, _RIGHT, _TOP = 20.0, 4.0, 36.0
SIDE = WIDTH - _LEFT - _RIGHT
HEIGHT = _TOP + SIDE + 18.0


class UnitPlot:
    """A plot whose axes both run from 0 to 1, or to another end.

    Parameters
    ----------
    title, note : str
        Bold above the frame, and beside it in grey.
    across, up : str
        What the axes show.
    x, y : tuple of (float, float)
        What the axes run from and to.
    ends : tuple of (str, str)
        Words at the ends of the axis across.
    top : str
        Words at the upper end of the other.
    """

    def __init__(
        self,
        title: str,
        note: str,
        across: str,
        up: str,
        *,
        x: tuple[float, float] = (0.0, 1.0),
        y: tuple[float, float] = (0.0, 1.0),
        ends: tuple[str, str] = ("0", "1"),
        top: str = "1",
    ) -> None:
        self.about = (title,)
        self.canvas = Canvas(WIDTH, HEIGHT)
        self.x = Scale(*x, _LEFT, _LEFT + SIDE)
        self.y = Scale(*y, _TOP + SIDE, _TOP)
        self._ends, self._top = ends, top
        start = _LEFT if text_width(title, 12.5) <= SIDE else 0.0
        self.canvas.text(start, 12, shortened(title, 12.5, WIDTH), "panel-title")
        self.canvas.text(start, 27, note, "tick")
        self._frame(across, up)

    def _frame(self, across: str, up: str) -> None:
        canvas, bottom, right = self.canvas, _TOP + SIDE, _LEFT + SIDE
        canvas.rect(_LEFT, _TOP, SIDE, SIDE, "frame")
        canvas.line(_LEFT + SIDE / 2, _TOP, _LEFT + SIDE / 2, bottom, "grid")
        canvas.line(_LEFT, _TOP + SIDE / 2, right, _TOP + SIDE / 2, "grid")
        canvas.text(_LEFT, bottom + 13, self._ends[0], "tick", "middle" if len(self._ends[0]) < 3 else "start")
        canvas.text(right, bottom + 13, self._ends[1], "tick", "end")
        canvas.text(_LEFT + SIDE / 2, bottom + 13, across, "tick", "middle")
        if len(self._top) == 1:
            canvas.text(_LEFT - 5, _TOP + 9, self._top, "tick", "end")
        else:
            canvas.text(_LEFT + 3, _TOP + 10, self._top, "tick")
        canvas.text(_LEFT - 7, _TOP + SIDE / 2, up, "tick", "middle", turn=-90)

    def curve(self, points: npt.ArrayLike, kind: str) -> None:
        """Line through (n, 2) points given in data."""
        across, up = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
        self.canvas.path(_thinned(np.column_stack([self.x.each(across), self.y.each(up)])), f"curve {kind}")

    def words(self, x: float, y: float, text: str, kind: str) -> None:
        """Words that end at a place given as shares of the frame from its lower left corner."""
        self.canvas.text(_LEFT + x * SIDE, _TOP + (1 - y) * SIDE, text, f"inset {kind}", "end")

    def svg(self, name: str) -> Markup:
        """The drawing with its accessible name."""
        return self.canvas.svg(name, "small", self.about)


def _thinned(points: npt.ArrayLike) -> list[Point]:
    """(n, 2) points moved to half pixels, without repeats and points on a straight run: nothing visible is lost."""
    kept: list[Point] = []
    halves = np.round(2 * np.asarray(points, dtype=np.float64)) / 2
    moved = np.append(True, (np.diff(halves, axis=0) != 0).any(axis=1))[: len(halves)]
    for x, y in halves[moved].tolist():
        point = (x, y)
        if len(kept) > 1 and _straight(kept[-2], kept[-1], point):
            kept[-1] = point
            continue
        kept.append(point)
    return kept


def _straight(a: Point, b: Point, c: Point) -> bool:
    """Whether `b` lies between `a` and `c` on a level or upright run that goes on in one direction."""
    level = a[1] == b[1] == c[1] and (b[0] - a[0]) * (c[0] - b[0]) >= 0
    upright = a[0] == b[0] == c[0] and (b[1] - a[1]) * (c[1] - b[1]) >= 0
    return level or upright
