"""A small drawing surface that becomes an inline SVG.

Shapes carry class names and no colours: the page's style sheet colours them, so one drawing serves light, dark
and paper. Nothing carries an id, so any number of drawings can stand on one page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from markupsafe import Markup, escape

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]

BETWEEN = "|"
"""Between the names that a part of a drawing is about."""


def number(value: float) -> str:
    """Coordinate with at most one decimal and no trailing zero: small files, same bytes every time."""
    text = f"{value:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text


SPOKEN = 800
"""Letters that a screen reader is given of a drawing at most."""


def spoken(name: str) -> str:
    """What a screen reader says of a drawing: as many parts as bear listening to; the table beside it has all."""
    if len(name) <= SPOKEN:
        return name
    parts = name.split("; ")
    while len(parts) > 1 and len("; ".join(parts)) > SPOKEN:
        parts.pop()
    return f"{'; '.join(parts)}; and more, in the table of its numbers."


class Canvas:
    """Shapes in the order they are drawn, in pixels from the top left corner.

    Parameters
    ----------
    width, height : float
        Size of the drawing; the page scales it down where there is less room.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self._shapes: list[str] = []  # each safe: whatever is said in one is escaped

    @contextmanager
    def about(self, *names: str) -> Iterator[None]:
        """Everything drawn inside belongs to these recipes or findings, so that a filter of the page finds it."""
        if not names:
            yield
            return
        self._shapes.append(f'<g data-about="{escape(BETWEEN.join(names))}">')
        before = len(self._shapes)
        yield
        if len(self._shapes) > before:
            self._shapes.append("</g>")
        else:
            self._shapes.pop()

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """Straight line between two points."""
        self._add("line", kind, {"x1": x1, "y1": y1, "x2": x2, "y2": y2})

    def rect(self, x: float, y: float, width: float, height: float, kind: str, *, tip: str = "", **more: str) -> None:
        """Rectangle; `tip` shows when the pointer rests on it, `more` holds further attributes."""
        box = {"x": x, "y": y, "width": max(width, 0.0), "height": max(height, 0.0)}
        self._add("rect", kind, box, tip=tip, more=more)

    def circle(self, x: float, y: float, radius: float, kind: str, *, tip: str = "") -> None:
        """Circle around a point."""
        self._add("circle", kind, {"cx": x, "cy": y, "r": radius}, tip=tip)

    def marker(self, x: float, y: float, hierarchical: bool, kind: str, *, size: float = 4.5, tip: str = "") -> None:
        """Mark of an estimate: a circle for a flat recipe, a diamond for a hierarchical one."""
        if not hierarchical:
            self.circle(x, y, size, kind, tip=tip)
            return
        reach = size * 1.3
        corners = [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)]
        self.path(corners, kind, closed=True, tip=tip)

    def path(self, points: Sequence[Point], kind: str, *, closed: bool = False, tip: str = "") -> None:
        """Line through points, or the area within them."""
        if not points:
            return
        data = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) + ("Z" if closed else "")
        self._add("path", kind, {}, tip=tip, more={"d": data})

    def text(
        self,
        x: float,
        y: float,
        words: str,
        kind: str = "label",
        anchor: Anchor = "start",
        *,
        turn: int = 0,
        tip: str = "",
    ) -> None:
        """Words whose baseline starts, is centred or ends at a point; `turn` degrees clockwise around it.

        `tip` is what shortened words are in full; it shows when the pointer rests on them.
        """
        if not words:
            return
        place = f'x="{number(x)}" y="{number(y)}" class="{escape(kind)}"'
        if anchor != "start":
            place += f' text-anchor="{anchor}"'
        if turn:
            place += f' transform="rotate({turn} {number(x)} {number(y)})"'
        title = f"<title>{escape(tip)}</title>" if tip else ""
        self._shapes.append(f"<text {place}>{title}{escape(words)}</text>")

    def svg(self, name: str, kind: str = "", about: Sequence[str] = ()) -> Markup:
        """The drawing as one SVG element; `name` is what a screen reader says of it, `about` whom all of it shows."""
        subject = Markup(' data-about="{}"').format(BETWEEN.join(about)) if about else Markup("")
        head = Markup(
            '<svg class="{}" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}"{}>'
        ).format(kind, spoken(name), *(number(value) for value in (self.width, self.height) * 2), subject)
        return head + Markup("".join(self._shapes)) + Markup("</svg>")

    def _add(
        self,
        element: str,
        kind: str,
        places: dict[str, float],
        *,
        tip: str = "",
        more: dict[str, str] | None = None,
    ) -> None:
        inside = f'class="{escape(kind)}"'
        inside += "".join(f' {key}="{number(value)}"' for key, value in places.items())
        inside += "".join(f' {key.replace("_", "-")}="{escape(value)}"' for key, value in (more or {}).items())
        title = f"<title>{escape(tip)}</title>" if tip else ""
        self._shapes.append(f"<{element} {inside}>{title}</{element}>")
