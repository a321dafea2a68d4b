"""Which lines are held against which, tests adjusted for their number, and sentences that say what is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from chestxpert.evaluation.contrasts import holm
from chestxpert.evaluation.localization.measure import SCORES, USUAL, Measured
from chestxpert.evaluation.localization.summary import Groups, difference

Entry = dict[str, Any]
PRIMARY = "pointing"
TESTED = (
    "pointing",
    "energy",
    "iou@0.1",
    "iou@0.25",
    "iou@0.5",
    "iou@0.7",
    "iobb@0.1",
    "iobb@0.25",
    "iobb@0.5",
    "iobb@0.7",
)
"""Measures that have contrasts; `PRIMARY` is the one that sentences are about."""

ALPHA = 0.05


def contrast_lines(lines: Mapping[str, Measured], maps: Sequence[str], groups: Groups) -> list[Entry]:
    """Every folder of maps against the usual place, and every two folders against each other.

    Returns
    -------
    list of dict
        ``a``, ``b``, ``kind`` ("baseline" or "pair"), ``measure``, ``difference`` (mean over findings, a minus b),
        ``low``, ``high``, ``p``, ``p_adjusted`` (Holm's over the contrasts of one measure), ``n_defined``, ``findings``
        (by finding; ``p_adjusted`` there is Holm's over the findings of one contrast).
    """
    pairs = [(name, USUAL, "baseline") for name in maps] + [(a, b, "pair") for a, b in combinations(maps, 2)]
    entries = []
    for a, b, kind in pairs:
        first, second = (lines[name].values[:, : len(SCORES)] for name in (a, b))
        over, per_finding = difference(first, second, groups)
        for measure in TESTED:
            column = SCORES.index(measure)
            findings = _adjusted(per_finding[column])
            entries.append({"a": a, "b": b, "kind": kind, "measure": measure, **over[column], "findings": findings})
    for measure in TESTED:
        family = [entry for entry in entries if entry["measure"] == measure]
        for entry, p in zip(family, holm([entry["p"] for entry in family]), strict=True):
            entry["p_adjusted"] = float(p)
    return entries


def _adjusted(findings: Mapping[str, Entry]) -> dict[str, Entry]:
    adjusted = holm([entry["p"] for entry in findings.values()])
    return {name: entry | {"p_adjusted": float(p)} for (name, entry), p in zip(findings.items(), adjusted, strict=True)}


def is_shown(entry: Mapping[str, Any]) -> bool:
    """Whether a difference may be claimed: the interval leaves zero out and the adjusted p-value is below .05."""
    low, high, p = entry["low"], entry["high"], entry["p_adjusted"]
    if low is None or p is None or math.isnan(low) or math.isnan(p):
        return False
    return bool((low > 0 or high < 0) and p < ALPHA)


def sentences(entries: Sequence[Mapping[str, Any]], simulated: bool) -> list[str]:
    """What the primary measure says of every contrast, one sentence each."""
    return [_sentence(entry, simulated) for entry in entries if entry["measure"] == PRIMARY]


def _sentence(entry: Mapping[str, Any], simulated: bool) -> str:
    name = f"{'On simulated images, ' if simulated else ''}{entry['a']}"
    if math.isnan(entry["low"]):
        return f"{name} cannot be held against {_against(entry)}: there are too few patients, or no common measure."
    ends = f"[{entry['low']:+.3f}, {entry['high']:+.3f}]"
    figures = f"{entry['difference']:+.3f} {ends} in the pointing game, mean over findings"
    if not is_shown(entry):
        words = "cannot be told from always pointing at" if entry["kind"] == "baseline" else "cannot be told from"
        return f"{name} {words} {_against(entry)}: no difference shown, {figures}, adjusted p {_p(entry)}."
    word = "more" if entry["difference"] > 0 else "less"
    than = "than always pointing at" if entry["kind"] == "baseline" else "than"
    return f"{name} points into the boxes {word} often {than} {_against(entry)}: {figures}, adjusted p {_p(entry)}."


def _against(entry: Mapping[str, Any]) -> str:
    return f"the {USUAL} of the finding" if entry["kind"] == "baseline" else str(entry["b"])


def _p(entry: Mapping[str, Any]) -> str:
    return "< 0.001" if entry["p_adjusted"] < 0.001 else f"= {entry['p_adjusted']:.3f}"
