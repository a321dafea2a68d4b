"""The frame of a page: templates filled with what is shown, and nothing that a reader's browser would have to fetch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2

from chestxpert.report.scales import typeset


def render(template: str, context: Mapping[str, Any]) -> str:
    """Fill a template of this room; whatever words come in stay words, and a missing value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("chestxpert.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typeset"] = typeset
    return environment.get_template(template).render(context)
