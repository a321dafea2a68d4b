"""The shortcut floor is drawn wherever it has a value, at that value, and its number stands in the table beside."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from chestxpert.evaluation.floor import shortcut_floor
from chestxpert.report.build import draw_figures
from chestxpert.report.evidence.tables import floor_words
from chestxpert.report.figure import Figure
from chestxpert.report.figure_recipes import recipes_figure
from chestxpert.report.read import StudyFolder, read_study
from chestxpert.report.results import Results
from chestxpert.report.scales import decimal
from chestxpert.report.shortcut import NAME

WITHOUT = {
    "fig-contrasts": "differences",
    "fig-reliability": "calibration",
    "fig-decision": "net benefit",
    "fig-tree": "shares of cases",
    "fig-cases": "shares of cases",
    "fig-distribution": "counts",
    "fig-cooccurrence": "counts",
    "fig-learning": "validation by epoch",
    "fig-costs": "costs",
}
"""Figures of something that the floor has not."""


@pytest.fixture(scope="module")
def study(study_folder: Path) -> StudyFolder:
    return read_study(study_folder)


@pytest.fixture(scope="module")
def figures(study: StudyFolder) -> dict[str, Figure]:
    return draw_figures(study)


def lines(figure: Figure) -> list[ElementTree.Element]:
    """The floor's marks in the drawings for wide screens, or in all of a grid."""
    drawings = ElementTree.fromstring(f"<div>{figure.picture}</div>")
    shown = [each for each in drawings if figure.grid or each.get("class") == "wide"]
    return [node for each in shown for node in each.iter() if node.get("class", "") in ("floor", "curve floor")]


def written(figure: Figure) -> list[str]:
    return [cell for table in figure.tables for row in [table.head, *table.rows] for cell in row]


def test_every_figure_of_a_metric_that_it_has_draws_it(figures: dict[str, Figure]) -> None:
    drawn = {anchor for anchor, figure in figures.items() if lines(figure)}
    assert drawn == figures.keys() - WITHOUT.keys()
    for anchor in drawn:
        figure = figures[anchor]
        assert "shortcut floor" in figure.caption
        assert [key.kind for key in figure.keys].count("floor") == 1
        assert NAME in " ".join([*written(figure), *(table.note for table in figure.tables)])


def test_its_numbers_are_those_of_the_comparison(study: StudyFolder, figures: dict[str, Figure]) -> None:
    floor = study.results.comparison["floor"]
    for anchor, wanted in {
        "fig-recipes": floor["metrics"]["macro_f1"]["mean"],
        "fig-seeds": floor["metrics"]["macro_ap"]["mean"],
        "fig-findings": floor["per_label"]["Effusion"]["auroc"]["mean"],
        "fig-levels": floor["levels"]["means"]["2"]["ap"]["mean"],
        "fig-subgroups": floor["subgroups"]["sex"]["groups"]["male"]["macro"]["auroc"]["mean"],
        "fig-pr": floor["per_label"]["Mass"]["f1"]["mean"],
        "fig-roc": floor["per_label"]["Mass"]["auroc"]["mean"],
        "fig-perfect": floor["metrics"]["macro_ap_findings"]["mean"],
        "fig-groups": floor["metrics"]["macro_ap_medium"]["mean"],
    }.items():
        assert any(cell.split(" ")[0] == decimal(float(wanted)) for cell in written(figures[anchor])), anchor


def test_a_group_s_floor_is_the_mean_that_the_comparison_has(study: StudyFolder, figures: dict[str, Figure]) -> None:
    (row,) = [row for row in figures["fig-groups"].tables[1].rows if row[0] == NAME]
    metrics = study.results.comparison["floor"]["metrics"]
    there = [group for group in ("head", "medium", "tail") if study.results.comparison["groups"]["findings"][group]]
    assert row[1:] == [decimal(metrics[f"macro_ap_{group}"]["mean"]) for group in there]


def test_its_curve_has_the_area_of_its_number(study: StudyFolder, figures: dict[str, Figure]) -> None:
    floor = shortcut_floor(study.cohort)
    assert floor is not None
    rows, column = study.cohort.rows("test"), study.cohort.label_space.index("Effusion")
    truth, probs = study.cohort.labels(rows)[:, column], floor.predictions.align(study.cohort, "test")[0][:, column]
    assert study.results.floor("auroc", "Effusion") == pytest.approx(roc_auc_score(truth, probs))
    assert study.results.floor("ap", "Effusion") == pytest.approx(average_precision_score(truth, probs))
    drawing = next(
        each for each in ElementTree.fromstring(f"<div>{figures['fig-roc'].picture}</div>")
        if str(each.get("aria-label")).startswith("Effusion")
    )  # fmt: skip
    (curve,) = [node for node in drawing.iter("path") if node.get("class") == "curve floor"]
    points = np.array([pair.split(" ") for pair in re.findall(r"[\d.]+ [\d.]+", curve.get("d", ""))], dtype=float)
    across, up = points[:, 0] - points[0, 0], points[0, 1] - points[:, 1]
    area = np.trapezoid(up / up[-1], across / across[-1])
    assert area == pytest.approx(roc_auc_score(truth, probs), abs=0.01)  # drawn to half a pixel


def test_a_comparison_without_a_floor_draws_none(study: StudyFolder) -> None:
    bare: dict[str, Any] = {key: value for key, value in study.results.comparison.items() if key != "floor"}
    for figure in draw_figures(StudyFolder(**{**vars(study), "results": Results(bare)})).values():
        assert not lines(figure)
        assert NAME not in " ".join([figure.caption, *written(figure), *(key.words for key in figure.keys)])


def test_a_recipe_is_called_above_it_only_where_its_interval_is(study: StudyFolder) -> None:
    values = copy.deepcopy(dict(study.results.comparison))
    name, other = study.results.best
    values["floor"]["above"][name]["macro_auroc_findings"] |= {"mean": 0.02, "low": -0.01, "high": 0.05}
    values["floor"]["above"][other]["macro_auroc_findings"] |= {"mean": 0.2, "low": 0.1, "high": 0.3}
    words = floor_words(Results(values))
    assert f"{name} is not shown to be above it; the difference is 0.020" in words
    assert f"{other} is above it by 0.200 [0.100, 0.300]." in words


def test_without_differences_no_next_figure_is_promised(study: StudyFolder) -> None:
    values = dict(study.results.comparison)
    assert "read the next figure" in recipes_figure(Results(values)).caption
    assert "next figure" not in recipes_figure(Results(values | {"contrasts": []})).caption
