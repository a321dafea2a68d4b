"""Builds report.html: reads the study folder, draws every figure, fills the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chestxpert.cohort.frequency import GROUPS, frequency_groups
from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.floor import shortcut_floor
from chestxpert.files import write_text
from chestxpert.report.cohort_table import cohort_table
from chestxpert.report.confusion_tables import confusion_tables
from chestxpert.report.counts import Counts
from chestxpert.report.evidence.figure_decision import decision_figure
from chestxpert.report.evidence.figure_groups import groups_figure
from chestxpert.report.evidence.figure_reliability import reliability_figure
from chestxpert.report.evidence.figure_seeds import seeds_figure
from chestxpert.report.evidence.figure_subgroups import subgroups_figure
from chestxpert.report.evidence.stored import has_interval
from chestxpert.report.evidence.tables import (
    agreement_tables,
    agreement_words,
    floor_words,
    operating_tables,
    threshold_words,
)
from chestxpert.report.external import ABSENT, external_words
from chestxpert.report.figure import Figure
from chestxpert.report.figure_cases import cases_figure
from chestxpert.report.figure_contrasts import contrasts_figure
from chestxpert.report.figure_costs import costs_figure
from chestxpert.report.figure_derived import derived_contrasts_figure, derived_figure
from chestxpert.report.figure_findings import findings_figure
from chestxpert.report.figure_learning import learning_figure
from chestxpert.report.figure_levels import levels_figure
from chestxpert.report.figure_perfect import perfect_figure
from chestxpert.report.figure_recipes import recipes_figure
from chestxpert.report.figure_tree import tree_figure
from chestxpert.report.figures_cohort import cooccurrence_figure, distribution_figure
from chestxpert.report.figures_curves import Scores, precision_recall_figure, roc_figure
from chestxpert.report.gallery.build import build_gallery
from chestxpert.report.methods.write import methods_section
from chestxpert.report.page import render
from chestxpert.report.provenance import commands, frozen_recipes, provenance_table, recipe_texts
from chestxpert.report.read import StudyFolder, read_study
from chestxpert.report.results import MOST_DRAWN, Results, finding_name, metric_name
from chestxpert.report.scales import decimal, grouped, signed
from chestxpert.report.shortcut import stored_floor
from chestxpert.report.words import times
from chestxpert.taxonomy import Taxonomy

REPORT = "report.html"


def build_report(study_folder: Path, images: bool = True) -> Path:
    """Draw the report of a compared study.

    Parameters
    ----------
    study_folder : Path
        With study.yaml, cohort.parquet, comparison.json and runs/RECIPE/seed-K/.
    images : bool
        Whether the gallery of errors has pictures, where the data set is still there. They are images of patients:
        leave them out of a page that goes where its data set may not.

    Returns
    -------
    Path
        Of report.html in that folder: one file that needs nothing else, written aside and then renamed.

    Raises
    ------
    RunError
        If a part of the study is missing or unreadable.
    """
    study = read_study(Path(study_folder))
    path = study.folder / REPORT
    write_text(path, render("report.html", _context(study, images)))
    return path


def _context(study: StudyFolder, images: bool) -> dict[str, Any]:
    results = study.results
    figures, evidence = draw_figures(study), evidence_of(study)
    gallery = build_gallery(study, Counts.of(study.cohort).findings, images)
    there = {
        "tree": _trees(study),
        "derived": "fig-derived" in figures,
        "whom": "fig-subgroups" in figures,
        "trust": evidence["operating"] or figures.keys() & {"fig-reliability", "fig-decision"},
        "labels": evidence["agreement"],
        "errors": gallery,
        "training": results.recipes,
        "recipes": results.recipes,
    }
    return evidence | {
        "gallery": gallery,
        "methods": methods_section(study),
        "filters": _filters(study),
        "missing": [section for section, found in there.items() if not found],
        "title": study.folder.resolve().name,
        "simulated": study.cohort.simulated,
        "verdict": results.verdict,
        "facts": _facts(study),
        "answer": _answer(results),
        "lopsided": has_interval(results.comparison, "jackknife"),
        "threshold_rule": results.comparison.get("operating", {}).get("sentence"),
        "figures": figures,
        "trees": trees_shown(study),
        "cohort_table": cohort_table(study.cohort),
        "unknown": unknown_words(study.cohort),
        "not_learnt": results.not_learnt_words,
        "provenance": provenance_table(study),
        "recipes": recipe_texts(study),
        "externals": external_words(results),
        "externals_absent": ABSENT,
        "commands": commands(study),
        "baseline": results.baseline,
        "cohort_fingerprint": study.cohort.fingerprint,
    }


def _filters(study: StudyFolder) -> dict[str, Any] | None:
    """What a reader may choose from: groups of findings, and recipes; None where there is nothing to choose."""
    results, cohort = study.results, study.cohort
    findings = list(cohort.label_space.findings)
    counts, known = cohort.counts("train"), cohort.known_counts("train")
    placed = frequency_groups({name: counts[name] for name in findings}, known)
    groups = [{"name": "all", "findings": [finding_name(name) for name in cohort.label_space.labels]}]
    for group in GROUPS:
        members = [finding_name(name) for name in findings if placed[name] == group]
        groups += [{"name": group, "findings": members}] if members else []
    recipes = [
        {"name": name, "side": results.side(name), "best": name in results.best} for name in results.members
    ]  # fmt: skip
    return {"groups": groups, "recipes": recipes} if len(groups) > 2 or len(recipes) > 1 else None


def evidence_of(study: StudyFolder) -> dict[str, Any]:
    """Tables and sentences that stand beside the figures; empty where an older comparison lacks them."""
    results, labels = study.results, Counts.of(study.cohort).labels
    return {
        "floor": floor_words(results),
        "thresholds": threshold_words(results),
        "operating": operating_tables(results, labels),
        "agreement": agreement_tables(results, labels),
        "agreement_words": agreement_words(results),
    }


def _facts(study: StudyFolder) -> list[str]:
    results, cohort = study.results, study.cohort
    seeds = max((len(results.seeds(name)) for name in results.recipes), default=0)
    backbones = dict.fromkeys(
        str(backbone["name"])
        for runs in study.runs.values()
        for run in runs.values()
        for backbone in [run.environment.get("backbone", {}), *run.environment.get("backbones", {}).values()]
        if "name" in backbone
    )
    return [
        f"{grouped(len(cohort))} images of {grouped(cohort.n_patients())} patients",
        *([f"{len(results.recipes)} recipes, {seeds} {'seed' if seeds == 1 else 'seeds'} each"] if seeds else []),
        *([f"predictions of {times(len(results.externals), 'other tool')}"] if results.externals else []),
        *([f"backbone {', '.join(backbones)}"] if backbones else []),
    ]


def _answer(results: Results) -> dict[str, Any] | None:
    """The best of each side and their difference on the primary metric, as words for the top of the page."""
    decisive = results.decisive
    if decisive is None or len(results.best) < 2:
        return None
    sides = [
        {
            "name": name,
            "side": results.side(name),
            "mean": decimal(estimate.mean),
            "interval": f"{decimal(estimate.low)} to {decimal(estimate.high)}",
        }
        for name in results.best
        for estimate in [results.metric(name, results.primary)]
    ]
    return {
        "metric": metric_name(results.primary),
        "sides": sides,
        "difference": signed(decisive.difference),
        "interval": f"{signed(decisive.low)} to {signed(decisive.high)}",
        "shown": decisive.clear,
    }


def _trees(study: StudyFolder) -> list[tuple[Taxonomy, list[str]]]:
    """Each tree that a recipe of the study goes down, and the recipes that do; that of the best recipe first."""
    found: list[tuple[Taxonomy, list[str]]] = []
    for name, seeds in study.runs.items():
        tree = next((run.predictions.taxonomy for run in seeds.values()), None)
        if tree is None:
            continue
        same = next((names for other, names in found if other == tree), None)
        if same is None:
            found.append((tree, [name]))
        else:
            same.append(name)
    return sorted(found, key=lambda tree: not set(study.results.best) & set(tree[1]))


def _tree_anchor(number: int, kind: str = "fig-tree") -> str:
    return kind if number == 0 else f"{kind}-{number + 1}"


def _tree_figures(study: StudyFolder, findings: Sequence[str], tested: Mapping[str, int]) -> Iterator[Figure | None]:
    """What is drawn of each tree: cases lost, cases against a flat recipe, what perfect decisions would be worth."""
    results = study.results
    for number, (tree, recipes) in enumerate(_trees(study)):
        yield tree_figure(results, tree, findings, tested, recipes, _tree_anchor(number))
        yield cases_figure(results, tree, findings, recipes, _tree_anchor(number, "fig-cases"))
        yield perfect_figure(results, tree, findings, recipes, _tree_anchor(number, "fig-perfect"))


def trees_shown(study: StudyFolder) -> list[dict[str, Any]]:
    """What the page says of each tree: the tree, its recipes, its figures' anchors, and the confusion at its nodes."""
    return [
        {
            "tree": tree,
            "recipes": recipes,
            "anchors": [_tree_anchor(number, kind) for kind in ("fig-tree", "fig-cases", "fig-perfect")],
            "confusions": confusion_tables(study.results, tree, recipes),
            "folded": number >= MOST_DRAWN,
        }
        for number, (tree, recipes) in enumerate(_trees(study))
    ]


