"""A figure of the page as a drawing of its own: its pictures and its legend in one SVG that needs no page.

It is the very same drawing: the shapes are those of the page, and the style sheet of the page says how they look.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from chestxpert.report.canvas import number
from chestxpert.report.figure import Figure, Key
from chestxpert.report.files.style import Style
from chestxpert.report.page import swatch
from chestxpert.report.rows import NARROW, WIDE
from chestxpert.report.scales import text_width

FAMILY = "'Liberation Sans', Arial, Helvetica, sans-serif"
"""The first comes with what makes PDF and PNG, so that those look alike on every machine; it is as wide as Arial."""
ONE_COLUMN = 12.0
"""Up to this width, in cm, the drawing for a phone is taken: it is made for narrow places."""
SIMULATED = "SIMULATED IMAGES: drawings, no radiographs."

_TURN = re.compile(r"rotate\((-?[\d.]+)")
_MARGIN = 8.0
_GAP = 14.0
_LEGEND, _LINE = 13.0, 20.0  # font size, and height of a line


@dataclass(frozen=True)
class Drawing:
    """One SVG: size in the pixels of the page, and what is inside its outermost element.

    Attributes
    ----------
    width, height : float
    inside : str
        SVG elements, styled by attributes alone.
    title, words : str
        For whoever cannot see it.
    """

    width: float
    height: float
    inside: str
    title: str
    words: str

    def svg(self, width: str, height: str) -> str:
        """The file, at a size such as ``17.5cm``; what is inside scales with it."""
        view = f"0 0 {number(self.width)} {number(self.height)}"
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" width="{width}" height="{height}" role="img" '
            f"font-family={quoteattr(FAMILY)}>\n<title>{escape(self.title)}</title>\n<desc>{escape(self.words)}</desc>\n"
            f"{self.inside}\n</svg>\n"
        )

    def tall(self, width: float) -> float:
        """Height that belongs to a width, in the same unit."""
        return self.height * width / self.width


@dataclass(frozen=True)
class _Placed:
    """A part of the drawing with its upper left corner."""

    x: float
    y: float
    part: ElementTree.Element


def standalone(figure: Figure, style: Style, width: float, simulated: bool = False) -> Drawing:
    """Arrange legend and pictures of a figure.

    Parameters
    ----------
    figure : Figure
    style : Style
        The page's style sheet in a theme.
    width : float
        Of the paper that it is for, in cm: decides between the drawing for a desk and that for a phone.
    simulated : bool
        Whether it shows simulated images, which then stands above it.
    """
    narrow = width <= ONE_COLUMN
    room = NARROW if narrow else WIDE
    placed: list[_Placed] = []
    y = _MARGIN
    if simulated:
        placed.append(_Placed(_MARGIN, y, _words(SIMULATED, {"class": "panel-title"})))
        y += _LINE
    legend, y = _legend(figure.keys, y, room)
    placed += legend
    pictures, right, y = _pictures(_chosen(figure, narrow), y, room)
    placed += pictures
    inside = "".join(_drawn(one, style) for one in placed)
    lefts, tops, rights = zip(*(box for one in placed for box in _words_boxes(one)), strict=True)
    before, above = max(0.0, 2 - min(lefts)), max(0.0, 2 - min(tops))
    whole, high = max(right, *rights) + _MARGIN + before, y + _MARGIN + above
    ground = f'<rect width="{number(whole)}" height="{number(high)}" fill="{style.variable("--ground")}"/>'
    moved = f'<g transform="translate({number(before)} {number(above)})">{inside}</g>'
    return Drawing(whole, high, ground + moved, figure.title, figure.caption)


def _chosen(figure: Figure, narrow: bool) -> list[ElementTree.Element]:
    """Pictures of the kind that fits; small multiples are of one kind."""
    every = list(ElementTree.fromstring(f"<figure>{figure.picture}</figure>"))
    kind = "narrow" if narrow else "wide"
    return [one for one in every if one.get("class") in (kind, "small")]


def _pictures(pictures: Sequence[ElementTree.Element], y: float, room: float) -> tuple[list[_Placed], float, float]:
    """Side by side as far as there is room, line by line: the parts, their right end and their lower end."""
    placed: list[_Placed] = []
    x, right, line = _MARGIN, _MARGIN, 0.0
    for picture in pictures:
        width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
        if x > _MARGIN and x + width > _MARGIN + room + 4 * _GAP:  # five small plots are a little wider than the page
            x, y, line = _MARGIN, y + line + _GAP, 0.0
        placed.append(_Placed(x, y, picture))
        right, line = max(right, x + width), max(line, height)
        x += width + _GAP
    return placed, right, y + line


def _legend(keys: Sequence[Key], y: float, room: float) -> tuple[list[_Placed], float]:
    """Swatches with their words, in as many lines as they need, and where the next part may begin."""
    if not keys:
        return [], y
    placed: list[_Placed] = []
    x = _MARGIN
    for key in keys:
        width = 28 + text_width(key.words, _LEGEND)
        if x > _MARGIN and x + width > _MARGIN + room:
            x, y = _MARGIN, y + _LINE
        placed.append(_Placed(x, y, ElementTree.fromstring(swatch(key))))
        words = _words(key.words, {"class": "tick", "font-size": number(_LEGEND)})
        placed.append(_Placed(x + 28, y - 1, words))
        x += width + 18
    return placed, y + _LINE + 8


def _words(words: str, attributes: Mapping[str, str]) -> ElementTree.Element:
    text = ElementTree.Element("text", {"x": "0", "y": "12", **attributes})
    text.text = words
    return text


def _drawn(placed: _Placed, style: Style) -> str:
    return f'<g transform="translate({number(placed.x)} {number(placed.y)})">{_styled(placed.part, style)}</g>'


def _styled(element: ElementTree.Element, style: Style) -> str:
    """The element with what the style sheet says of it as attributes, and without what only the page needs."""
    if element.tag in ("svg", "g"):
        inside = "".join(_styled(child, style) for child in element)
        return inside if element.tag == "svg" else f"<g>{inside}</g>"
    if element.tag == "title":
        return f"<title>{escape(element.text or '')}</title>"
    kept = {key: value for key, value in element.attrib.items() if key != "class"}
    look = style.of(element.tag, element.get("class", "").split()) | kept
    if look.pop("paint-order", None) is None:
        return _written(element, look, style)
    # Not every program knows paint-order; so words with a halo are their halo, and then they themselves.
    halo = {key: value for key, value in look.items() if not key.startswith("stroke")}
    around = look | {"fill": look["stroke"], "aria-hidden": "true"}
    return _written(element, around, style) + _written(element, halo, style)


def _written(element: ElementTree.Element, attributes: Mapping[str, str], style: Style) -> str:
    pairs = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    inside = escape(element.text or "") + "".join(_styled(child, style) for child in element)
    return f"<{element.tag}{pairs}>{inside}</{element.tag}>" if inside else f"<{element.tag}{pairs}/>"


def _words_boxes(placed: _Placed) -> Iterator[tuple[float, float, float]]:
    """Left, upper and right end of all words, in pixels: words may stand out of their picture."""
    for text in placed.part.iter("text"):
        x, y = float(text.get("x", 0)), float(text.get("y", 0))
        wide = text_width(text.text or "", 11)
        back = {"middle": wide / 2, "end": wide}.get(text.get("text-anchor", "start"), 0.0)
        turned = _TURN.match(text.get("transform", ""))
        angle = math.radians(float(turned.group(1))) if turned else 0.0
        ends = [(placed.x + x + along * math.cos(angle), placed.y + y + along * math.sin(angle))
                for along in (-back, wide - back)]  # fmt: skip
        yield min(x for x, _ in ends), min(y for _, y in ends) - 10, max(x for x, _ in ends)
