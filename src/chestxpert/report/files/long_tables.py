"""Which long tables of numbers a study has: their names, what is in them, and what makes their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chestxpert.report.files import numbers, numbers_cohort, numbers_evidence, numbers_tree
from chestxpert.report.files.tidy import Record
from chestxpert.report.read import StudyFolder
from chestxpert.report.results import Results

OF_RESULTS: dict[str, tuple[str, Callable[[Results], Iterable[Record]]]] = {
    "recipes": ("every metric of every recipe and derived line", numbers.recipes),
    "contrasts": ("differences between recipes, their intervals and tests", numbers.contrasts),
    "seeds": ("every metric of every single seed", numbers.seeds),
    "derived": ("constants of what was made of stored predictions", numbers.derived),
    "derived-contrasts": ("what corrections and ensembles change", numbers.derived_contrasts),
    "findings": ("every metric of every finding", numbers.findings),
    "thresholds": ("thresholds, one a seed", numbers.thresholds),
    "groups": ("metrics of head, medium and tail", numbers.groups),
    "levels": ("metrics of each level and inner node of the tree", numbers.levels),
    "subgroups": ("metrics of each subgroup", numbers_evidence.subgroups),
    "subgroups-gaps": ("subgroups minus their reference", numbers_evidence.subgroups_gaps),
    "calibration": ("calibration errors and fits", numbers_evidence.calibration),
    "calibration-bins": ("bins of the reliability diagrams", numbers_evidence.calibration_bins),
    "decision": ("decision curves", numbers_evidence.decision),
    "operating": ("what recipes do at their thresholds", numbers_evidence.operating),
    "floor": ("what view, age and sex alone reach", numbers.floor),
    "agreement": ("agreement of two sources of labels", numbers_evidence.agreement),
    "agreement-recipes": ("recipes measured against either source", numbers_evidence.agreement_recipes),
    "tree": ("cases found, and lost at which decision", numbers_tree.tree),
    "confusion": ("counts at every node of the tree", numbers_tree.confusion),
    "cases": ("hierarchies against flat recipes, case by case", numbers_tree.cases),
    "perfect": ("what perfect decisions would be worth", numbers_tree.perfect),
    "costs": ("what each recipe costs", numbers.costs),
}
OF_STUDY: dict[str, tuple[str, Callable[[StudyFolder], Iterable[Record]]]] = {
    "cohort": ("images and patients of each split", numbers_cohort.cohort),
    "distribution": ("images with each finding in each split", numbers_cohort.distribution),
    "cooccurrence": ("images with two findings", numbers_cohort.cooccurrence),
    "learning": ("every epoch of every network", numbers_cohort.learning),
}


def long_tables(study: StudyFolder) -> dict[str, list[Record]]:
    """Every long table that has rows in this study, by the name of its file without ``.csv``."""
    rows = {name: list(make(study.results)) for name, (_, make) in OF_RESULTS.items()}
    rows |= {name: list(make(study)) for name, (_, make) in OF_STUDY.items()}
    return {name: records for name, records in rows.items() if records}


def what_is_in(name: str) -> str:
    """Words for one of the tables."""
    return OF_RESULTS[name][0] if name in OF_RESULTS else OF_STUDY[name][0]
