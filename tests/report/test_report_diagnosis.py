"""The figures of the diagnosis and of the levels show what the comparison says, and nothing where it is silent."""

import copy
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from report_pages import Page

from chestxpert.labels import NIH15
from chestxpert.report import build_report
from chestxpert.report.diagnosed import Diagnosis
from chestxpert.report.figure import Figure
from chestxpert.report.figure_cases import cases_figure
from chestxpert.report.figure_levels import levels_figure
from chestxpert.report.figure_perfect import perfect_figure
from chestxpert.report.read import StudyFolder, read_study
from chestxpert.report.results import Results
from chestxpert.report.scales import decimal, signed
from chestxpert.taxonomy import study_taxonomy

TREE = study_taxonomy(NIH15)
BOTH = ("hierarchical-cascade", "hierarchical-shared")


@pytest.fixture(scope="module")
def study(study_folder: Path) -> StudyFolder:
    return read_study(study_folder)


def without(study: StudyFolder, *keys: str) -> Results:
    comparison: dict[str, Any] = copy.deepcopy(dict(study.results.comparison))
    for key in keys:
        comparison.pop(key, None)
        for recipe in comparison["recipes"].values():
            recipe.pop(key, None)
    return Results(comparison)


def wide(figure: Figure | None) -> ElementTree.Element:
    assert figure is not None
    return next(iter(ElementTree.fromstring(f"<div>{figure.picture}</div>")))


def tips(drawing: ElementTree.Element, start: str) -> list[ElementTree.Element]:
    return [node for node in drawing.iter() if (node.findtext("title") or "").startswith(start)]


def number(node: ElementTree.Element, key: str) -> float:
    return float(node.get(key, "nan"))


def zero_of(drawing: ElementTree.Element, panel: int) -> float:
    return [number(node, "x1") for node in drawing.iter("line") if node.get("class") == "reference"][panel]


def test_what_one_alone_finds_lies_on_its_side_and_is_as_long_as_its_share(study: StudyFolder) -> None:
    drawing = wide(cases_figure(study.results, TREE, NIH15.findings, BOTH))
    diagnosis = Diagnosis(study.results)
    (name, _), flat = diagnosis.recipes(BOTH), diagnosis.against[0]
    zero = zero_of(drawing, 0)
    pixels = []
    for finding in NIH15.findings:
        pair = diagnosis.pair(name, flat, finding)
        assert pair is not None
        for part in tips(drawing, finding.replace("_", " ") + ": "):
            title, kind = part.findtext("title") or "", part.get("class", "")
            if part.tag != "rect" or not kind.startswith("part"):
                continue
            left, width = number(part, "x"), number(part, "width")
            if "only hierarchical" in title:
                assert left == pytest.approx(zero, abs=0.1)
                pixels.append(width / pair.only_hierarchical)
            else:
                assert left + width <= zero + 0.11
                pixels.append(width / pair.only_flat[title[-1]])
                assert kind == f"part lost-{'ABC'.index(title[-1])}"
    assert len(pixels) > 28
    # A share and its pixels go together, but for coordinates rounded to a tenth.
    assert sorted(pixels)[3] == pytest.approx(sorted(pixels)[-4], rel=0.2)


def test_the_recall_panel_marks_both_differences_where_they_belong(study: StudyFolder) -> None:
    drawing = wide(cases_figure(study.results, TREE, NIH15.findings, BOTH))
    diagnosis = Diagnosis(study.results)
    name, flat = diagnosis.recipes(BOTH)[0], diagnosis.against[0]
    zero = zero_of(drawing, 1)
    for finding in (None, *NIH15.findings):
        pair = (
            diagnosis.mean_pair(name, flat, NIH15.findings) if finding is None else diagnosis.pair(name, flat, finding)
        )
        assert pair is not None
        who = "mean of findings" if finding is None else finding.replace("_", " ")
        (ring,) = [node for node in tips(drawing, f"{who}: recall") if node.tag == "circle"]
        (square,) = [node for node in tips(drawing, f"{who}: recall") if node.tag == "rect"]
        assert signed(pair.recall.mean) in (ring.findtext("title") or "")
        assert signed(pair.matched.mean) in (square.findtext("title") or "")
        for place, estimate in ((number(ring, "cx"), pair.recall), (number(square, "x") + 3.5, pair.matched)):
            assert estimate.mean is not None
            assert (place - zero) * estimate.mean >= -0.01


