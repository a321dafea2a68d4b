"""Ready-made maps from other data sets' columns onto NIH's findings, and how their files are laid out."""

from __future__ import annotations

from collections.abc import Mapping

from chestxpert.cohort.maps import chexpert, mimic, padchest, vindr
from chestxpert.cohort.maps.layout import Layout
from chestxpert.errors import UsageError

LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout for layout in (chexpert.LAYOUT, mimic.LAYOUT, padchest.LAYOUT, vindr.LAYOUT)
}
"""By name, which is also the name of its map."""

__all__ = ["LAYOUTS", "Layout", "layout"]


def layout(name: str) -> Layout:
    """Layout called `name`; UsageError lists what there is."""
    try:
        return LAYOUTS[name]
    except KeyError:
        raise UsageError(f"There is no ready-made map '{name}'. There are: {', '.join(LAYOUTS)}.") from None
