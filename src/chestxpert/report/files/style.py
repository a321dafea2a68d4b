"""The page's style sheet worked out for single elements: what a drawing looks like on its own, without a page.

It knows as much of CSS as the drawings use: selectors of one element with classes (``line.grid``, ``svg text.tick``),
custom properties with fallbacks, and ``color-mix`` in sRGB. The order of rules is CSS's own: specificity, then place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

DRAWN = (
    "fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "font-size",
    "font-weight", "paint-order",
)  # fmt: skip
"""Properties that SVG knows as attributes and the drawings use; all else in the style sheet is about the page."""
THEMES = ("light", "dark")

_BLOCK = re.compile(r"(@[^{}]+)\{((?:[^{}]*\{[^{}]*\})*[^{}]*)\}|([^{}]+)\{([^{}]*)\}")
_SELECTOR = re.compile(r"^(svg )?([a-z]+)?((?:\.[\w-]+)*)$")
_VARIABLE = re.compile(r"var\(\s*(--[\w-]+)\s*(?:,\s*([^()]*))?\)")
_MIX = re.compile(r"color-mix\(in srgb, #([0-9a-f]{6}) ([\d.]+)%, #([0-9a-f]{6})\)", re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """What one selector says of elements with this tag (any if empty) and at least these classes."""

    weight: tuple[int, int]
    tag: str
    classes: frozenset[str]
    values: Mapping[str, str]


class Style:
    """The style sheet of the report, in one theme.

    Parameters
    ----------
    theme : str
        ``light`` or ``dark``.
    css : str, optional
        The sheet; by default that of the page.
    """

    def __init__(self, theme: str = "light", css: str | None = None) -> None:
        text = _sheet() if css is None else css
        blocks = list(_blocks(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)))
        self._root: dict[str, str] = {}
        self._rules: list[Rule] = []
        for condition, selectors, values in blocks:
            if selectors == ":root" and (
                not condition or (theme == "dark" and "prefers-color-scheme: dark" in condition)
            ):
                self._root |= values
            elif not condition:
                self._rules += [rule for name in selectors.split(",") if (rule := _rule(name.strip(), values))]
        self._rules.sort(key=lambda rule: rule.weight)  # a stable sort keeps the order of the sheet among equals

    def variable(self, name: str) -> str:
        """Value of one of the sheet's own custom properties, such as ``--ground``."""
        return resolved(self._root[name], self._root) or ""

    def of(self, tag: str, classes: Collection[str]) -> dict[str, str]:
        """Attributes of an element: every drawn property that the sheet gives it, without variables."""
        own: dict[str, str] = {}
        for rule in self._rules:
            if rule.tag in ("", tag) and rule.classes <= set(classes):
                own |= rule.values
        variables = self._root | {key: value for key, value in own.items() if key.startswith("--")}
        found = {key: resolved(own[key], variables) for key in DRAWN if key in own}
        return {key: value.removesuffix("px") for key, value in found.items() if value is not None}


def resolved(value: str, variables: Mapping[str, str]) -> str | None:
    """The value without variables and mixtures; None where it needs a variable that nobody set, as in CSS."""
    while match := _VARIABLE.search(value):
        name, fallback = match.groups()
        inside = variables.get(name, fallback)
        if inside is None:
            return None
        value = value[: match.start()] + inside.strip() + value[match.end() :]
    return _MIX.sub(_mixed, value)


def _mixed(match: re.Match[str]) -> str:
    first, share, second = match.group(1), float(match.group(2)) / 100, match.group(3)
    pairs = [(int(first[at : at + 2], 16), int(second[at : at + 2], 16)) for at in (0, 2, 4)]
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def _sheet() -> str:
    return (resources.files("chestxpert.report") / "templates" / "report.css").read_text(encoding="utf-8")


def _blocks(css: str, condition: str = "") -> Iterator[tuple[str, str, dict[str, str]]]:
    """Condition (of an at-rule), selectors and declarations of every block."""
    for match in _BLOCK.finditer(css):
        at, inside, selectors, body = match.groups()
        if at:
            yield from _blocks(inside, at.strip())
        else:
            pairs = [part.split(":", 1) for part in body.split(";") if ":" in part]
            yield condition, selectors.strip(), {key.strip(): value.strip() for key, value in pairs}


def _rule(selector: str, values: Mapping[str, str]) -> Rule | None:
    """The rule, if it can be about a part of a drawing and says anything of it."""
    match = _SELECTOR.match(selector)
    told = {key: value for key, value in values.items() if key in DRAWN or key.startswith("--")}
    if match is None or not selector or not told:
        return None
    within, tag, names = match.groups()
    classes = frozenset(name for name in names.split(".") if name)
    return Rule((len(classes), bool(within) + bool(tag)), tag or "", classes, told)
