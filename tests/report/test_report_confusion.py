"""The confusion tables show the counts of the comparison, and the shares that follow from them."""

import copy
import re
from pathlib import Path

import pytest

from chestxpert.labels import NIH15
from chestxpert.report.confusion_tables import confusion_tables
from chestxpert.report.read import StudyFolder, read_study
from chestxpert.report.results import Results
from chestxpert.report.stored_values import Confusion
from chestxpert.taxonomy import study_taxonomy

TREE = study_taxonomy(NIH15)
ALONE = {"tp": 3, "fp": 1, "fn": 9, "tn": 1987}
ROUTED = {"tp": 0, "fp": 0, "fn": 12, "tn": 5}


@pytest.fixture(scope="module")
def study(study_folder: Path) -> StudyFolder:
    return read_study(study_folder)


def _with_nodes(study: StudyFolder, nodes: object) -> Results:
    comparison = copy.deepcopy(dict(study.results.comparison))
    comparison["recipes"] = {"hierarchical-shared": comparison["recipes"]["hierarchical-shared"]}
    comparison["recipes"]["hierarchical-shared"]["tree"]["nodes"] = nodes
    return Results(comparison)


def test_one_table_a_hierarchical_recipe_and_one_row_a_node(study: StudyFolder) -> None:
    tables = confusion_tables(study.results, TREE)
    assert [table.note for table in tables] == ["hierarchical-cascade", "hierarchical-shared"]
    for table in tables:
        assert [row[1].replace(" ", "_") for row in table.rows] == [node.replace(" ", "_") for node in TREE.nodes]
        assert [row[0] for row in table.rows] == [TREE.decision_of(node).name for node in TREE.nodes]
        assert {len(row) for row in table.rows} == {len(table.head)} == {sum(span for _, span in table.groups)}


def test_the_cells_are_the_counts_and_the_shares_that_follow(study: StudyFolder) -> None:
    results = _with_nodes(study, {"Mass": {"decision": "B", "given_parent": ALONE, "routed": ROUTED}})
    (table,) = confusion_tables(results, TREE)
    thin = "\N{NARROW NO-BREAK SPACE}"
    alone, routed = ["3", "1", "9", f"1{thin}987", "0.75", "0.25"], ["0", "0", "12", "5", "not defined", "0.00"]
    assert table.rows == [["B", "Mass", *alone, *routed]]


def test_means_over_seeds_keep_a_decimal(study: StudyFolder) -> None:
    results = _with_nodes(study, {"Mass": {"given_parent": {**ALONE, "tp": 10 / 3}, "routed": ROUTED}})
    (table,) = confusion_tables(results, TREE)
    assert table.rows[0][2:4] == ["3.3", "1.0"]


def test_cases_of_a_node_are_the_same_by_itself_and_under_routing(study: StudyFolder) -> None:
    for node in TREE.nodes:
        alone, routed = study.results.confusion("hierarchical-cascade", node)
        assert isinstance(alone, Confusion)
        assert isinstance(routed, Confusion)
        assert alone.tp + alone.fn == pytest.approx(routed.tp + routed.fn)
        assert (alone.recall or 0) >= (routed.recall or 0)


@pytest.mark.parametrize("nodes", [{}, None, [], {"Mass": None}, {"Mass": {"given_parent": {"tp": 1}}}])
def test_absent_counts_give_no_table(study: StudyFolder, nodes: object) -> None:
    assert confusion_tables(_with_nodes(study, nodes), TREE) == []


def test_half_a_node_gives_empty_cells(study: StudyFolder) -> None:
    (table,) = confusion_tables(_with_nodes(study, {"Mass": {"routed": ROUTED}}), TREE)
    assert table.rows[0][2:8] == [""] * 6
    assert table.rows[0][10] == "12"


def test_the_page_has_the_tables_beneath_the_figure_with_words_how_to_read_them(study_folder: Path) -> None:
    page = (study_folder / "report.html").read_text(encoding="utf-8")
    section = page[page.index('<figure id="fig-tree"') : page.index('<section id="data"')]
    beneath = section[section.index("</figure>") :]
    assert beneath.count('class="grouped"') == 2
    assert "where the node above truly holds" in beneath
    assert "turned away higher up" in beneath
    rows = re.findall(r'<tr><th scope="row">[ABC]</th>', beneath)
    assert len(rows) == 2 * len(TREE.nodes)
