"""Lines made after training: below their recipes, apart from the recipes' figures, and in the words for a terminal."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.comparison import RunResult, compare_runs
from chestxpert.evaluation.derived import Derived
from chestxpert.evaluation.ensemble import average_predictions, total_cost
from chestxpert.evaluation.posthoc.lines import with_posthoc
from chestxpert.evaluation.predictions import Predictions
from chestxpert.files import write_json
from chestxpert.recipe import parse_posthoc
from chestxpert.report import build_report, summary_text
from chestxpert.report.figure_contrasts import contrasts_figure
from chestxpert.report.figure_costs import costs_figure
from chestxpert.report.figure_derived import derived_contrasts_figure, derived_figure
from chestxpert.report.figure_recipes import metrics_table, recipes_figure
from chestxpert.report.results import Results
from chestxpert.taxonomy import study_taxonomy

RECIPES = ("flat-basic", "hierarchical-shared")
CORRECTIONS = ("platt", "em")


@pytest.fixture(scope="module")
def folder(study_factory: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recipes of two seeds, an ensemble of all of them, and two corrections of each."""
    made = study_factory(tmp_path_factory.mktemp("derived") / "study", recipes=RECIPES, seeds=(0, 1), draws=20)
    cohort = Cohort.load(made / "cohort.parquet")
    lines: dict[str, list[RunResult]] = {}
    for name, architecture in zip(RECIPES, ("flat", "shared"), strict=True):
        for seed in (0, 1):
            run = made / "runs" / name / f"seed-{seed}"
            cost = json.loads((run / "cost.json").read_text(encoding="utf-8"))
            stored = Predictions.load(run / "predictions.parquet")
            lines.setdefault(name, []).append(RunResult(seed, stored, architecture, cost))
    members = [run for runs in lines.values() for run in runs]
    record = {"average": "probs", "members": [{"recipe": name, "seed": seed} for name in RECIPES for seed in (0, 1)]}
    together = average_predictions([run.predictions for run in members], cohort)
    cost = total_cost([run.cost for run in members])
    lines["all"] = [RunResult(0, together, "mixed", cost, derived=Derived("ensemble", RECIPES, record))]
    lines = with_posthoc(lines, cohort, parse_posthoc(",".join(CORRECTIONS)))
    write_json(made / "comparison.json", compare_runs(lines, cohort, study_taxonomy(cohort.label_space), draws=100))
    build_report(made)
    return made


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return Results(json.loads((folder / "comparison.json").read_text(encoding="utf-8")))


def test_every_line_stands_below_what_it_was_made_of(results: Results) -> None:
    assert results.recipes == list(RECIPES)
    assert results.ensembles == ["all"]
    assert results.lines == [
        name for line in (*RECIPES, "all") for name in (line, *(f"{line}+{kind}" for kind in CORRECTIONS))
    ]
    assert [results.runs_words(name) for name in ("flat-basic", "flat-basic+em", "all", "all+em")] == [
        "2", "2", "4 in one", "4 in one",
    ]  # fmt: skip
    assert not results.hierarchical("all")
    assert [row[0] for row in metrics_table(results).rows] == [*results.lines, "shortcut floor"]


def test_figures_of_recipes_are_of_recipes_alone(results: Results) -> None:
    picture = str(recipes_figure(results).picture)
    assert "+platt" not in picture
    assert ">all<" not in picture
    contrasts = contrasts_figure(results)
    assert len(contrasts.tables[0].rows) == 3
    assert "+platt" not in str(contrasts.picture)
    assert len(results.derived_contrasts) == (3 * 2 + 2) * 5


def test_the_figure_of_lines_has_a_mark_for_each_on_each_metric(results: Results) -> None:
    figure = derived_figure(results)
    assert figure is not None
    wide = str(figure.picture).partition("</svg>")[0]
    assert wide.count('class="dot ') == 9 * 4
    assert wide.count(">+platt<") == 3
    told = {table.note: table for table in figure.tables}
    assert [row[0] for row in told.pop("").rows] == [*results.lines, "shortcut floor"]
    assert list(told) == [
        "flat-basic+em: prevalence",
        "hierarchical-shared+em: prevalence; of a node, among the images where its parent holds",
        "all+em: prevalence",
    ]
    runs = results.done("flat-basic+em")
    mean = sum(run["answers"]["Effusion"]["prevalence"]["estimated"] for run in runs) / 2
    row = next(row for row in told["flat-basic+em: prevalence"].rows if row[0] == "Effusion")
    assert float(row[2].split()[0]) == pytest.approx(100 * mean, abs=0.6)


def test_what_cannot_differ_is_not_drawn_and_stands_in_the_table(results: Results) -> None:
    figure = derived_contrasts_figure(results)
    assert figure is not None
    rows = {(row[0], row[2]): row[3] for row in figure.tables[0].rows}
    assert rows["flat-basic+platt", "Macro AP"] == "0.000 [0.000, 0.000]"
    block = str(figure.picture).partition(">Macro AP<")[2].partition(">Macro F1<")[0]
    assert ">flat-basic+platt<" not in block
    assert ">hierarchical-shared+platt<" in block


def test_an_ensemble_costs_what_all_its_members_cost(results: Results) -> None:
    rows = {row[0]: row for row in costs_figure(results).tables[0].rows}
    assert list(rows) == [*RECIPES, "all"]
    single = [results.cost(name, "parameters") or 0 for name in RECIPES]
    assert results.cost("all", "parameters") == 2 * sum(single)


def test_the_page_has_a_section_for_lines_only_where_there_are_any(folder: Path, study_folder: Path) -> None:
    page, other = ((each / "report.html").read_text(encoding="utf-8") for each in (folder, study_folder))
    assert '<section id="derived">' in page
    assert '<a href="#derived">' in page
    assert "derived" not in other
    assert "2 recipes, 2 seeds each" in page


def test_the_words_for_a_terminal_say_which_differences_are_shown(results: Results, study_folder: Path) -> None:
    lines = summary_text(results.comparison).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("made after training"))
    table = lines[start + 1 : start + 10]
    assert [line.split()[0] for line in table] == results.lines
    for line in table:
        name = line.split()[0]
        found = [c for c in results.derived_contrasts if (c.a, c.metric) == (name, "brier")]
        brier = found[0] if len(found) == 1 else None  # an ensemble of two recipes is held against both
        shown = brier is not None and brier.clear
        assert (line[-1] in "<>") == shown, line
        if shown and brier is not None:
            assert (line[-1] == ">") == ((brier.difference or 0) > 0)
    plain = json.loads((study_folder / "comparison.json").read_text(encoding="utf-8"))
    assert "made after training" not in summary_text(plain)


def test_a_study_without_derived_lines_has_no_such_figures(study_folder: Path) -> None:
    plain = Results(json.loads((study_folder / "comparison.json").read_text(encoding="utf-8")))
    assert derived_figure(plain) is None
    assert derived_contrasts_figure(plain) is None
