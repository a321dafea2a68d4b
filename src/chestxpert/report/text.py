"""The comparison as a few aligned lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from chestxpert.report.external import dagger_of, dagger_on, external_words, half_words, shared_words
from chestxpert.report.results import Results, metric_name
from chestxpert.report.scales import UNDEFINED, decimal, p_value, signed
from chestxpert.report.stored_values import Contrast

_METRICS = ("macro_auroc", "macro_ap", "macro_f1")
_DERIVED_METRICS = ("macro_auroc", "macro_ap", "macro_f1", "macro_f1_at_half", "brier")
_WIDTH = 100


def summary_text(comparison: Mapping[str, Any]) -> str:
    """Aligned tables of recipes and contrasts, then the verdict.

    Parameters
    ----------
    comparison : mapping
        The content of comparison.json.

    Returns
    -------
    str
        Lines without a newline at the end; plain text that any terminal shows.

    Raises
    ------
    RunError
        If it is no comparison.
    """
    results = Results(comparison)
    parts = [_cohort_line(results), *_threshold_lines(results), "", *_recipe_lines(results)]
    if results.contrasts:
        parts += ["", *_contrast_lines(results)]
    if len(results.lines) > len(results.recipes):
        parts += ["", *_derived_lines(results)]
    for words in external_words(results):
        parts += ["", *textwrap.wrap(words, _WIDTH)]
    if results.not_learnt_words:
        words = f"Not learnt, since no training image tells: {results.not_learnt_words}"
        parts += ["", *textwrap.wrap(words, _WIDTH)]
    parts += ["", *textwrap.wrap(f"Verdict: {results.verdict}", _WIDTH)]
    return "\n".join(parts)


def _cohort_line(results: Results) -> str:
    cohort = results.comparison["cohort"]
    counts = ", ".join(f"{cohort['images'][split]} {split}" for split in ("train", "val", "test"))
    simulated = "SIMULATED IMAGES: drawings, no radiographs. " if cohort.get("simulated") else ""
    return f"{simulated}Images: {counts}. Test figures, mean over seeds [95 % interval over patients]."


def _threshold_lines(results: Results) -> list[str]:
    """By which rule thresholds were chosen; an older comparison does not say."""
    sentence = results.comparison.get("operating", {}).get("sentence")
    return (
        textwrap.wrap(f"Thresholds are chosen on validation: {sentence}.{half_words(results)}", _WIDTH)
        if sentence
        else []
    )


def _recipe_lines(results: Results) -> list[str]:
    rows = [["recipe" if results.recipes else "predictions", "seeds", *(metric_name(metric) for metric in _METRICS)]]
    for name in results.members:
        label = f"{name} *" if name in results.best else name + dagger_of(results, name)
        estimates = [results.metric(name, metric).words() for metric in _METRICS]
        rows.append([label, str(len(results.seeds(name))), *estimates])
    lines = _aligned(rows)
    return [*lines, "* best of its side, flat or hierarchical, chosen on validation"] if results.best else lines


def _derived_lines(results: Results) -> list[str]:
    """Each recipe again, and below it what was made of its stored predictions."""
    shown = {
        (contrast.a, contrast.metric): " >" if (contrast.difference or 0.0) > 0 else " <"
        for contrast in results.derived_contrasts
        if contrast.clear and len(results.made_of(contrast.a)) == 1
    }
    heads = [metric_name(metric).removesuffix(" (less is better)") for metric in _DERIVED_METRICS]
    rows = [["made after training", "runs", *heads]]
    for name in results.lines:
        means = [
            decimal(results.metric(name, metric).mean) + shown.get((name, metric), "") for metric in _DERIVED_METRICS
        ]
        rows.append([name, results.runs_words(name), *means])
    legend = "> < higher, lower than the line it was made of: difference shown. Of the Brier score, less is better"
    return [*_aligned(rows), legend]


def _contrast_lines(results: Results) -> list[str]:
    shown = [contrast for contrast in results.contrasts if contrast.metric == results.primary]
    rows = [[f"difference in {metric_name(results.primary)}", "", "[95 % interval]", "p, Holm", ""]]
    rows += [_contrast_row(contrast) for contrast in shown]
    return [*_aligned(rows), *textwrap.wrap(shared_words(results).strip(), _WIDTH)]


def _contrast_row(contrast: Contrast) -> list[str]:
    interval = f"[{signed(contrast.low)}, {signed(contrast.high)}]" if contrast.low is not None else UNDEFINED
    return [
        f"{contrast.a} - {contrast.b}{dagger_on(contrast)}",
        signed(contrast.difference),
        interval,
        p_value(contrast.p_adjusted),
        "difference shown" if contrast.clear else "no difference shown",
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns padded to their widest cell and two spaces apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
