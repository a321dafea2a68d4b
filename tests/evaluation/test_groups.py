from __future__ import annotations

import numpy as np
import pytest

from chestxpert.cohort.frequency import frequency_groups
from chestxpert.cohort.table import Cohort
from chestxpert.evaluation.estimates import claimed, estimate, mean_over_labels
from chestxpert.evaluation.groups import describe_groups, group_members
from chestxpert.evaluation.uncertainty.intervals import jackknifed
from chestxpert.labels import NIH15


def test_groups_are_made_from_training_rows_and_hold_every_finding_once(cohort: Cohort) -> None:
    members = group_members(cohort)
    train = cohort.select("train")
    shares = train.labels().mean(axis=0)
    assert sorted(name for names in members.values() for name in names) == sorted(NIH15.findings)
    for group, names in members.items():
        for name in names:
            share = shares[NIH15.index(name)]
            assert group == ("head" if share > 0.1 else "tail" if share < 0.01 else "medium")
    counts = cohort.counts("train")
    placed = frequency_groups({name: counts[name] for name in NIH15.findings}, cohort.known_counts("train"))
    assert [name for name in NIH15.findings if placed[name] == "medium"] == members["medium"]


def test_a_group_has_the_mean_of_its_findings_in_every_draw(cohort: Cohort) -> None:
    rng = np.random.default_rng(0)
    points = {"mine": [{"auroc": rng.random(15), "ap": rng.random(15)} for _ in range(2)]}
    draws = {"mine": [{"auroc": rng.random((30, 15))} for _ in range(2)]}
    described = describe_groups(cohort, points, draws)
    for group, names in described["findings"].items():
        columns = [NIH15.index(name) for name in names]
        entry = described["recipes"]["mine"][group]["auroc"]
        if not columns:
            assert np.isnan(entry["mean"])
            continue
        assert entry["mean"] == pytest.approx(np.mean([seed["auroc"][columns].mean() for seed in points["mine"]]))
        means = np.mean([seed["auroc"][:, columns].mean(axis=1) for seed in draws["mine"]], axis=0)
        assert (entry["low"], entry["high"]) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))
        assert (entry["n_defined"], entry["n_undefined"]) == (len(columns), 0)
        assert described["recipes"]["mine"][group]["ap"]["n_draws"] == 0  # nothing was drawn
        test = cohort.labels(cohort.rows("test"))[:, columns]
        assert described["prevalence"][group] == pytest.approx(test.mean())


def test_average_precision_of_a_group_has_the_jackknife_of_its_findings(cohort: Cohort) -> None:
    rng = np.random.default_rng(1)
    values, drawn, moved = rng.random(15), rng.random((30, 15)), rng.normal(size=(40, 15))
    described = describe_groups(
        cohort, {"mine": [{"ap": values}]}, {"mine": [{"ap": drawn}]}, {"mine": [{"ap": moved}]}
    )
    names = described["findings"]["head"]
    columns = [NIH15.index(name) for name in names]
    entry = described["recipes"]["mine"]["head"]["ap"]
    assert (entry["low"], entry["high"]) == pytest.approx(
        jackknifed(values[columns].mean(), moved[:, columns].mean(axis=1))
    )
    assert entry["n_draws"] == 30


def test_what_is_not_defined_is_left_out_and_counted() -> None:
    points = [np.array([0.5, np.nan, 0.7]), np.array([0.7, np.nan, 0.9])]
    draws = [np.array([[0.5, np.nan, np.nan], [np.nan, np.nan, np.nan]])] * 2
    entry = mean_over_labels(points, draws, [0, 1, 2])
    assert entry["mean"] == pytest.approx(0.7)
    assert (entry["n_defined"], entry["n_undefined"], entry["n_draws"]) == (2, 1, 1)
    assert (entry["low"], entry["high"]) == (0.5, 0.5)
    empty = mean_over_labels(points, draws, [])
    assert np.isnan(empty["mean"])
    assert (empty["n_defined"], empty["n_draws"]) == (0, 0)


def test_an_error_within_the_noise_of_perfect_probabilities_has_no_interval() -> None:
    drawn = [np.linspace(0.02, 0.06, 50)]
    entries = {"ece": estimate([0.04], drawn), "brier": estimate([0.1], drawn), "ece_if_perfect": estimate([0.03])}
    kept = claimed(entries | {"ece_if_perfect": estimate([0.01])})
    assert kept["ece"]["n_draws"] == 50
    told = claimed(entries)
    assert told["ece"]["mean"] == pytest.approx(0.04)
    assert np.isnan([told["ece"]["low"], told["ece"]["high"]]).all()
    assert told["brier"]["n_draws"] == 50
