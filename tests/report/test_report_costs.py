"""Costs with early exit on the page, and studies of versions that knew none."""

import json
from pathlib import Path
from typing import Any

import pytest

from chestxpert.report import build_report
from chestxpert.report.figure_costs import costs_figure
from chestxpert.report.read import StudyFolder, read_study
from chestxpert.report.results import Results

ASKED = {"A": 1.0, "B": 0.75, "C": 0.5}


@pytest.fixture(scope="module")
def study(study_folder: Path) -> StudyFolder:
    return read_study(study_folder)


def with_exit(study: StudyFolder) -> dict[str, Any]:
    """The study's comparison as runs leave it that know early exit."""
    comparison: dict[str, Any] = json.loads(json.dumps(study.results.comparison))
    for recipe in comparison["recipes"].values():
        cascade, cost = recipe["architecture"] == "cascade", recipe["cost"]
        cost["image_passes_per_image"] = 3 if cascade else 1
        cost["early_exit_image_passes_per_image"] = 2.25 if cascade else 1.0
        cost["early_exit_ms_per_image"] = 8.125 if cascade else cost["ms_per_image"]
        if cascade:
            cost["asked"] = ASKED
    return comparison


def test_networks_an_image_and_the_time_of_early_exit_stand_in_figure_and_table(study: StudyFolder) -> None:
    figure = costs_figure(Results(with_exit(study)))
    costs, asked = figure.tables
    assert list(costs.head)[-4:] == ["all", "early exit", "all", "early exit"]
    assert list(costs.groups) == [("", 4), ("networks an image", 2), ("time an image", 2)]
    rows = {row[0]: list(row[-4:]) for row in costs.rows}
    assert rows["hierarchical-cascade"] == ["3", "2.25", "12.6 ms", "8.12 ms"]
    assert rows["flat-basic"] == ["1", "1", "4.2 ms", "4.2 ms"]
    assert [list(row) for row in asked.rows] == [
        ["hierarchical-cascade", "A", "100.0 %"],
        ["hierarchical-cascade", "B", "75.0 %"],
        ["hierarchical-cascade", "C", "50.0 %"],
    ]
    assert "hierarchical-cascade networks an image 3, networks, early exit 2.25" in figure.picture
    assert figure.picture.count("<svg") == 4
    assert "asks a network only of the images that those above it let through" in figure.caption


def test_a_frozen_cascade_says_that_its_networks_share_what_takes_the_time(study: StudyFolder) -> None:
    results = Results(with_exit(study))
    assert "share it" not in costs_figure(results).caption
    assert "share it" not in costs_figure(results, ["flat-basic"]).caption
    assert "share it, so leaving one out saves its head" in costs_figure(results, results.recipes).caption


def test_a_study_of_a_version_without_early_exit_is_drawn_as_it_was(study: StudyFolder) -> None:
    figure = costs_figure(study.results)
    (table,) = figure.tables
    assert list(table.head) == ["recipe", "parameters", "training time", "images seen", "time an image"]
    assert figure.picture.count("<svg") == 2
    assert "early exit" not in figure.caption + figure.picture


@pytest.mark.parametrize("asked", [None, [], {"A": "many"}])
def test_shares_that_nobody_recorded_are_no_table(asked: object, study: StudyFolder) -> None:
    comparison = with_exit(study)
    comparison["recipes"]["hierarchical-cascade"]["cost"]["asked"] = asked
    assert len(costs_figure(Results(comparison)).tables) == 1


def test_the_page_names_the_backbone_of_every_network(study_copy: Path) -> None:
    for path in (study_copy / "runs" / "hierarchical-cascade").glob("*/environment.json"):
        environment = json.loads(path.read_text(encoding="utf-8"))
        environment["backbones"] = {name: {"name": f"resnet{depth}"} for name, depth in (("A", 152), ("C", 101))}
        path.write_text(json.dumps(environment), encoding="utf-8")
    page = build_report(study_copy).read_text(encoding="utf-8")
    assert "backbone tf_efficientnet_lite0, resnet152, resnet101" in page
    assert "backbones A name" in page
    assert read_study(study_copy).results.recipes
