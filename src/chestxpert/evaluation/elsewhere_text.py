"""The evaluation of a run on another data set as a table for people, which Markdown shows too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chestxpert.evaluation.elsewhere import METRICS


def evaluation_table(result: Mapping[str, Any]) -> str:
    """A few lines and a table from what ``evaluation.json`` of an evaluation elsewhere holds.

    Each metric has its 95 % interval; average precision is to be read beside the prevalence, which a score that says
    nothing reaches. The columns called 'own' are the run's own test images, on the same findings.
    """
    here, own, data = result["here"], result["own"], result["data"]
    kind = "SIMULATED images, no radiographs" if result["simulated"] else "images"
    where = "external" if result["external"] else "NOT external"
    lines = [
        f"{result['run']['name']} on {data['name']} ({where}): {here['images']:,} {kind} of {here['patients']:,} "
        "patients",
        f"{len(result['shared'])} findings are shared; means are over these alone.",
        "",
        "| finding | known | positive | prevalence | AUROC | AP | F1 | own AUROC | own AP | own F1 |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for label, entry in here["per_label"].items():
        counts = f"{entry['n_known']:,} | {entry['n_positive']:,} | {entry['prevalence']:.3f}"
        lines.append(
            f"| {label} | {counts} | {_cells(entry)} | {_cells(own and own['per_label'][label], short=True)} |"
        )
    means = _cells(own and own["macro"], short=True)
    lines.append(f"| **mean of {len(result['shared'])}** | | | | {_cells(here['macro'])} | {means} |")
    if result["not_shared"]:
        lines += ["", "not shared:", *(f"- {label}: {reason}" for label, reason in result["not_shared"].items())]
    if result["notes"]:
        lines += ["", *(f"note: {note}" for note in result["notes"])]
    return "\n".join(lines)


def _cells(values: Mapping[str, Any] | None, short: bool = False) -> str:
    return " | ".join("-" if values is None else _cell(values[name], short) for name in METRICS)


def _cell(metric: Mapping[str, Any], short: bool) -> str:
    if metric["value"] is None:
        return "-"
    if short or metric["low"] is None:
        return f"{metric['value']:.3f}"
    return f"{metric['value']:.3f} ({metric['low']:.3f} to {metric['high']:.3f})"
