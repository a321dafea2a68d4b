"""The page's style sheet, worked out for single elements as a browser would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_pages import IN_A_BROWSER, open_page

from chestxpert.report.files.style import Style, resolved

SHEET = """
:root { --ink: #000000; --ground: #ffffff; --tint: 25%; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #eeeeee; } }
@media print { .dot { fill: red; } }
.flat { --c: #0000ff; } /* a { color: red; } */
.dot { fill: var(--c); stroke-width: 2px; color: green; }
svg text.dot { fill: var(--ink); }
.dot.small { fill: color-mix(in srgb, var(--c, var(--ink)) var(--tint), var(--ground)); }
line.dot, .ring { stroke: var(--missing); stroke-dasharray: 3 3; }
.page .dot { fill: pink; }
"""


def test_the_more_specific_rule_wins_and_the_later_among_equals() -> None:
    style = Style(css=SHEET + ".dot { opacity: 1; } .flat { opacity: 0.5; }")
    assert style.of("circle", ["dot", "flat"]) == {"fill": "#0000ff", "stroke-width": "2", "opacity": "0.5"}
    assert style.of("text", ["flat", "dot"])["fill"] == "#000000"
    assert style.of("circle", ["dot"]) == {"stroke-width": "2", "opacity": "1"}, "without --c there is no fill"


@pytest.mark.parametrize(("classes", "mixed"), [(["dot", "small"], "#bfbfbf"), (["dot", "small", "flat"], "#bfbfff")])
def test_colours_are_mixed_as_css_mixes_them(classes: list[str], mixed: str) -> None:
    assert Style(css=SHEET).of("rect", classes)["fill"] == mixed


def test_dark_has_its_own_variables_and_print_no_say() -> None:
    assert Style("dark", SHEET).of("text", ["dot"])["fill"] == "#eeeeee"
    assert Style("dark", SHEET).variable("--ground") == "#ffffff"
    assert Style("light", SHEET).of("text", ["dot"])["fill"] == "#000000"


def test_a_selector_of_the_page_is_not_about_drawings() -> None:
    assert Style(css=SHEET).of("line", ["dot", "flat"]) == {
        "fill": "#0000ff", "stroke-width": "2", "stroke-dasharray": "3 3",
    }  # fmt: skip
    assert resolved("var(--missing)", {}) is None
    assert resolved("var(--missing, 1px)", {}) == "1px"


COMPUTED = """
const names = arguments[0], found = [];
for (const shape of document.querySelectorAll("figure svg.wide *, figure svg.small *, .legend .swatch *")) {
  if (shape.tagName === "g" || shape.tagName === "title") continue;
  const look = getComputedStyle(shape);
  found.push([shape.tagName, shape.getAttribute("class") || "", names.map(name => look.getPropertyValue(name))]);
}
return [...new Map(found.map(one => [one[0] + one[1], one])).values()];
"""
INITIAL = {
    "fill": "rgb(0, 0, 0)", "stroke": "none", "stroke-width": "1px", "stroke-dasharray": "none", "opacity": "1",
    "stroke-linecap": "butt", "font-weight": "400",
}  # fmt: skip


@IN_A_BROWSER[0]
@IN_A_BROWSER[1]
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_shape_of_the_page_looks_as_chromium_says(browser: Any, study_folder: Path, theme: str) -> None:
    open_page(browser, study_folder / "report.html", 1280, theme)
    shapes = browser.execute_script(COMPUTED, list(INITIAL))
    assert len(shapes) > 60
    style = Style(theme)
    for tag, classes, seen in shapes:
        ours = style.of(tag, classes.split())
        for name, theirs in zip(INITIAL, seen, strict=True):
            assert same(ours.get(name), theirs, INITIAL[name]), (tag, classes, name, ours.get(name), theirs)


def same(ours: str | None, theirs: str, initial: str) -> bool:
    """Whether an attribute is what the browser computed, in its own way of writing."""
    if ours is None:
        return theirs == initial
    if ours.startswith("#"):
        return colour(theirs) == pytest.approx([int(ours[at : at + 2], 16) for at in (1, 3, 5)], abs=1)
    numbers = [part.removesuffix("px") for part in theirs.replace(",", " ").split()]
    return numbers == ours.replace(",", " ").split()


def colour(words: str) -> list[float]:
    """Red, green and blue of ``rgb(1, 2, 3)`` or ``color(srgb 0.1 0.2 0.3)``."""
    inside = words.partition("(")[2].rstrip(")").replace(",", " ").split()
    if words.startswith("color("):
        return [255 * float(part) for part in inside[1:4]]
    return [float(part) for part in inside[:3]] if inside else [-1.0]