def draw_figures(study: StudyFolder) -> dict[str, Figure]:
    """Every figure that this study has, by anchor, in the order of the page."""
    results, cohort, counts = study.results, study.cohort, Counts.of(study.cohort)
    tested, share = counts.by_split["test"], counts.shares("test")
    columns = [cohort.label_space.index(label) for label in counts.labels]
    scores = _scores(study, results.drawn)
    histories = {name: {seed: run.history for seed, run in runs.items()} for name, runs in study.runs.items()}
    figures = [
        recipes_figure(results),
        contrasts_figure(results) if results.contrasts else None,
        seeds_figure(results),
        derived_figure(results),
        derived_contrasts_figure(results),
        findings_figure(results, counts.labels, tested, share),
        groups_figure(results),
        levels_figure(results),
        subgroups_figure(results, counts.findings),
        reliability_figure(results, counts.labels),
        decision_figure(results, counts.labels),
        precision_recall_figure(results, counts.labels, columns, scores),
        roc_figure(results, counts.labels, columns, scores),
        *_tree_figures(study, counts.findings, tested),
        distribution_figure(counts.labels, counts.by_split, counts.known, counts.sizes),
        _cooccurrence(cohort, counts.findings),
        learning_figure(results, histories) if results.recipes else None,
        costs_figure(results, frozen_recipes(study)) if results.recipes else None,
    ]
    return {figure.anchor: figure for figure in figures if figure is not None}


