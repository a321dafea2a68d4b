"""From the values of all lines to what localization.json says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chestxpert.evaluation.localization.contrasts import contrast_lines, sentences
from chestxpert.evaluation.localization.detect import AT, OVERLAPS
from chestxpert.evaluation.localization.measure import BASELINES, CHANCE, COLUMNS, USUAL, Measured
from chestxpert.evaluation.localization.summary import Groups, summarise
from chestxpert.evaluation.metrics import macro


def describe(
    lines: Mapping[str, Measured], groups: Groups, names: Sequence[str], rules: Sequence[str], simulated: bool
) -> dict[str, Any]:
    """Everything that follows from the values of the lines: estimates, the sweep over rules, contrasts and sentences.

    Parameters
    ----------
    lines : mapping of name to Measured
        Folders of maps and baselines, on the same cases.
    groups : Groups
    names : sequence of str
        Which of the lines are folders of maps.
    rules : sequence of str
        Names of the R rules of every sweep.
    simulated : bool

    Returns
    -------
    dict
        ``lines``, ``findings``, ``patients``, ``macro_findings``, ``macro``, ``sweep``, ``contrasts``, ``sentences``;
        docs/localize.md has them.
    """
    summaries = {name: summarise(line.values, groups) for name, line in lines.items()}
    contrasts = contrast_lines(lines, names, groups)
    areas = groups.means(lines[CHANCE].values)[:, COLUMNS.index("energy")]
    return {
        "lines": {"maps": list(names), "baselines": list(BASELINES)},
        "findings": {
            finding: {
                "cases": int(groups.member[place].sum()),
                "patients": groups.patients[place],
                "area": float(areas[place]),
                "lines": {name: per_finding[finding] for name, (per_finding, _) in summaries.items()},
            }
            for place, finding in enumerate(groups.findings)
        },
        "patients": groups.draws.counts.shape[1],
        "macro_findings": [name for name, inside in zip(groups.findings, groups.counted, strict=True) if inside],
        "macro": {name: over for name, (_, over) in summaries.items()},
        "sweep": {name: _sweep(lines[name], groups, rules) for name in [*names, USUAL]},
        "contrasts": contrasts,
        "sentences": sentences(contrasts, simulated),
    }


def _sweep(line: Measured, groups: Groups, rules: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Mean over findings of the share of boxes found, at each T, under each rule."""
    result = {}
    for place, rule in enumerate(rules):
        found = macro(groups.means(line.sweep[:, place])[groups.counted], axis=0)
        result[rule] = {name: found[i * len(AT) : (i + 1) * len(AT)].tolist() for i, name in enumerate(OVERLAPS)}
    return result