def test_the_reader_gives_every_number_its_own_name(study: StudyFolder) -> None:
    stored = study.results.comparison["diagnosis"]
    images = study.results.comparison["cohort"]["images"]["test"]
    for flat in stored["against"]:
        own, other = stored["recipes"]["hierarchical-shared"]["findings"]["Mass"], stored["flat"][flat]["Mass"]
        cells, n = own["against"][flat], own["n"]
        pair = Diagnosis(study.results).pair("hierarchical-shared", flat, "Mass")
        assert pair is not None
        assert (pair.n, pair.both * n, pair.only_hierarchical * n) == pytest.approx(
            (n, cells["both"], cells["only_hierarchical"])
        )
        assert {d: share * n for d, share in pair.only_flat.items()} == pytest.approx(cells["only_flat"])
        assert {d: share * n for d, share in pair.neither.items()} == pytest.approx(cells["neither"])
        assert pair.false_alarms == pytest.approx((own["false_alarms"] / images, other["false_alarms"] / images))
        assert pair.seeds == pytest.approx(other["one_run_only"] / n)
        assert pair.recall.low == cells["recall_difference"]["low"]
        assert pair.matched.low == cells["matched"]["recall_difference"]["low"] != pair.recall.low


def test_the_best_on_validation_is_drawn_and_every_pair_has_its_table(study: StudyFolder) -> None:
    figure = cases_figure(study.results, TREE, NIH15.findings, BOTH)
    assert figure is not None
    best = study.results.best
    assert figure.title == f"Case by case: {best[1]} against {best[0]}"
    drawn, *counts = figure.tables
    assert [row[0] for row in drawn.rows][:2] == ["mean of findings", "Atelectasis"]
    assert len(counts) == 2 * len(Diagnosis(study.results).against)
    for table in counts:
        assert [row[0].replace(" ", "_") for row in table.rows] == [name.replace(" ", "_") for name in NIH15.findings]
        assert {len(row) for row in table.rows} == {len(table.head)}
        for row in table.rows:
            cells = [float(cell.replace("\N{NARROW NO-BREAK SPACE}", "")) for cell in row[1:8] if cell]
            assert sum(cells[1:]) == pytest.approx(cells[0], abs=0.3)  # each cell is rounded to a tenth
    majority = next(row for row in counts[0].rows if row[0] == "Mass")
    assert majority[6] == ""  # Mass is never asked for at C


def test_the_mean_is_over_the_findings_with_cases(study: StudyFolder) -> None:
    diagnosis = Diagnosis(study.results)
    name, flat = diagnosis.recipes(BOTH)[0], diagnosis.against[0]
    whole = diagnosis.mean_pair(name, flat, NIH15.findings)
    pairs = [diagnosis.pair(name, flat, finding) for finding in NIH15.findings]
    assert whole is not None
    assert whole.both == pytest.approx(sum(pair.both for pair in pairs if pair) / 14)
    total = whole.both + whole.only_hierarchical + sum(whole.only_flat.values()) + sum(whole.neither.values())
    assert total == pytest.approx(1)
    assert whole.recall.mean == pytest.approx(whole.only_hierarchical - sum(whole.only_flat.values()))


def test_perfect_decisions_end_where_the_comparison_says(study: StudyFolder) -> None:
    drawing = wide(perfect_figure(study.results, TREE, NIH15.findings, BOTH))
    stored = study.results.comparison["diagnosis"]["recipes"]
    for name in BOTH:
        words = [node.text for node in drawing.iter("text")]
        assert words.count(name) == 1
        for decision, entry in stored[name]["perfect"]["decisions"].items():
            marks = [node for node in tips(drawing, f"{name} with {decision} perfect") if node.tag == "path"]
            assert len(marks) == 3
            for mark, key in zip(marks, ("ap", "hard_recall", "hard_f1"), strict=True):
                title = mark.findtext("title") or ""
                assert decimal(entry["macro"][key]["mean"]) in title
                assert signed(entry["gain"][key]["mean"]) in title


def test_tables_of_perfect_decisions_have_every_finding(study: StudyFolder) -> None:
    figure = perfect_figure(study.results, TREE, NIH15.findings, BOTH)
    assert figure is not None
    macro, *findings = figure.tables
    assert [row[1] for row in macro.rows] == [*["as it is", "A perfect", "B perfect", "C perfect"] * 2, ""]
    assert macro.rows[-1][0] == "shortcut floor"
    assert len(findings) == 2
    for table in findings:
        assert len(table.rows) == 14
        assert {len(row) for row in table.rows} == {len(table.head)} == {2 + 4 * 3}


def test_levels_show_every_recipe_flat_ones_too(study: StudyFolder) -> None:
    figure = levels_figure(study.results)
    drawing = wide(figure)
    assert figure is not None
    for name in study.results.recipes:
        for place in ("Level 1: finding", "Level 2: mean", "minority", "Level 3: mean"):
            assert len(tips(drawing, f"{place}, {name}: ")) == 2  # AUROC and average precision
    auroc, ap, hierarchical = figure.tables
    assert [row[:2] for row in auroc.rows][1:] == [
        ["Level 2: mean", "6 nodes"],
        ["minority", auroc.rows[2][1]],
        ["Level 3: mean", "9 nodes"],
    ]
    stored = study.results.recipe("flat-basic")["levels"]
    column = list(ap.head).index("flat-basic")
    assert ap.rows[2][column].startswith(decimal(stored["inner"]["minority"]["ap"]["mean"]))
    assert ap.rows[3][column].startswith(decimal(stored["means"]["3"]["ap"]["mean"]))
    assert len(hierarchical.rows) == 3 * len(study.results.recipes)


