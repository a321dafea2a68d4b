"""What was made of stored predictions after training, below the recipes that it comes from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chestxpert.report.contrast_tables import contrast_tables
from chestxpert.report.figure import SIDES, Figure, Key, Table, two_widths
from chestxpert.report.figure_contrasts import SHOWN_KEYS, by_metric, forest
from chestxpert.report.figure_recipes import metric_panel, metrics_table
from chestxpert.report.results import Results, finding_name, metric_name
from chestxpert.report.rows import Row, draw_rows
from chestxpert.report.scales import UNDEFINED, percent
from chestxpert.report.shortcut import floor_keys, floor_words
from chestxpert.report.stored_values import Contrast

SHOWN = ("macro_f1", "macro_f1_at_half", "brier")


def derived_figure(results: Results) -> Figure | None:
    """Every recipe and, below it, what was made of it; None where nothing was."""
    if len(results.lines) == len(results.recipes):
        return None
    metrics = [results.primary, *(metric for metric in SHOWN if metric != results.primary)]
    rows, names = _rows(results)
    floors = [results.floor(metric) for metric in metrics]
    panels = [metric_panel(results, metric, rows, names, floor) for metric, floor in zip(metrics, floors, strict=True)]
    spoken = "; ".join(f"{name} {metric_name('brier')} {results.metric(name, 'brier').words()}" for name in names)
    return Figure(
        anchor="fig-derived",
        title="After training: corrections and ensembles",
        caption=(
            "Each recipe and, below it, the same stored predictions corrected, as means over seeds with 95 % intervals "
            "over patients; then ensembles, which are one prediction each: their intervals know nothing of seeds, and "
            "they cost what all their members cost. Further right is better, except for the Brier score. Corrections "
            "that keep the order of the images cannot change a flat recipe's AUROC and average precision; thresholds "
            "are chosen on validation for each line anew, so macro F1 hardly moves, and what moves is F1 at a fixed "
            "threshold of 0.5 and the Brier score." + floor_words(*floors)
        ),
        picture=two_widths(lambda frame: draw_rows(rows, panels, frame), spoken, 26),
        keys=[*SIDES, Key("reference", "dash", f"mean of {results.baseline}"), *floor_keys(*floors)],
        tables=[metrics_table(results, metrics)]
        + [table for name in results.lines if (table := _prevalence_table(results, name)) is not None],
    )


def _rows(results: Results) -> tuple[list[Row], list[str]]:
    """A row a line, those that are corrected by their correction alone."""
    rows = []
    for name in results.lines:
        parent = next(iter(results.made_of(name)), "")
        corrected = name.startswith(f"{parent}+")
        rows.append(
            Row(
                name.removeprefix(parent) if corrected else name,
                results.side(name),
                strong=name in results.recipes,
                about=(name,),
            )
        )
    return rows, results.lines


def derived_contrasts_figure(results: Results) -> Figure | None:
    """Forest plot of every derived line against what it was made of; None where nothing can differ."""
    ordered = by_metric(results, [c for c in results.derived_contrasts if c.metric in (results.primary, *SHOWN)])
    moved = [contrast for contrast in ordered if _moved(contrast)]
    if not moved:
        return None
    return Figure(
        anchor="fig-derived-contrasts",
        title="What corrections and ensembles change",
        caption=(
            "Each corrected line minus the recipe it was made of, and each ensemble minus the mean of single runs of "
            "each recipe in it, with 95 % intervals from paired bootstrap draws over test patients. Higher is better, "
            "except for the Brier score, where lower is. p is adjusted by Holm's method among the corrections of one "
            "recipe, and among the ensembles; the recipes' own contrasts are other families. Lines that "
            "cannot differ on a metric, since they keep the order of the images, are left out here and stand in the "
            "table. An ensemble against single runs compares different budgets."
        ),
        picture=forest(results, moved, ("lower", "higher")),
        tables=contrast_tables(by_metric(results, results.derived_contrasts)),
        keys=SHOWN_KEYS,
    )


def _moved(contrast: Contrast) -> bool:
    return any(value not in (None, 0.0) for value in (contrast.difference, contrast.low, contrast.high))


def _prevalence_table(results: Results, name: str) -> Table | None:
    """What prior shift estimated for the test images, mean over seeds, beside where it began and the truth."""
    runs = [run.get("answers", {}) for run in results.done(name)]
    rows = []
    for answer in runs[0] if runs else ():
        told = [run[answer]["prevalence"] for run in runs if "prevalence" in run[answer]]
        if told:
            rows.append([finding_name(answer), *(_mean([each[key] for each in told]) for key in _PREVALENCE)])
    if not rows:
        return None
    head = ["finding", *_PREVALENCE.values()]
    what = "; of a node, among the images where its parent holds" if results.hierarchical(name) else ""
    return Table(head, rows, note=f"{name}: prevalence{what}")


_PREVALENCE = {"val": "calibrated on val", "estimated": "estimated for test", "test": "true on test"}


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return percent(float(np.mean(known))) if known else UNDEFINED
