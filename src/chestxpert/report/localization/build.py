"""Builds the page of a localization from what is stored; only its examples look at the data set and the maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chestxpert.errors import UsageError
from chestxpert.files import write_text
from chestxpert.report.figure import Figure
from chestxpert.report.localization.figure_overlap import overlap_figure
from chestxpert.report.localization.figure_pointing import pointing_figure
from chestxpert.report.localization.pictures import Examples, draw_examples
from chestxpert.report.localization.stored import Stored
from chestxpert.report.localization.tables import contrast_table, facts_of, finding_contrasts, left_out, rules_table
from chestxpert.report.page import render
from chestxpert.report.scales import grouped

REPORT = "localization.html"
EXAMPLES = 2
MOST_EXAMPLES = 12


def build_localization_report(
    folder: str | Path, out: str | Path | None = None, *, images: bool = True, examples: int = EXAMPLES, seed: int = 0
) -> Path:
    """Draw the page of a localization.

    Parameters
    ----------
    folder : str or Path
        As `chestxpert.evaluation.localization.localize` makes it.
    out : str or Path, optional
        The page; ``localization.html`` in the folder if None.
    images : bool
        Whether to write pictures of the data set into the page, where the data set and the maps are still there.
    examples : int
        Cases of each finding that are shown, 0 to 12.
    seed : int
        Decides which.

    Returns
    -------
    Path
        Of the page: one file that needs nothing else.

    Raises
    ------
    UsageError
        If an argument is out of range.
    RunError
        If the folder holds no localization.
    """
    if not 0 <= examples <= MOST_EXAMPLES or seed < 0:
        raise UsageError(f"A page shows 0 to {MOST_EXAMPLES} examples, seed 0 or more; got {examples} and {seed}.")
    stored = Stored.read(Path(folder))
    path = stored.folder / REPORT if out is None else Path(out)
    off = Examples(note="Pictures were left out when this page was made.")
    write_text(
        path, render("localization.html", _context(stored, draw_examples(stored, examples, seed) if images else off))
    )
    return path


def _context(stored: Stored, shown: Examples) -> dict[str, Any]:
    result = stored.result
    figures: list[Figure] = [pointing_figure(stored), overlap_figure(stored)]
    return {
        "title": ", ".join(stored.names),
        "description": result["sentences"][0],
        "simulated": result["data"]["simulated"],
        "facts": [
            f"{grouped(result['boxes']['compared'])} findings on images",
            f"{grouped(result['patients'])} patients",
            f"split '{result['split']}'",
        ],
        "told": [*result["sentences"], *_warnings(stored)],
        "figures": {figure.anchor: figure for figure in figures},
        "contrasts": contrast_table(stored),
        "finding_contrasts": finding_contrasts(stored),
        "rules": rules_table(stored),
        "shown": shown,
        "rule": result["settings"]["rule"],
        "left_out": left_out(stored),
        "origin": facts_of(stored),
    }


def _warnings(stored: Stored) -> list[str]:
    """What a reader should know before reading on."""
    boxes, split = stored.result["boxes"], stored.result["split"]
    told = []
    if split == "all" and boxes["by_split"].get("train"):
        told.append(
            f"{grouped(boxes['by_split']['train'])} of these boxes lie on images of training patients, which a network "
            "may have learnt by heart."
        )
    missing = boxes["cases"] - boxes["compared"]
    if missing:
        told.append(
            f"{grouped(missing)} of {grouped(boxes['cases'])} findings on images have no usable map in every folder. "
            "They are left out of every line and listed below; if a tool leaves out what is hard for it, its figures "
            "are too good."
        )
    return told
