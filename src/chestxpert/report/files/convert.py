"""From SVG to PDF and PNG. Needs vl-convert-python, which brings its own fonts: nothing of the machine is asked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from chestxpert.errors import UsageError
from chestxpert.report.files.standalone import Drawing

POINTS = 72 / 2.54
"""Points of print in a centimetre."""


def pdf(drawing: Drawing, width: float) -> bytes:
    """One page as wide as `width` cm, drawn with lines and letters.

    Raises
    ------
    UsageError
        If vl-convert-python is not installed.
    """
    made: bytes = converter().svg_to_pdf(_at(drawing, width * POINTS))
    return made


def png(drawing: Drawing, width: float, dpi: int) -> bytes:
    """Pixels: ``round(width / 2.54 * dpi)`` across, with the resolution noted in the file.

    Raises
    ------
    UsageError
        If vl-convert-python is not installed.
    """
    across = round(width / 2.54 * dpi)
    # The converter enlarges by scale * ppi / 72; the drawing has its final size already.
    made: bytes = converter().svg_to_png(_at(drawing, across), scale=72 / dpi, ppi=dpi)
    return made


def _at(drawing: Drawing, across: float) -> str:
    return drawing.svg(f"{across:.3f}", f"{drawing.tall(across):.3f}")


def converter() -> Any:
    """The module vl_convert; UsageError that names the extra where it is missing."""
    try:
        return import_module("vl_convert")
    except ImportError as error:
        raise UsageError(
            "PDF and PNG need vl-convert-python, which is not installed. Run `pip install 'chestxpert[figures]'`, or "
            "take --figures svg, which needs nothing."
        ) from error
