"""A study of many recipes and trees stays readable: three hierarchies are drawn, all are told, long names fit."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from report_pages import Page

from chestxpert.labels import NIH15
from chestxpert.report.build import build_report
from chestxpert.report.canvas import SPOKEN, spoken
from chestxpert.report.figure import Figure
from chestxpert.report.figure_contrasts import contrasts_figure
from chestxpert.report.figure_perfect import perfect_figure
from chestxpert.report.figure_recipes import recipes_figure
from chestxpert.report.figure_tree import tree_figure
from chestxpert.report.read import StudyFolder, read_study
from chestxpert.report.results import Results
from chestxpert.taxonomy import study_taxonomy

TREE = study_taxonomy(NIH15)
LONG = "hierarchical-shared-with-a-name-of-a-sweep-loss.kind-asl-optimizer.lr-0.0001-stage.kind-tau"


@pytest.fixture(scope="module")
def study(study_folder: Path) -> StudyFolder:
    return read_study(study_folder)


@pytest.fixture(scope="module")
def many(study: StudyFolder) -> Results:
    """28 recipes: those of the study, and one of them again under other names, worse on validation."""
    comparison: dict[str, Any] = copy.deepcopy(dict(study.results.comparison))
    of, primary = "hierarchical-shared", study.results.primary
    contrasts = [c for c in comparison["contrasts"] if c["a"] == of and c["kind"] != "best"]
    for number in range(22):
        name = LONG if number == 0 else f"hierarchical-{number:02d}"
        comparison["recipes"][name] = copy.deepcopy(comparison["recipes"][of])
        comparison["recipes"][name]["validation"][primary] = 0.001 * number
        comparison["diagnosis"]["recipes"][name] = comparison["diagnosis"]["recipes"][of]
        comparison["contrasts"] += [contrast | {"a": name} for contrast in contrasts]
    return Results(comparison)


def drawn(figure: Figure | None) -> str:
    assert figure is not None
    return str(figure.picture)


def test_three_hierarchies_are_drawn_and_all_are_in_the_tables(many: Results) -> None:
    names = [name for name in many.recipes if many.hierarchical(name)]
    best = {"hierarchical-cascade", "hierarchical-shared", "hierarchical-21"}
    tested = dict.fromkeys(NIH15.findings, 5)
    for figure in (tree_figure(many, TREE, NIH15.findings, tested), perfect_figure(many, TREE, NIH15.findings, names)):
        assert figure is not None
        assert {name for name in names if f">{name}<" in drawn(figure)} == best
        told = {cell for table in figure.tables for row in table.rows for cell in row[:2]}
        assert set(names) <= told
        assert "Drawn are the 3 best on validation; all 24 stand" in figure.caption


def test_few_hierarchies_are_all_drawn_and_nothing_is_said_of_it(study: StudyFolder) -> None:
    figure = tree_figure(study.results, TREE, NIH15.findings, dict.fromkeys(NIH15.findings, 5))
    assert figure is not None
    assert "Drawn are" not in figure.caption


def test_the_best_of_a_side_is_drawn_whatever_its_score(many: Results) -> None:
    last = [LONG, "hierarchical-21", "hierarchical-20", "hierarchical-cascade", many.best[1]]
    assert many.foremost(last, 1) == [many.best[1]]
    assert many.foremost([]) == []


def test_a_long_name_is_shortened_where_it_is_drawn_and_whole_in_the_table(many: Results) -> None:
    figure = recipes_figure(many)
    labels = re.findall(r"<text [^>]*>(?:<title>[^<]*</title>)?([^<]*)</text>", drawn(figure))
    assert LONG not in labels
    assert any(label.startswith("hierarch") and "\N{HORIZONTAL ELLIPSIS}" in label for label in labels)
    assert f"<title>{LONG}</title>" in drawn(figure)
    assert LONG in [row[0] for row in figure.tables[0].rows]


def test_a_forest_longer_than_a_sheet_is_a_drawing_a_metric_on_one_scale(study: StudyFolder, many: Results) -> None:
    assert drawn(contrasts_figure(study.results)).count("<svg") == 2
    picture = drawn(contrasts_figure(many))
    assert picture.count("<svg") == 2 * 3
    heights = [float(height) for height in re.findall(r'class="wide".*? height="([\d.]+)"', picture)]
    assert max(heights) * 688 / 820 < 1000  # pixels of A4 less its margins
    zeros = re.findall(r'<svg class="wide".*?<line class="reference" x1="([\d.]+)"', picture)
    assert len(set(zeros)) == 1


def test_a_screen_reader_is_given_whole_parts_and_told_of_the_rest() -> None:
    short = "Values: a 1; b 2"
    assert spoken(short) == short
    long = "Values: " + "; ".join(f"recipe-{number} 0.123 [0.100, 0.150]" for number in range(60))
    assert len(spoken(long)) < SPOKEN + 50
    assert re.fullmatch(r"Values: .*0\.150\]; and more, in the table of its numbers\.", spoken(long))


def test_trees_beyond_three_are_folded(study_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chestxpert.report.build.MOST_DRAWN", 0)
    page = Page(build_report(study_copy))
    assert page.misplaced == []
    section = page.source[page.source.index('<section id="tree"') : page.source.index('<section id="data"')]
    folded = section[section.index('<details class="other-tree">') :]
    assert "The tree study, of hierarchical-cascade, hierarchical-shared" in folded
    assert re.findall(r'<figure id="([a-z-]+)"', folded) == ["fig-tree", "fig-cases", "fig-perfect"]
