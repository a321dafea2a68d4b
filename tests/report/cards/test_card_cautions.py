"""Each sentence of a card both ways: there where the figure says so, not there where it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chestxpert.report.cards.analyses import analyses_section
from chestxpert.report.cards.cautions import carriers, caveats
from chestxpert.report.cards.ethics import ethics_section
from chestxpert.report.cards.factors import not_measured
from chestxpert.report.cards.people import data_sections
from chestxpert.report.cards.performance import metrics_section
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.cards.use import unseen
from chestxpert.report.results import finding_name
from chestxpert.report.scales import grouped
from chestxpert.report.words import and_words

Change = Callable[..., CardSubject]
FOUND = {"mean": 0.1, "low": 0.05, "high": 0.15, "n_draws": 60}
UNCLEAR = {"mean": 0.01, "low": -0.05, "high": 0.15, "n_draws": 60}
NONE = {"mean": None, "low": None, "high": None, "n_draws": 0}


def told(subject: CardSubject) -> str:
    return "\n".join([*ethics_section(subject).lines(), *caveats(subject)])


@pytest.mark.parametrize(
    ("above", "there", "gone"),
    [
        (FOUND, "is above what view, age and sex alone reach, by +0.100 (+0.050 to +0.150)", "NOT shown to be above"),
        (UNCLEAR, "is NOT shown to be above what view, age and sex alone reach", "is above what view"),
        (NONE, "alone reach is not measured", "Finding by finding"),
    ],
    ids=["above", "not shown", "not measured"],
)
def test_the_mean_over_the_findings_against_the_floor(
    above: dict, there: str, gone: str, subject: CardSubject, changed: Change
) -> None:
    words = told(changed("floor", "above", subject.line, "macro_auroc_findings", to=above))
    assert there in words
    assert gone not in words


def test_findings_that_are_not_shown_to_be_above_the_floor_are_named(
    subject: CardSubject, comparison: dict[str, Any], changed: Change
) -> None:
    each = comparison["floor"]["above"][subject.line]["per_label"]
    labels = {label: {"auroc": UNCLEAR if label in ("Mass", "Pleural_Thickening") else FOUND} for label in each}
    few = {label for label, number in carriers(subject.cohort).items() if number < 10}
    enough = [finding_name(label) for label in subject.cohort.label_space.findings if label not in few]
    assert "Hernia" in few
    assert not {"Mass", "Pleural_Thickening"} & few
    some = told(changed("floor", "above", subject.line, "per_label", to=labels))
    assert "not shown to be above that floor for Mass and Pleural Thickening." in some
    every = told(changed("floor", "above", subject.line, "per_label", to={label: {"auroc": FOUND} for label in each}))
    assert f"it is above that floor for each of {and_words(enough)}." in every
    (line,) = [line for line in every.splitlines() if line.startswith("Too few test patients carry")]
    assert "Hernia" in line
    lost = told(changed("floor", "above", subject.line, "per_label", to=labels | {"Edema": {"auroc": NONE}}))
    assert "Whether it is above that floor is not measured for Edema." in lost
    assert "not measured for Edema" not in some


def test_without_a_floor_it_is_said(changed: Change) -> None:
    assert "is not measured: the comparison has no shortcut floor." in told(changed("floor", to=None))


@pytest.mark.parametrize(
    ("slope", "there"),
    [
        ({"mean": 0.6, "low": 0.4, "high": 0.9}, "Overconfident (calibration slope shown to be below 1): Effusion."),
        ({"mean": 1.6, "low": 1.4, "high": 1.9}, "Underconfident (calibration slope shown to be above 1): Effusion."),
        ({"mean": 0.9, "low": 0.8, "high": 1.1}, ""),
        (NONE, "Calibration slope: without an interval for Effusion."),
    ],
    ids=["below", "above", "not shown", "without"],
)
def test_calibration_is_called_by_where_the_interval_of_the_slope_lies(
    slope: dict, there: str, subject: CardSubject, comparison: dict[str, Any], changed: Change
) -> None:
    each = comparison["calibration"]["recipes"][subject.line]["per_label"]
    right = {"slope": {"mean": 1.0, "low": 0.9, "high": 1.1}, "in_the_large": {"mean": 0.0, "low": -1.0, "high": 1.0}}
    labels = dict.fromkeys(each, right) | {"Effusion": {**right, "slope": slope}}
    words = caveats(changed("calibration", "recipes", subject.line, "per_label", to=labels))
    found = [item for item in words if item.startswith(("Overconfident", "Underconfident", "Calibration slope"))]
    assert found == ([there] if there else [])
    assert not any(item.startswith("Probabilities shown") for item in words)


@pytest.mark.parametrize(("level", "word"), [(-0.5, "high"), (0.5, "low")])
def test_probabilities_are_called_too_high_or_too_low_where_that_is_shown(
    level: float, word: str, subject: CardSubject, changed: Change
) -> None:
    entry = {"mean": level, "low": level - 0.1, "high": level + 0.1}
    words = told(changed("calibration", "recipes", subject.line, "per_label", "Mass", "in_the_large", to=entry))
    (line,) = [line for line in words.splitlines() if f"too {word} on average" in line]
    assert "Mass" in line


def test_gaps_are_told_where_they_are_shown(subject: CardSubject, changed: Change) -> None:
    gap = ("subgroups", "recipes", subject.line, "sex", "gaps")
    other = next(iter(subject.results.comparison["subgroups"]["recipes"][subject.line]["sex"]["gaps"]))
    clear = told(changed(*gap, other, "macro", "auroc", to=FOUND))
    assert f"by sex, AUROC of {other} minus that of" in clear
    unclear = told(changed(*gap, other, "macro", "auroc", to=UNCLEAR))
    assert f"by sex, AUROC of {other} minus that of" not in unclear
    assert "a gap that is not shown may be there" in unclear
    assert "Gaps between subgroups: not measured." in told(changed("subgroups", "recipes", to={}))


def test_a_group_with_too_few_patients_is_named_with_its_size(subject: CardSubject, changed: Change) -> None:
    place = ("subgroups", "recipes", subject.line, "sex", "groups", "female", "per_label")
    each = subject.results.comparison["subgroups"]["recipes"][subject.line]["sex"]["groups"]["female"]["per_label"]
    none = changed(*place, to={label: entry | {"enough": False} for label, entry in each.items()})
    every = changed(*place, to={label: entry | {"enough": True} for label, entry in each.items()})
    (line,) = [line for line in not_measured(none) if "sex female" in line]
    assert line.endswith("too few patients for any finding.")
    assert "images of" in line
    assert not any("sex female" in line for line in not_measured(every))
    one = changed(*place, "Hernia", "enough", to=False, at=every)
    (line,) = [line for line in not_measured(one) if "sex female" in line]
    assert line.endswith("too few patients for Hernia.")


def test_label_noise_is_unknown_unless_another_source_was_held_against_them(changed: Change) -> None:
    assert "Label noise: not measured" in told(changed("margin", to=None))
    agreement = {
        "source": "radiologists", "images": 810, "patients": 700,
        "per_label": {"Effusion": {"kappa": {"mean": 0.5, "low": 0.4, "high": 0.6}}, "Mass": {"kappa": NONE}},
    }  # fmt: skip
    words = told(changed("agreement", to=agreement))
    assert "against radiologists, on 810 images, Cohen's kappa is Effusion 0.500 [0.400, 0.600]." in words
    assert "Label noise: not measured" not in words
    told_twice = "\n".join(analyses_section(changed("agreement", to=agreement)).lines())
    assert "carry labels of this data set and of radiologists" in told_twice
    assert "| Effusion | 0 | 0 | 0 | 0 | 0.500 [0.400, 0.600] |" in told_twice


def test_findings_that_could_not_be_learnt_are_named(subject: CardSubject, changed: Change) -> None:
    words = told(changed("recipes", subject.line, "not_learnt", to=["Pleural_Thickening"]))
    assert "It could not learn Pleural Thickening: no training image tells." in words
    assert "could not learn" not in told(subject)


def test_findings_with_few_test_patients_are_named_with_how_many(subject: CardSubject) -> None:
    table = subject.cohort.table
    test = table["split"] == "test"
    few, enough = (table.loc[test & table[label]].groupby("patient_id").ngroups for label in ("Hernia", "Infiltration"))
    assert carriers(subject.cohort)["Hernia"] == few
    assert 0 < few < 10 <= enough
    (line,) = [item for item in caveats(subject) if item.startswith("Fewer than 10 test patients carry")]
    assert f"Hernia ({few} patient" in line
    assert "Infiltration" not in line


def test_findings_without_a_test_image_and_without_a_training_image_are_named(subject: CardSubject) -> None:
    table = subject.cohort.table.copy()
    for split in ("test", "train"):
        table.loc[table["split"] == split, "Hernia"] = False
    findings = list(subject.cohort.label_space.findings)
    table["No Finding"] = ~table[findings].any(axis=1)
    cohort = replace(subject.cohort, table=table)
    words = caveats(replace(subject, study=replace(subject.study, cohort=cohort)))
    assert "No test image carries Hernia: how well it is told was not measured." in words
    assert "No training image carries Hernia." in words
    assert not any(item.startswith("No t") for item in caveats(subject))


def test_net_benefit_that_is_shown_nowhere_is_said(
    subject: CardSubject, comparison: dict[str, Any], changed: Change
) -> None:
    thresholds = comparison["operating"]["net_benefit"]["thresholds"]
    stored = ("operating", "net_benefit", "recipes", subject.line)
    shown, not_shown = ({"lead": {"low": [low] * len(thresholds)}} for low in (0.1, 0.0))
    useful = dict.fromkeys(comparison["recipes"][subject.line]["per_label"], shown)
    none = useful | {"Mass": not_shown}
    (line,) = [item for item in caveats(changed(*stored, to=none)) if item.startswith("At none of the")]
    assert line.endswith("on none: Mass.")
    assert not [item for item in caveats(changed(*stored, to=useful)) if item.startswith("At none of the")]
    assert "Net benefit: not measured." in caveats(changed(*stored))


def test_the_spread_of_seeds_is_told_and_missed(
    subject: CardSubject, comparison: dict[str, Any], changed: Change
) -> None:
    values = comparison["recipes"][subject.line]["metrics"]["macro_ap"]["per_seed"]
    (line,) = [item for item in caveats(subject) if item.startswith("Single seeds reach")]
    assert f"{min(values):.3f} to {max(values):.3f}" in line
    one = changed("recipes", subject.line, "metrics", "macro_ap", "sd_seeds", to=None)
    assert "What other seeds would change is not measured: it has one." in caveats(one)


def test_a_threshold_that_could_not_be_chosen_is_named(subject: CardSubject, changed: Change) -> None:
    fallen = changed("recipes", subject.line, "per_label", "Hernia", "threshold_fallback", to=True)
    (line,) = [item for item in caveats(fallen) if item.startswith("Thresholds of")]
    assert "Hernia" in line
    assert "No threshold could be chosen for" in "\n".join(metrics_section(fallen).lines())
    right = changed("recipes", subject.line, "per_label", to={"Hernia": {"threshold_fallback": False}})
    assert not [item for item in caveats(right) if item.startswith("Thresholds of")]


@pytest.mark.parametrize(
    ("change", "there"),
    [
        ({"freeze": True}, "The backbone was kept as it came: only heads on its features were trained."),
        ({"random": True}, "Its weights began at random numbers: it was not pretrained."),
        ({}, ""),
    ],
    ids=["frozen", "random", "neither"],
)
def test_frozen_and_random_networks_are_called_so(change: dict, there: str, subject: CardSubject) -> None:
    name = subject.line
    runs = dict(subject.study.runs[name])
    for seed, run in runs.items():
        if "freeze" in change:
            run = replace(run, recipe_text=run.recipe_text.replace("freeze: false", "freeze: true"))
        if "random" in change:
            backbone = {"name": "resnet18", "source": "random numbers"}
            run = replace(run, environment={**run.environment, "backbone": backbone})
        runs[seed] = run
    made = replace(subject, study=replace(subject.study, runs={**subject.study.runs, name: runs}))
    words = caveats(made)
    marks = ("The backbone was kept", "Its weights began at random")
    assert [item for item in words if item.startswith(marks)] == ([there] if there else [])


def test_what_training_images_hold_follows_the_table(subject: CardSubject, with_table: Change) -> None:
    words = "\n".join(unseen(subject.cohort))
    assert "no lateral view is among them" in words
    assert "all images come from one, the NIH Clinical Center" in words
    assert "no training image is known to be of a patient under 18" in words
    train = subject.cohort.table["split"] == "train"
    counts = subject.cohort.table.loc[train, "view"].value_counts()
    assert f"{counts['AP']} AP and {counts['PA']} PA" in words

    young = "\n".join(unseen(with_table(age=12.0).cohort))
    assert f"Children: {grouped(train.sum())} of {grouped(train.sum())} training images are of patients" in young
    assert "does not say how old" in "\n".join(unseen(with_table(age=np.nan).cohort))
    assert "does not say which views" in "\n".join(unseen(with_table(view="").cohort))
    lateral = "\n".join(unseen(with_table(view="L").cohort))
    assert "lateral view is among" not in lateral
    assert f"{grouped(train.sum())} L" in lateral
    elsewhere = "\n".join(unseen(with_table(source="padchest").cohort))
    assert "from how many hospitals is not recorded" in elsewhere
    assert "NIH" not in elsewhere


def test_a_column_that_says_nothing_is_a_factor_not_measured(subject: CardSubject, with_table: Change) -> None:
    assert "By sex: the test images' table does not say." in not_measured(with_table(sex=""))
    assert not any("does not say" in line for line in not_measured(subject))


def test_mined_labels_are_called_so_only_of_nih(subject: CardSubject, with_table: Change) -> None:
    assert "mined from radiology reports by software" in told(subject)
    assert "mined" not in told(with_table(source="padchest"))


def test_evaluations_elsewhere_are_told(card_study: Path, subject: CardSubject, tmp_path: Path) -> None:
    assert "Not measured: none is stored" in "\n".join(data_sections(subject)[0].lines())
    folder = tmp_path / "runs" / subject.line / "seed-1" / "evaluations" / "other"
    folder.mkdir(parents=True)
    values = {
        "data": {"name": "padchest"}, "external": True, "simulated": False, "shared": ["Effusion", "Mass"],
        "here": {"images": 1200, "patients": 900, "macro": {"auroc": {"value": 0.7, "low": 0.6, "high": 0.8}}},
    }  # fmt: skip
    moved = replace(subject, study=replace(subject.study, folder=tmp_path))
    for external, words in ((True, "900 patients): macro AUROC 0.700"), (False, "NOT external")):
        (folder / "evaluation.json").write_text(json.dumps(values | {"external": external}))
        told = "\n".join(data_sections(moved)[0].lines())
        assert f"{subject.line}, seed 1, on padchest" in told
        assert words in told
    (folder / "evaluation.json").write_text("{")
    assert "Not measured: none is stored" in "\n".join(data_sections(moved)[0].lines())
