from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, recall_score, roc_auc_score

from chestxpert.evaluation.bootstrap import PatientDraws, interval
from chestxpert.evaluation.partitions import Partition
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.subgroups import FEWEST_PATIENTS, describe_subgroups, enough_patients
from chestxpert.labels import NIH15
from chestxpert.taxonomy import Taxonomy

N = 240
EFFUSION, HERNIA = NIH15.index("Effusion"), NIH15.index("Hernia")


@pytest.fixture(scope="module")
def scored(tree: Taxonomy) -> list[Scored]:
    """Two seeds; in the second half of the images positives score lower, and no Hernia is there."""
    rng = np.random.default_rng(0)
    truth = rng.random((N, 15)) < 0.25
    truth[N // 2 :, HERNIA] = False
    known = rng.random((N, 15)) < 0.95
    seeds = []
    for _ in range(2):
        probs = np.clip(rng.random((N, 15)) * 0.6 + truth * 0.3, 0, 1)
        probs[N // 2 :] -= 0.15 * truth[N // 2 :]
        seeds.append(Scored(tree, truth, probs, probs >= 0.5, probs >= 0.5, None, known))
    return seeds


@pytest.fixture(scope="module")
def draws() -> PatientDraws:
    return PatientDraws.draw((np.arange(N) // 2).astype(str), 60, 0)


HALVES = Partition("half", ("first", "second"), np.repeat([0, 1], N // 2))


@pytest.fixture(scope="module")
def described(scored: list[Scored], draws: PatientDraws) -> dict:
    return describe_subgroups(scored, [HALVES], draws, NIH15.findings)["half"]


def test_a_subgroup_is_measured_as_if_the_others_were_not_there(described: dict, scored: list[Scored]) -> None:
    entry = described["groups"]["second"]["per_label"]["Effusion"]
    rows = np.arange(N // 2, N)
    rows = rows[scored[0].known[rows, EFFUSION]]
    truth = scored[0].truth[rows, EFFUSION]
    assert (entry["n_positive"], entry["n_known"]) == (truth.sum(), len(rows))
    assert entry["prevalence"] == pytest.approx(truth.mean())
    for name, oracle in {"auroc": roc_auc_score, "ap": average_precision_score}.items():
        expected = np.mean([oracle(truth, seed.probs[rows, EFFUSION]) for seed in scored])
        assert entry[name]["mean"] == pytest.approx(expected)
    expected = np.mean([recall_score(truth, seed.decisions[rows, EFFUSION]) for seed in scored])
    assert entry["sensitivity"]["mean"] == pytest.approx(expected)
    assert entry["sensitivity"]["low"] <= expected <= entry["sensitivity"]["high"]


def test_a_gap_is_the_difference_on_the_same_draws(described: dict, scored: list[Scored], draws: PatientDraws) -> None:
    assert described["reference"] == "first"
    gap = described["gaps"]["second"]["per_label"]["Effusion"]["sensitivity"]
    weights = draws.counts[:, draws.patient_of_image]

    def recalls(seed: Scored, rows: slice) -> np.ndarray:
        held = (seed.truth & seed.known)[rows, EFFUSION]
        found = held & seed.decisions[rows, EFFUSION]
        return (weights[:, rows] @ found) / (weights[:, rows] @ held)

    first, second = slice(0, N // 2), slice(N // 2, N)
    by_hand = np.mean([recalls(seed, second) - recalls(seed, first) for seed in scored], axis=0)
    low, high, n_draws = interval(by_hand)
    assert (gap["low"], gap["high"], gap["n_draws"]) == (pytest.approx(low), pytest.approx(high), n_draws)
    means = {name: described["groups"][name]["per_label"]["Effusion"]["sensitivity"]["mean"] for name in HALVES.groups}
    assert gap["mean"] == pytest.approx(means["second"] - means["first"])
    assert gap["mean"] < -0.1  # which is how the scores were made


def test_nothing_is_claimed_of_a_finding_that_a_subgroup_hardly_has(described: dict) -> None:
    assert "Hernia" not in described["findings"]
    assert len(described["findings"]) == 13
    entry = described["groups"]["second"]["per_label"]["Hernia"]
    assert not entry["enough"]
    assert entry["n_positive"] == 0
    # Its specificity could be computed, but who is not ill here is not who is not ill there.
    for name in ("auroc", "ap", "f1", "sensitivity", "specificity"):
        assert np.isnan(entry[name]["mean"])
        assert entry[name]["n_draws"] == 0
    gap = described["gaps"]["second"]
    assert np.isnan(gap["per_label"]["Hernia"]["sensitivity"]["mean"])
    assert "Hernia" not in gap["findings"]
    assert described["groups"]["first"]["macro"]["auroc"]["n_defined"] == 13


def test_a_group_too_small_for_anything_does_not_silence_the_others(scored: list[Scored], draws: PatientDraws) -> None:
    places = np.array([2, 2, *np.repeat([0, 1], N // 2 - 1)])
    part = Partition("third", ("first", "second", "two images"), places)
    described = describe_subgroups(scored, [part], draws, NIH15.findings)["third"]
    assert described["groups"]["two images"]["images"] == 2
    assert np.isnan(described["groups"]["two images"]["macro"]["auroc"]["mean"])
    assert len(described["findings"]) == 13
    assert described["gaps"]["two images"]["findings"] == []


def test_without_known_groups_there_is_nothing_to_compare(scored: list[Scored], draws: PatientDraws) -> None:
    nobody = Partition("sex", (), np.full(N, -1))
    described = describe_subgroups(scored, [nobody], draws, NIH15.findings)["sex"]
    assert described == {"unknown": N, "groups": {}, "findings": [], "reference": None, "gaps": {}}


def test_enough_is_counted_in_patients_of_either_kind() -> None:
    patients = np.repeat(np.arange(30), 2)
    truth = np.zeros((60, 3), dtype=bool)
    truth[: 2 * FEWEST_PATIENTS, 0] = True  # ten patients
    truth[:18, 1] = True  # nine patients, eighteen images
    truth[: 60 - 18, 2] = True  # nine patients are left without
    known = np.ones_like(truth)
    assert enough_patients(truth, known, patients).tolist() == [True, False, False]
    known[1::2, 0] = False  # one image of each patient is enough
    assert enough_patients(truth, known, patients)[0]
    known[0, 0] = False
    assert not enough_patients(truth, known, patients)[0]
