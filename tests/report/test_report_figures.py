"""What the figures show is what the comparison and the cohort say."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from chestxpert.labels import NIH15
from chestxpert.report.figure import Figure
from chestxpert.report.figure_contrasts import contrasts_figure
from chestxpert.report.figure_findings import findings_figure
from chestxpert.report.figure_learning import learning_figure
from chestxpert.report.figure_recipes import recipes_figure
from chestxpert.report.figure_tree import tree_figure
from chestxpert.report.figures_cohort import cooccurrence_figure, distribution_figure
from chestxpert.report.read import StudyFolder, read_study
from chestxpert.report.results import Results
from chestxpert.report.rows import Frame, Panel, Row, draw_rows
from chestxpert.report.scales import signed
from chestxpert.taxonomy import study_taxonomy, taxonomy


@pytest.fixture(scope="module")
def study(study_folder: Path) -> StudyFolder:
    return read_study(study_folder)


def _drawings(figure: Figure) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(f"<div>{figure.picture}</div>"))


def _words(drawing: ElementTree.Element) -> list[str]:
    return [node.text or "" for node in drawing.iter("text")]


def test_every_recipe_stands_once_a_panel_and_once_a_seed(study: StudyFolder) -> None:
    wide, narrow = _drawings(recipes_figure(study.results))
    for drawing in (wide, narrow):
        kinds = [node.get("class", "") for node in drawing.iter()]
        assert sum(kind.startswith("dot flat") for kind in kinds) == 4 * 3
        assert sum(kind.startswith("dot hier") for kind in kinds) == 2 * 3
        assert sum(kind.startswith("ring") for kind in kinds) == 6 * 3 * 3
    assert _words(wide).count("flat-basic") == 1
    assert _words(narrow).count("flat-basic") == 3


def test_the_row_of_a_recipe_shows_its_value_where_it_belongs(study: StudyFolder) -> None:
    wide = _drawings(recipes_figure(study.results))[0]
    dots = [node for node in wide.iter("circle") if node.get("class", "").startswith("dot")]
    panel = dots[:4]
    values = [
        study.results.metric(f"flat-{name}", "macro_ap").mean
        for name in ("basic", "weighted", "downsampled", "resampled")
    ]
    xs = [float(dot.get("cx", "nan")) for dot in panel]
    assert np.argsort(xs).tolist() == np.argsort(values).tolist()
    assert np.corrcoef(xs, values)[0, 1] > 0.999


def test_forest_plot_fills_only_what_is_shown(study: StudyFolder) -> None:
    results = study.results
    wide = _drawings(contrasts_figure(results))[0]
    kinds = [node.get("class", "") for node in wide.iter("rect") if "square" in node.get("class", "")]
    assert len(kinds) == len(results.contrasts)
    assert kinds.count("square clear") == sum(contrast.clear for contrast in results.contrasts)
    assert 0 < kinds.count("square clear") < len(kinds)


def test_an_interval_with_zero_in_it_is_never_called_a_difference(study: StudyFolder) -> None:
    for contrast in study.results.contrasts:
        assert contrast.low is not None
        assert contrast.high is not None
        if contrast.low <= 0 <= contrast.high:
            assert not contrast.clear


def test_cases_found_and_lost_add_up(study: StudyFolder) -> None:
    for name in ("hierarchical-cascade", "hierarchical-shared"):
        for finding in NIH15.findings:
            fate = study.results.fate(name, finding)
            assert fate is not None
            assert fate.found is not None
            assert fate.found + sum(fate.lost.values()) == pytest.approx(1)
            majority = finding in ("Atelectasis", "Effusion", "Infiltration", "Mass", "Nodule")
            assert list(fate.lost) == (["A", "B"] if majority else ["A", "B", "C"])


def test_stacked_bars_fill_their_rows(study: StudyFolder) -> None:
    cases = dict.fromkeys(NIH15.findings, 10)
    figure = tree_figure(study.results, study_taxonomy(NIH15), NIH15.findings, cases)
    assert figure is not None
    wide = _drawings(figure)[0]
    rows: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    for part in wide.iter("rect"):
        if "part" in part.get("class", ""):
            x, y, width = (float(part.get(key, "nan")) for key in ("x", "y", "width"))
            rows.setdefault((str(y), x >= figure_middle(wide)), []).append((x, width))
    assert len(rows) == 2 * 14
    assert {round(sum(width for _, width in parts) / 3) for parts in rows.values()} == {
        round(sum(width for _, width in next(iter(rows.values()))) / 3)
    }


def figure_middle(drawing: ElementTree.Element) -> float:
    """Left end of the second panel: where its title stands."""
    return max(float(node.get("x", "0")) for node in drawing.iter("text") if node.get("class") == "panel-title")


def test_each_tree_has_its_own_bars_with_its_own_decisions(study: StudyFolder) -> None:
    """Two recipes down two trees: no case lost at a decision of one tree may be missing from its bar."""
    clinical = taxonomy("clinical", NIH15)
    comparison = json.loads(json.dumps(study.results.comparison))
    for finding in NIH15.findings:
        path = [clinical.decision_of(node).name for node in (*clinical.ancestors(finding), finding)]
        comparison["recipes"]["hierarchical-cascade"]["tree"]["findings"][finding] = {
            "n": 10, "found": 2, "lost": dict(zip(path, [5, 1, 1, 1], strict=False)) | {path[0]: 8 - len(path) + 1},
        }  # fmt: skip
    results, cases = Results(comparison), dict.fromkeys(NIH15.findings, 10)
    figure = tree_figure(results, clinical, NIH15.findings, cases, ["hierarchical-cascade"], "fig-tree-2")
    assert figure is not None
    assert figure.anchor == "fig-tree-2"
    words = [key.words for key in figure.keys]
    assert words[:3] == ["found", "lost at root", "lost at finding"]
    assert "lost at pulmonary, pleural or mediastinal" in words
    assert "lost at opacity, lesion or chronic" in words
    widths: dict[str, float] = {}
    for part in _drawings(figure)[0].iter("rect"):
        if "part" in part.get("class", ""):
            widths[part.get("y", "")] = widths.get(part.get("y", ""), 0.0) + float(part.get("width", "nan"))
    assert len(widths) == 14
    assert max(widths.values()) - min(widths.values()) < 3
    assert {row[1] for row in figure.tables[0].rows} == {"hierarchical-cascade", "flat-resampled"}


def test_no_tree_figure_without_a_hierarchy(study: StudyFolder) -> None:
    flat = {**study.results.comparison, "best": {"flat": "flat-basic", "hierarchical": None}}
    flat["recipes"] = {name: values for name, values in flat["recipes"].items() if values["architecture"] == "flat"}
    assert tree_figure(Results(flat), study_taxonomy(NIH15), NIH15.findings, dict.fromkeys(NIH15.findings, 1)) is None


def test_cooccurrence_counts_what_brute_force_counts() -> None:
    labels = np.random.default_rng(3).random((200, 3)) < (0.5, 0.2, 0.0)
    table = cooccurrence_figure(["Mass", "Nodule", "Hernia"], labels).tables[0]
    both = sum(1 for row in labels if row[0] and row[1])
    alone = sum(1 for row in labels if row[0] and not row[1] and not row[2])
    assert table.rows[0] == [
        "Mass",
        str(labels[:, 0].sum()),
        f"{100 * alone / labels[:, 0].sum():.0f} %",
        "",
        str(both),
        "0",
    ]
    assert table.rows[2][1:3] == ["0", "not defined"]


def test_learning_curves_mark_the_best_epoch(study: StudyFolder) -> None:
    scores = ((1, 0.1), (2, 0.3), (3, 0.2), (4, None))
    lines = [
        {"network": "flat", "epoch": e, "train_loss": 1 / e, "val_loss": None, "val_macro_ap": v} for e, v in scores
    ]
    only = {**study.results.comparison, "recipes": {"flat-basic": study.results.recipe("flat-basic")}}
    figure = learning_figure(Results(only), {"flat-basic": {0: lines}})
    assert [row[-2:] for row in figure.tables[0].rows] == [["2", "0.300"]]
    (plot,) = _drawings(figure)
    marks = [node for node in plot.iter("circle") if "dot" in node.get("class", "")]
    assert len(marks) == 1


def test_a_network_without_validation_scores_says_so(study: StudyFolder) -> None:
    lines = [
        {"network": "flat", "epoch": e, "train_loss": 1 / e, "val_loss": None, "val_macro_ap": None} for e in (1, 2)
    ]
    only = {**study.results.comparison, "recipes": {"flat-basic": study.results.recipe("flat-basic")}}
    (plot,) = _drawings(learning_figure(Results(only), {"flat-basic": {0: lines}}))
    assert _words(plot).count("not defined") == 1


def test_every_mean_is_drawn_within_its_axis(study: StudyFolder) -> None:
    recipes = {name: dict(values) for name, values in study.results.comparison["recipes"].items()}
    low = {"mean": 0.28, "low": 0.02, "high": 0.55}
    recipes["flat-basic"]["per_label"] = {**recipes["flat-basic"]["per_label"], "Hernia": {"auroc": low, "ap": low}}
    results = Results({**study.results.comparison, "recipes": recipes, "best": {"flat": "flat-basic"}})
    figure = findings_figure(results, ["Mass", "Hernia"], {"Mass": 9, "Hernia": 1}, {"Mass": 0.1, "Hernia": 0.01})
    wide = _drawings(figure)[0]
    hernia = [node for node in wide.iter("circle") if "Hernia" in (node.findtext("title") or "")]
    left = min(float(node.get("x1", "nan")) for node in wide.iter("line") if node.get("class") == "grid")
    assert float(hernia[0].get("cx", "nan")) > left
    assert len([node for node in wide.iter("path") if "open" in node.get("class", "")]) == 1


def test_a_forest_row_reads_as_the_contrast(study: StudyFolder) -> None:
    wide = _drawings(contrasts_figure(study.results))[0]
    first = next(contrast for contrast in study.results.contrasts if contrast.metric == study.results.primary)
    assert any(words.startswith(signed(first.difference) + " [") for words in _words(wide))
    assert any(re.fullmatch(rf"{first.a} . {first.b}", words) for words in _words(wide))


def test_cooccurrence_with_unknown_labels_counts_the_images_that_tell() -> None:
    rng = np.random.default_rng(5)
    known = rng.random((300, 3)) < 0.8
    labels = (rng.random((300, 3)) < (0.5, 0.3, 0.2)) & known
    figure = cooccurrence_figure(["Mass", "Nodule", "Hernia"], labels, known)
    pairs = list(zip(labels.tolist(), known.tolist(), strict=True))
    mass = [(row, told) for row, told in pairs if row[0]]
    settled = [row for row, told in mass if all(told)]  # others may be alone or not
    alone = sum(not row[1] and not row[2] for row in settled)
    assert figure.tables[0].rows[0][1:3] == [str(len(mass)), f"{100 * alone / len(settled):.0f} %"]
    told = [row for row, told in mass if told[1]]
    share = f"of images with Mass, Nodule: {100 * sum(row[1] for row in told) / len(told):.1f} %"
    assert share in {node.findtext("title") for node in _drawings(figure)[0].iter("rect")}
    assert "label is unknown" in figure.caption


def test_the_long_tail_is_a_share_of_the_images_that_tell() -> None:
    counts = {split: {"Mass": 10, "Hernia": 0} for split in ("train", "val", "test")}
    known = {split: {"Mass": 40, "Hernia": 0} for split in ("train", "val", "test")}
    figure = distribution_figure(["Mass", "Hernia"], counts, known, dict.fromkeys(counts, 100))
    table = figure.tables[0]
    assert table.head == [
        "finding", "training", "share", "validation", "share", "test", "share",
        "unknown in training", "unknown in validation", "unknown in test",
    ]  # fmt: skip
    assert table.rows == [
        ["Mass", *["10", "25.0 %"] * 3, *["60"] * 3],
        ["Hernia", *["0", "not defined"] * 3, *["100"] * 3],
    ]
    wide = _drawings(figure)[0]
    assert _words(wide).count("unknown") == 3
    assert sum("bar" in node.get("class", "") for node in wide.iter("rect")) == 3
    whole = distribution_figure(
        ["Mass"], counts, {split: {"Mass": 100} for split in counts}, dict.fromkeys(counts, 100)
    )
    assert "unknown" not in f"{whole.caption} {whole.tables[0].head} {whole.picture}"


def test_a_second_stage_is_parted_from_the_first_and_its_best_epoch_is_what_was_kept(study: StudyFolder) -> None:
    first = [
        {"network": "flat", "epoch": e, "train_loss": 0.5, "val_loss": 0.4, "val_macro_ap": 0.1 * e} for e in (1, 2)
    ]
    after = [
        {"network": "flat", "epoch": e, "train_loss": 0.9, "val_loss": 0.8, "val_macro_ap": v, "stage": "crt"}
        for e, v in ((3, 0.15), (4, 0.05))
    ]
    only = {**study.results.comparison, "recipes": {"flat-basic": study.results.recipe("flat-basic")}}
    figure = learning_figure(Results(only), {"flat-basic": {0: [*first, *after]}})
    assert [row[-3:] for row in figure.tables[0].rows] == [["4", "3", "0.150"]]  # not epoch 2, which scored 0.200
    (plot,) = _drawings(figure)
    marks = [float(node.get("cx", "nan")) for node in plot.iter("circle") if "dot" in node.get("class", "")]
    (begin,) = {float(node.get("x1", "nan")) for node in plot.iter("line") if node.get("class") == "reference"}
    assert len(marks) == 2
    assert marks[0] < begin < marks[1]
    assert sum("curve" in node.get("class", "") for node in plot.iter("path")) == 6  # no line joins the stages
    assert "a second stage begins" in [key.words for key in figure.keys]
    assert "upright line" in figure.caption
    plain = learning_figure(Results(only), {"flat-basic": {0: first}})
    assert "upright line" not in plain.caption
    assert "reference" not in plain.picture


@pytest.mark.parametrize(
    ("at", "said"), [((-0.5, 0.0, 0.5), {"\N{MINUS SIGN}0.5", "0.0", "0.5"}), ((), {"\N{MINUS SIGN}1", "0", "1"})]
)
def test_ticks_that_a_panel_chose_keep_their_decimals_in_a_narrow_one(at: tuple[float, ...], said: set[str]) -> None:
    panel = Panel("Difference", -1.0, 1.0, lambda canvas, scale, index, y: None, at=at)
    drawing = draw_rows([Row("Mass")], [panel], Frame(150, 20, stacked=True)).svg("A drawing")
    assert said == set(re.findall(r'class="tick"[^>]*>(.*?)</text>', drawing))
