"""Figures of a study's page as files for a paper."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from chestxpert.errors import UsageError
from chestxpert.files import replace_when_whole
from chestxpert.report.build import draw_figures
from chestxpert.report.files import convert
from chestxpert.report.files.standalone import Drawing, standalone
from chestxpert.report.files.style import THEMES, Style
from chestxpert.report.read import read_study

FIGURES = ("svg", "pdf", "png")
FOLDER = "figures"
WIDTH = 17.5
"""Across two columns of most journals, in cm; one column has 8.5."""
DPI = 300


def write_figures(
    study: Path, formats: Collection[str] = ("svg",), *, width: float = WIDTH, dpi: int = DPI, theme: str = "light"
) -> list[Path]:
    """Write every figure of a study's page as a file of its own.

    Parameters
    ----------
    study : Path
        A compared study's folder.
    formats : collection of str
        Of ``svg``, ``pdf`` and ``png``; the latter two need ``chestxpert[figures]``.
    width : float
        Width in cm, from 4 to 100. Up to 12, panels stand one above the other, as on a phone.
    dpi : int
        Pixels to an inch of a PNG, from 36 to 2400.
    theme : str
        ``light`` or ``dark``.

    Returns
    -------
    list of Path
        The files, ``STUDY/figures/ANCHOR.FORMAT``, in the order of the page. Each is written whole or not at all.

    Raises
    ------
    UsageError
        If an argument is none of these, or a package is missing.
    RunError
        If a part of the study is missing or unreadable.
    """
    check_figures(formats, width=width, dpi=dpi, theme=theme)
    read = read_study(Path(study))
    style, paths = Style(theme), []
    for anchor, figure in draw_figures(read).items():
        drawing = standalone(figure, style, width, read.cohort.simulated)
        for format_ in dict.fromkeys(formats):
            path = read.folder / FOLDER / f"{anchor}.{format_}"
            made = _made(drawing, format_, width, dpi)
            with replace_when_whole(path) as aside:
                aside.write_bytes(made)
            paths.append(path)
    return paths


def _made(drawing: Drawing, format_: str, width: float, dpi: int) -> bytes:
    if format_ == "pdf":
        return convert.pdf(drawing, width)
    if format_ == "png":
        return convert.png(drawing, width, dpi)
    return drawing.svg(f"{width:g}cm", f"{drawing.tall(width):.3f}cm").encode()


def check_figures(formats: Collection[str], *, width: float = WIDTH, dpi: int = DPI, theme: str = "light") -> None:
    """Whether `write_figures` could write these: a UsageError says what is wrong, before anything long begins."""
    unknown = [name for name in formats if name not in FIGURES]
    if unknown:
        raise UsageError(f"Figures are written as {', '.join(FIGURES)}; {', '.join(unknown)} is none of these.")
    if not 4 <= width <= 100:
        raise UsageError(f"The width of figures is {width:g} cm; give one from 4 to 100, such as 8.5 or 17.5.")
    if not 36 <= dpi <= 2400:
        raise UsageError(f"The resolution of figures is {dpi} dpi; give one from 36 to 2400, such as 300.")
    if theme not in THEMES:
        raise UsageError(f"The theme is {theme!r}; choose from {', '.join(THEMES)}.")
    if set(formats) & {"pdf", "png"}:
        convert.converter()
