from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import permutation_test, rankdata
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import average_precision
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.uncertainty import permutation
from chestxpert.evaluation.uncertainty.permutation import METRICS, PLACES, permutation_p, places
from chestxpert.labels import NIH15
from chestxpert.taxonomy import study_taxonomy

TREE = study_taxonomy(NIH15)


def run(truth: np.ndarray, scores: np.ndarray, known: np.ndarray | None = None) -> Scored:
    return Scored(TREE, truth, scores, scores > 0.5, scores > 0.5, None, known)


def case(seed: int, patients: int = 5, labels: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Patients, truth, and two different scores."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), 3)
    truth = rng.random((len(owner), labels)) < 0.5
    return owner, truth, truth * 0.4 + rng.random(truth.shape), truth * 0.1 + rng.random(truth.shape)


def macro_scores(truth: np.ndarray, ranks: np.ndarray, decisions: np.ndarray) -> np.ndarray:
    columns = range(truth.shape[1])
    return np.array(
        [
            np.mean([average_precision_score(truth[:, k], ranks[:, k]) for k in columns]),
            np.mean([roc_auc_score(truth[:, k], ranks[:, k]) for k in columns]),
            np.mean([f1_score(truth[:, k], decisions[:, k]) for k in columns]),
        ]
    )


@pytest.fixture
def to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four thousand permutations, even of a p that is large, so that it can be held against an exact one."""
    monkeypatch.setattr(permutation, "ENOUGH", 10**9)
    monkeypatch.setattr(permutation, "PERMUTATIONS", 4000)


@pytest.mark.usefixtures("to_the_end")
def test_p_is_the_share_among_all_swaps_there_are() -> None:
    """Five patients can be swapped in 32 ways: every one of them, through scikit-learn."""
    owner, truth, first, second = case(0)
    ranks = [rankdata(scores, axis=0) for scores in (first, second)]
    decided = [scores > 0.5 for scores in (first, second)]
    seen, exact = np.zeros(3), np.zeros(3)
    for swap in product([False, True], repeat=5):
        images = np.array(swap)[owner][:, None]
        sides = [
            macro_scores(truth, np.where(images, ranks[1 - a], ranks[a]), np.where(images, decided[1 - a], decided[a]))
            for a in (0, 1)
        ]
        difference = np.abs(sides[0] - sides[1])
        if not any(swap):
            seen = difference
        exact += difference >= seen - 1e-12
    draws = PatientDraws.draw(owner.astype(str), 4000, 0)
    found = permutation_p([run(truth, first)], [run(truth, second)], draws)
    np.testing.assert_allclose([found[name] for name in METRICS], exact / 32, atol=0.025)


@pytest.mark.usefixtures("to_the_end")
def test_it_is_scipys_test_of_paired_samples_where_each_patient_has_one_image() -> None:
    """All 1,024 swaps of ten patients' decisions; ours draws 4,000 of them."""
    rng = np.random.default_rng(11)
    truth = np.arange(10)[:, None] < 6
    first, second = (np.clip(0.3 * truth + rng.random((10, 1)), 0, 1) for _ in range(2))

    def difference(one: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
        scores = [2 * (each * truth[:, 0]).sum(axis) / (each.sum(axis) + 6) for each in (one, other)]
        return np.asarray(scores[0] - scores[1])

    sides = [(scores[:, 0] > 0.5).astype(float) for scores in (first, second)]
    exact = permutation_test(sides, difference, permutation_type="samples", vectorized=True, n_resamples=np.inf)
    draws = PatientDraws.draw([str(patient) for patient in range(10)], 4000, 0)
    found = permutation_p([run(truth, first)], [run(truth, second)], draws)
    assert 0.05 < exact.pvalue < 0.95
    assert found["macro_f1"] == pytest.approx(exact.pvalue, abs=0.025)


def test_it_is_exact_one_added_to_both() -> None:
    owner, truth, first, _ = case(1, patients=40)
    perfect = np.where(truth, 0.9, 0.1) + 0.01 * first
    draws = PatientDraws.draw(owner.astype(str), 99, 0)
    found = permutation_p([run(truth, perfect)], [run(truth, 1 - perfect)], draws)
    assert found == dict.fromkeys(METRICS, 1 / 100)


def test_equal_predictions_have_p_of_one_and_sides_do_not_matter() -> None:
    owner, truth, first, second = case(2)
    draws = PatientDraws.draw(owner.astype(str), 200, 0)
    one, other = run(truth, first), run(truth, second)
    assert permutation_p([one], [one], draws) == dict.fromkeys(METRICS, 1.0)
    there, back = permutation_p([one], [other], draws), permutation_p([other], [one], draws)
    assert there["macro_f1"] == back["macro_f1"]
    assert there == pytest.approx(back, abs=0.1)  # up to whose image stands first at a rank that both have


def test_the_scale_of_probabilities_does_not_matter_to_ranking_metrics() -> None:
    owner, truth, first, second = case(3, patients=20)
    draws = PatientDraws.draw(owner.astype(str), 200, 0)
    straight = permutation_p([run(truth, first)], [run(truth, second)], draws)
    bent = permutation_p([run(truth, first)], [run(truth, np.exp(9 * second))], draws)
    assert straight["macro_ap"] == bent["macro_ap"]
    assert straight["macro_auroc"] == bent["macro_auroc"]


def test_the_order_of_images_does_not_matter() -> None:
    owner, truth, first, second = case(4, patients=15)
    order = np.random.default_rng(0).permutation(len(owner))
    straight = permutation_p(
        [run(truth, first)], [run(truth, second)], PatientDraws.draw([f"{p:02d}" for p in owner], 300, 0)
    )
    shuffled = permutation_p(
        [run(truth[order], first[order])],
        [run(truth[order], second[order])],
        PatientDraws.draw([f"{p:02d}" for p in owner[order]], 300, 0),
    )
    assert straight == shuffled


def test_images_of_one_patient_are_swapped_together() -> None:
    """Sixty copies of the images of five patients are no more than five patients: p cannot be small."""
    owner, truth, first, _ = case(5, patients=5)
    perfect = np.where(truth, 0.9, 0.1) + 0.01 * first
    copies = [np.tile(part, (20, 1)) for part in (truth, perfect, 1 - perfect)]
    draws = PatientDraws.draw(np.tile(owner, 20).astype(str), 2000, 0)
    found = permutation_p([run(copies[0], copies[1])], [run(copies[0], copies[2])], draws)
    assert all(value == pytest.approx(2 / 32, abs=0.02) for value in found.values())
    alone = PatientDraws.draw(np.arange(300).astype(str), 2000, 0)
    naive = permutation_p([run(copies[0], copies[1])], [run(copies[0], copies[2])], alone)
    assert set(naive.values()) == {1 / 1000}


def test_seeds_are_averaged_and_swapped_alike() -> None:
    owner, truth, first, second = case(6, patients=12)
    draws = PatientDraws.draw(owner.astype(str), 300, 0)
    one, other = run(truth, first), run(truth, second)
    single = permutation_p([one], [other], draws)
    assert permutation_p([one, one], [other, other], draws) == single
    assert permutation_p([one, other], [other, one], draws) == dict.fromkeys(METRICS, 1.0)
    assert permutation_p([one, other], [other], draws) == single  # a seed left over takes no part


def test_unknown_labels_take_no_part() -> None:
    owner, truth, first, second = case(7, patients=30)
    known = np.random.default_rng(0).random(truth.shape) < 0.7
    draws = PatientDraws.draw(owner.astype(str), 200, 0)

    def p_of(noise: np.ndarray) -> dict[str, float]:
        hidden = [np.where(known, scores, noise) for scores in (first, second)]
        guessed = np.where(known, truth, noise > 0.5)
        return permutation_p([run(guessed, hidden[0], known)], [run(guessed, hidden[1], known)], draws)

    assert p_of(np.zeros(truth.shape)) == p_of(np.random.default_rng(1).random(truth.shape))


def test_a_metric_that_is_not_defined_has_no_p() -> None:
    owner, truth, first, second = case(8)
    nothing = np.zeros_like(truth)
    draws = PatientDraws.draw(owner.astype(str), 20, 0)
    found = permutation_p([run(nothing, first)], [run(nothing, second)], draws)
    assert np.isnan(list(found.values())).all()


@pytest.mark.parametrize("seed", range(12))
def test_stopping_early_never_makes_a_p_small(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A p below .1 rests on all permutations; one that stopped is as large as (`ENOUGH` + 1) of half of them."""
    owner, truth, first, second = case(seed, patients=60)
    second = first + 0.1 * (seed % 4) * second  # from all alike to quite different
    draws = PatientDraws.draw(owner.astype(str), 999, 0)
    early = permutation_p([run(truth, first)], [run(truth, second)], draws)
    monkeypatch.setattr(permutation, "ENOUGH", 10**9)
    whole = permutation_p([run(truth, first)], [run(truth, second)], draws)
    stopped = early != whole
    for name in METRICS:
        assert (early[name] > 0.1) if stopped else (early[name] == whole[name])
        assert early[name] == pytest.approx(whole[name], abs=0.15)


def test_places_keep_the_order_and_all_but_a_hair_of_average_precision() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.2
    ranks = np.argsort(np.argsort(rng.normal(size=20_000) + truth)).astype(float)
    found = places(truth, ranks)
    assert len(np.unique(found[truth])) == PLACES
    assert (np.diff(found[np.argsort(ranks)]) >= 0).all()
    exact, coarse = (average_precision(truth[:, None], each[:, None])[0] for each in (ranks, found))
    assert coarse == pytest.approx(exact, abs=0.001)
    few = rng.random(20_000) < 0.02
    np.testing.assert_array_equal(places(few, ranks), ranks)


def test_images_of_one_rank_stay_in_one_place() -> None:
    rng = np.random.default_rng(1)
    truth, ranks = rng.random(5000) < 0.5, rng.integers(0, 900, 5000).astype(float)
    found = places(truth, ranks)
    assert all(len(np.unique(found[ranks == rank])) == 1 for rank in np.unique(ranks))
    assert len(np.unique(found[truth])) <= PLACES
