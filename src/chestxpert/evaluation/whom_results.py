"""Whom a study's recipes work for, and the floor beneath them: subgroups and the shortcut floor of comparison.json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from chestxpert.evaluation.bootstrap import FEWER
from chestxpert.evaluation.coverage import Coverage
from chestxpert.evaluation.estimates import estimate
from chestxpert.evaluation.external_lines import Ground, Line
from chestxpert.evaluation.floor import Floor, shortcut_floor
from chestxpert.evaluation.floor_lead import lead_by_label
from chestxpert.evaluation.measured_runs import RunResult, recipe_values
from chestxpert.evaluation.partitions import Partition, partitions
from chestxpert.evaluation.recipe_results import describe_recipe
from chestxpert.evaluation.scored import Decided
from chestxpert.evaluation.study_lines import Study
from chestxpert.evaluation.subgroups import FEWEST_PATIENTS, describe_subgroups


def begin_subgroups(study: Study, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The one entry, once it is asked for; its parts are begun at once."""
    parts = partitions(study.cohort, study.cohort.rows("test"), columns)
    asked = [(study.lines[name].decided, part) for name in study.detailed for part in parts]
    return _subgroup_entry(study, parts, study.each(_subgroup, study.ground, asked))


def _subgroup_entry(
    study: Study, parts: Sequence[Partition], found: Iterator[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    yield {
        "by": [part.name for part in parts],
        "fewest_patients": FEWEST_PATIENTS,
        "draws": min(len(study.ground.draws), FEWER),
        "detailed": list(study.detailed),
        "recipes": {name: {part.name: next(found) for part in parts} for name in study.detailed},
    }


def _subgroup(ground: Ground, asked: tuple[Sequence[Decided], Partition]) -> dict[str, Any]:
    decided, part = asked
    described: dict[str, Any] = _of_parts(ground, decided, [part])[part.name]
    return described


def _of_parts(ground: Ground, runs: Sequence[Decided], parts: Sequence[Partition]) -> dict[str, Any]:
    findings = ground.cohort.label_space.findings
    return describe_subgroups(ground.scored(runs), parts, ground.draws.first(FEWER), findings)


def measured_floor(ground: Ground, columns: Sequence[str]) -> tuple[Floor, Line, dict[str, Any]] | None:
    """The floor's predictions, the floor as a line, and its means in every subgroup."""
    floor = shortcut_floor(ground.cohort)
    if floor is None:
        return None
    run = RunResult(0, floor.predictions)
    measured = [ground.measure(run)]
    line = Line([run], measured, recipe_values([run], measured, ground.primary))
    parts = partitions(ground.cohort, ground.cohort.rows("test"), columns)
    means = {
        by: {"groups": {group: {"macro": entry["macro"]} for group, entry in own["groups"].items()}}
        for by, own in _of_parts(ground, line.decided, parts).items()
    }
    return floor, line, means


def describe_floor(study: Study, found: tuple[Floor, Line, dict[str, Any]] | None) -> dict[str, Any] | None:
    """The floor measured as recipes are, and how far the detailed ones are above it, each on what it predicts."""
    if found is None:
        return None
    floor, below, subgroups = found
    cohort, ground = study.cohort, study.ground
    described = describe_recipe(below.runs, below.measured, below.values, cohort, ground.taxonomy)
    whole = Coverage.of(floor.predictions, cohort)
    leads: dict[str, dict[str, Any]] = {}
    for name in study.detailed:
        line = study.lines[name]
        mine, own = line.values, Coverage.of(line.runs[0].predictions, cohort)
        floor_there = ground.limited(below, whole, own)
        there = floor_there.values
        leads[name] = {
            metric: estimate([mine.test[metric] - there.test[metric]], [mine.draws[metric] - there.draws[metric]])
            for metric in ("macro_auroc", "macro_ap", "macro_f1", "macro_auroc_findings", "macro_ap_findings")
        }
        leads[name]["per_label"] = lead_by_label(line.measured, floor_there.measured, study.cohort.label_space.labels)
    return {
        "features": list(floor.features),
        "fitted_on": "train",
        "unfitted": list(floor.unfitted),
        "metrics": described["metrics"],
        "per_label": described["per_label"],
        "levels": described["levels"],
        "subgroups": subgroups,
        "above": leads,
    }