def _cooccurrence(cohort: Cohort, findings: Sequence[str]) -> Figure:
    columns = [cohort.label_space.index(finding) for finding in findings]
    known = None if cohort.all_known else cohort.known()[:, columns]
    return cooccurrence_figure(findings, cohort.labels()[:, columns], known)


def _scores(study: StudyFolder, names: Sequence[str]) -> Scores:
    """Test truth and probabilities of some recipes, a table a seed."""
    cohort = study.cohort
    probs = {name: [run.align(cohort, "test")[0] for run in study.predictions(name)] for name in names}
    rows = cohort.rows("test")
    floor = shortcut_floor(cohort) if stored_floor(study.results) else None
    shortcut = None if floor is None else floor.predictions.align(cohort, "test")[0]
    return Scores(cohort.labels(rows), probs, None if cohort.all_known else cohort.known(rows), shortcut)


def unknown_words(cohort: Cohort) -> str:
    """How much is unknown, in a sentence; empty where nothing is."""
    if cohort.all_known:
        return ""
    unknown = ~cohort.known()
    images = int(unknown.any(axis=1).sum())
    return (
        f"{grouped(unknown.sum())} of {grouped(unknown.size)} labels are unknown (uncertain, or not given), on "
        f"{grouped(images)} of {grouped(len(cohort))} images. Every count, share and metric of a label leaves the "
        "images out of which it is unknown; none of them counts as free of the finding."
    )
