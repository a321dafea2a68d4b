"""The frame of a page: templates filled with what is shown, and nothing that a reader's browser would have to fetch."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from chestxpert.report.figure import Key
from chestxpert.report.scales import typeset

SCRIPT = "page.js"
"""Sorts and filters; it stands in the page, which fetches nothing."""


def pointing(picture: Markup, numbers: str) -> Markup:
    """The drawings of a picture, each telling a screen reader in which element (its id) the same numbers stand."""
    return Markup(picture.replace('role="img"', Markup('role="img" aria-details="{}"').format(numbers)))


def unbroken(cell: str) -> str:
    """A table's cell whose interval stays on one line: a narrow ``0.742 [0.711, 0.771]`` breaks before its bracket."""
    cell = cell.replace("< ", "<\N{NO-BREAK SPACE}")
    return re.sub(r"(?<=\[)([^\[\]]*), (?=[^\[\]]*\])", "\\1,\N{NO-BREAK SPACE}", cell)


def render(template: str, context: Mapping[str, Any]) -> str:
    """Fill a template of this room; whatever words come in stay words, and a missing value is an error."""
    environment = _environment()
    script = (resources.files("chestxpert.report") / "templates" / SCRIPT).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    # The policy of the page names this script by its hash, so that no other can ever run in it.
    return environment.get_template(template).render(context, script=Markup(script), script_hash=f"sha256-{digest}")


def swatch(key: Key) -> str:
    """One entry of a legend as SVG, the very one of the page."""
    drawn = _environment().get_template("parts.html").module.swatch(key)  # type: ignore[attr-defined]
    return str(drawn)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("chestxpert.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typeset"] = typeset
    environment.filters["pointing"] = pointing
    environment.filters["unbroken"] = unbroken
    return environment