def test_guessing_stands_at_the_share_of_the_nodes_of_a_level(study: StudyFolder) -> None:
    drawing = wide(levels_figure(study.results))
    guesses = [number(node, "x1") for node in drawing.iter("line") if node.get("class") == "guess"]
    recipe, images = study.results.recipe("flat-basic"), study.results.comparison["cohort"]["images"]["test"]
    entries = {**recipe["per_label"], **recipe["levels"]["inner"]}
    shares = []
    for level, node in (("1", None), ("2", None), ("2", "minority"), ("3", None)):
        nodes = recipe["levels"]["means"][level]["nodes"] if node is None else [node]
        shares.append(sum(entries[own]["n_positive"] for own in nodes) / images / len(nodes))
    ap = guesses[4:]
    slopes = [(a - b) / (p - q) for a, b, p, q in zip(ap, ap[1:], shares, shares[1:], strict=False)]
    assert slopes == pytest.approx([slopes[0]] * 3, rel=0.01)


def test_an_older_comparison_has_none_of_these_figures(study: StudyFolder) -> None:
    old = without(study, "diagnosis", "levels")
    assert cases_figure(old, TREE, NIH15.findings, BOTH) is None
    assert perfect_figure(old, TREE, NIH15.findings, BOTH) is None
    assert levels_figure(old) is None


def test_levels_of_a_comparison_before_they_listed_their_nodes(study: StudyFolder) -> None:
    comparison: dict[str, Any] = copy.deepcopy(dict(study.results.comparison))
    for recipe in comparison["recipes"].values():
        del recipe["levels"]["hierarchical"]
        for means in recipe["levels"]["means"].values():
            del means["nodes"]
    figure = levels_figure(Results(comparison))
    assert figure is not None
    assert len(figure.tables) == 2
    guesses = [node for node in wide(figure).iter("line") if node.get("class") == "guess"]
    assert len(guesses) == 4 + 2  # where AUROC guesses is known; shares of level means are not


def test_a_finding_without_cases_is_not_defined(study: StudyFolder) -> None:
    comparison: dict[str, Any] = copy.deepcopy(dict(study.results.comparison))
    undefined = {"mean": None, "low": None, "high": None, "n_draws": 0}
    for recipe in comparison["diagnosis"]["recipes"].values():
        hernia = recipe["findings"]["Hernia"]
        hernia |= {"n": 0, "found": 0.0, "lost": dict.fromkeys("ABC", 0.0)}
        for cells in hernia["against"].values():
            cells |= {"both": 0.0, "only_hierarchical": 0.0, "recall_difference": undefined}
            cells |= {"only_flat": dict.fromkeys("ABC", 0.0), "neither": dict.fromkeys("ABC", 0.0)}
            cells["matched"] = {"found": 0.0, "recall_difference": undefined}
        for entry in (recipe["perfect"]["as_it_is"], *recipe["perfect"]["decisions"].values()):
            entry["findings"]["Hernia"] = {"ap": None, "found": 0.0, "false_alarms": 0.0}
    results = Results(comparison)
    figure = cases_figure(results, TREE, NIH15.findings, BOTH)
    assert [node.text for node in wide(figure).iter("text")].count("not defined: no cases") == 1
    assert figure is not None
    drawn, row = (next(row for row in table.rows if row[0] == "Hernia") for table in figure.tables[:2])
    assert set(drawn[1:]) == {"not defined"}
    assert row.count("not defined") == 2
    other = perfect_figure(results, TREE, NIH15.findings, BOTH)
    assert other is not None
    assert next(row for row in other.tables[1].rows if row[0] == "Hernia").count("not defined") == 4


def test_each_tree_of_a_page_has_its_own_figures(study_folder: Path) -> None:
    found = Page(study_folder / "report.html")
    section = found.source[found.source.index('<section id="tree"') : found.source.index('<section id="data"')]
    order = re.findall(r'<figure id="([a-z0-9-]+)"', section)
    assert order == ["fig-tree", "fig-cases", "fig-perfect"]


def test_a_page_of_an_older_study_is_drawn_without_them(study_copy: Path) -> None:
    comparison = json.loads((study_copy / "comparison.json").read_text())
    del comparison["diagnosis"]
    for recipe in comparison["recipes"].values():
        del recipe["levels"]
    (study_copy / "comparison.json").write_text(json.dumps(comparison))
    found = Page(build_report(study_copy))
    assert "fig-tree" in found.ids()
    assert not {"fig-cases", "fig-perfect", "fig-levels"} & set(found.ids())
    assert found.misplaced == []
