"""A result of `localize` as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chestxpert.evaluation.localization.measure import BASELINES, CHANCE, USUAL

_MEASURES = ("pointing", "energy", "iou@0.1", "iou@0.25", "iou@0.5", "iou_false@0.25")


def localization_table(result: Mapping[str, Any]) -> str:
    """Pointing game by finding, then all measures of the mean over findings, then what is shown; Markdown."""
    names = result["lines"]["maps"]
    boxes = result["boxes"]
    told = ", ".join(f"{count:,} {split}" for split, count in boxes["by_split"].items())
    lines = [
        f"{boxes['boxes']:,} boxes ({told}); measured are those of '{result['split']}': {boxes['cases']:,} findings on "
        f"images, {boxes['compared']:,} of them with a usable map in every folder, of {result['patients']:,} patients.",
        "",
        "Pointing game: share of maxima that lie in a box [95 % interval over patients].",
        "",
        f"| finding | cases | {' | '.join(names)} | {' | '.join(BASELINES)} |",
        f"|---|--:|{'--:|' * (len(names) + len(BASELINES))}",
    ]
    for finding, entry in result["findings"].items():
        lines.append(f"| {finding} | {entry['cases']} | {_pointing(entry['lines'], names)} |")
    lines += [f"| **mean of {len(result['macro_findings'])}** | | {_pointing(result['macro'], names)} |", ""]
    lines += [
        f"Means over findings; boxes by {result['settings']['rule']}, found from T on, false boxes an image.",
        "",
        f"| | {' | '.join(_MEASURES)} |",
        f"|---|{'--:|' * len(_MEASURES)}",
    ]
    for name in [*names, USUAL, CHANCE]:
        cells = (_cell(result["macro"][name][measure], short=True) for measure in _MEASURES)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *result["sentences"], *_left_out(result)])


def _pointing(entries: Mapping[str, Any], names: list[str]) -> str:
    cells = [_cell(entries[name]["pointing"]) for name in names]
    return " | ".join([*cells, *(_cell(entries[name]["pointing"], short=True) for name in BASELINES)])


def _cell(entry: Mapping[str, Any], short: bool = False) -> str:
    if entry["mean"] is None:
        return "-"
    if short or entry["low"] is None:
        return f"{entry['mean']:.3f}"
    return f"{entry['mean']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"


def _left_out(result: Mapping[str, Any]) -> list[str]:
    """Notes on training patients, and on maps that are missing, cannot be measured, or belong to nothing."""
    trained = result["boxes"]["by_split"].get("train", 0) if result["split"] == "all" else 0
    notes = [f"note: {trained:,} of these boxes lie on images of training patients."] if trained else []
    for name, told in result["maps"].items():
        parts = [f"no map of {len(told['missing'])}"] if told["missing"] else []
        parts += [f"values that are not finite in {len(told['not_finite'])}"] if told["not_finite"] else []
        parts += [f"{told['other']} maps are of no measured box"] if told["other"] else []
        parts += [f"unknown findings: {', '.join(told['unknown_findings'])}"] if told["unknown_findings"] else []
        if parts:
            notes.append(f"note: {name}: {'; '.join(parts)}.")
    return ["", *notes] if notes else []
