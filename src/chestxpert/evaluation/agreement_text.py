"""The agreement of two label sources as a table for people, which Markdown shows too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def agreement_table(agreement: Mapping[str, Any]) -> str:
    """A few lines and a table from the ``agreement`` of comparison.json.

    'Here' is the study's own data set, 'there' the other source; PPV and sensitivity are those of the labels here, if
    the other source is taken at its word.
    """
    lines = [
        f"Labels held against '{agreement['source']}' on {agreement['images']:,} images of "
        f"{agreement['patients']:,} patients (95 % intervals over patients):",
        "",
        "| finding | both | only here | only there | kappa | PPV | sensitivity |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for label, entry in agreement["per_label"].items():
        counts = " | ".join(f"{entry[name]:,}" for name in ("both", "only_here", "only_there"))
        rates = " | ".join(_cell(entry[name]) for name in ("kappa", "ppv", "sensitivity"))
        lines.append(f"| {label} | {counts} | {rates} |")
    if agreement["not_named"]:
        lines += ["", f"Not named there: {', '.join(agreement['not_named'])}."]
    return "\n".join([*lines, *_recipes(agreement)])


def _recipes(agreement: Mapping[str, Any]) -> list[str]:
    """Recipes against both sources, on the images and labels that both know."""
    measured = {name: both for name, both in agreement["recipes"].items() if both is not None}
    if not measured:
        return ["", "No test image is in both, so no recipe is measured against the other source."]
    lines = [
        "",
        "| recipe | test images | findings | AUROC here | AUROC there | AP here | AP there |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, both in measured.items():
        cells = [_value(both[side]["macro"][metric]) for metric in ("auroc", "ap") for side in ("here", "there")]
        counts = f"{both['here']['images']:,} | {both['here']['macro']['auroc'].get('n', 0)}"
        lines.append(f"| {name} | {counts} | {' | '.join(cells)} |")
    return lines


def _cell(entry: Mapping[str, Any]) -> str:
    if entry["mean"] is None:
        return "-"
    if entry["low"] is None:
        return f"{entry['mean']:.3f}"
    return f"{entry['mean']:.3f} ({entry['low']:.3f} to {entry['high']:.3f})"


def _value(entry: Mapping[str, Any]) -> str:
    return _cell({**entry, "mean": entry["value"]})
