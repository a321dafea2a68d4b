from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from chestxpert.evaluation import metrics
from chestxpert.evaluation.bootstrap import PatientDraws, interval, two_sided_p
from chestxpert.evaluation.weighted_ranking import drawn_ranking, rank_labels, split_ranking


def case(seed: int, decimals: int, n: int = 120) -> tuple[np.ndarray, np.ndarray, PatientDraws]:
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 4)) < [0.5, 0.2, 0.03, 0.95]
    truth[0] = [True, True, True, False]
    scores = np.round(0.6 * rng.random((n, 4)) + 0.4 * truth * rng.random((n, 4)), decimals)
    return truth, scores, PatientDraws.draw(rng.integers(0, 40, n).astype(str), 40, seed)


@pytest.mark.parametrize("decimals", [12, 2, 1, 0])
def test_equals_scikit_learn_with_the_rows_repeated(decimals: int) -> None:
    truth, scores, draws = case(decimals, decimals)
    auroc, precision = drawn_ranking(truth, scores, draws)
    undefined = 0
    for draw, counts in enumerate(draws.counts[:, draws.patient_of_image]):
        rows = np.repeat(np.arange(len(truth)), counts)
        for label in range(truth.shape[1]):
            held, values = truth[rows, label], scores[rows, label]
            if not held.any():
                assert np.isnan(auroc[draw, label])
                assert np.isnan(precision[draw, label])
                undefined += 1
                continue
            assert precision[draw, label] == pytest.approx(average_precision_score(held, values), abs=1e-9)
            if held.all():
                assert np.isnan(auroc[draw, label])
            else:
                assert auroc[draw, label] == pytest.approx(roc_auc_score(held, values), abs=1e-9)
    assert undefined < draws.counts.shape[0]


def test_some_draws_lack_a_rare_finding_and_say_so() -> None:
    truth = np.zeros((30, 1), dtype=bool)
    truth[3] = True
    draws = PatientDraws.draw([str(i) for i in range(30)], 200, 0)
    auroc, precision = drawn_ranking(truth, np.linspace(0, 1, 30)[:, None], draws)
    absent = draws.counts[:, draws.patient_of_image[3]] == 0
    assert 0 < absent.sum() < 200
    np.testing.assert_array_equal(np.isnan(auroc[:, 0]), absent)
    np.testing.assert_array_equal(np.isnan(precision[:, 0]), absent)


def test_a_label_without_positives_is_undefined_in_every_draw() -> None:
    draws = PatientDraws.draw(["a", "b", "c"], 5, 0)
    for values in drawn_ranking(np.zeros((3, 2), dtype=bool), np.zeros((3, 2)), draws):
        assert values.shape == (5, 2)
        assert np.isnan(values).all()


def test_threads_and_chunks_do_not_change_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, scores, draws = case(5, 2)
    one = drawn_ranking(truth, scores, draws, workers=1)
    monkeypatch.setattr(PatientDraws, "chunks", lambda self, width: (slice(i, i + 7) for i in range(0, len(self), 7)))
    for straight, chopped in zip(one, drawn_ranking(truth, scores, draws, workers=3), strict=True):
        np.testing.assert_array_equal(straight, chopped)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_drawing_each_patient_once_gives_the_plain_metrics(seed: int, decimals: int) -> None:
    truth, scores, draws = case(seed, decimals, n=30)
    once = PatientDraws(draws.patient_of_image, np.ones((1, draws.counts.shape[1]), dtype=np.int32))
    auroc, precision = drawn_ranking(truth, scores, once, workers=1)
    np.testing.assert_allclose(auroc[0], metrics.auroc(truth, scores), atol=1e-12)
    np.testing.assert_allclose(precision[0], metrics.average_precision(truth, scores), atol=1e-12)


def clustered(seed: int, labels: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Owner and truth of 150 images of 75 patients whose images resemble each other, and scores of equal skill."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(75), 2)

    def noise() -> np.ndarray:
        return rng.normal(size=(75, labels))[owner] + rng.normal(size=(150, labels))

    truth = noise() > 1.7
    return owner, truth, np.stack([truth + noise(), truth + noise()])


def test_equal_scores_are_rarely_told_apart() -> None:
    """New patients each time, two scores of one skill: a p-value below .05 in about one study of twenty."""
    alarms = 0
    for repeat in range(60):
        owner, truth, scores = clustered(repeat)
        draws = PatientDraws.draw(owner.astype(str), 150, repeat)
        one, other = (metrics.macro(drawn_ranking(truth, values, draws, workers=1)[1]) for values in scores)
        alarms += two_sided_p(one - other) < 0.05
    # Binomial with p = .05: more than 8 of 60 has a chance of .003, none at all one of .046.
    assert 1 <= alarms <= 8


def test_the_basic_interval_of_macro_average_precision_holds_the_truth_and_the_percentile_one_does_not() -> None:
    """Scores that say nothing have the prevalence as their average precision; few positives make it look better."""
    basic = percentile = 0
    for repeat in range(60):
        owner, truth, scores = clustered(repeat)
        said_nothing = scores[0] - truth
        draws = PatientDraws.draw(owner.astype(str), 150, repeat)
        drawn = metrics.macro(drawn_ranking(truth, said_nothing, draws, workers=1)[1])
        estimate = float(metrics.macro(metrics.average_precision(truth, said_nothing)))
        prevalence = 0.1147
        low, high, _ = interval(drawn, reflect_about=estimate)
        basic += low <= prevalence <= high
        low, high, _ = interval(drawn)
        percentile += low <= prevalence <= high
    assert basic >= 50
    assert percentile <= 30


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_with_unknown_labels_it_equals_scikit_learn_with_weights_on_the_known_rows(seed: int, decimals: int) -> None:
    truth, scores, draws = case(seed, decimals, n=60)
    draws = PatientDraws(draws.patient_of_image, draws.counts[:4])
    known = np.random.default_rng(seed).random(truth.shape) < [0.9, 0.6, 0.3, 0.0]
    auroc, precision = drawn_ranking(truth, scores, draws, workers=1, known=known)
    for draw, weights in enumerate(draws.counts[:, draws.patient_of_image]):
        for label in range(truth.shape[1]):
            rows = known[:, label] & (weights > 0)
            held, values, extra = truth[rows, label], scores[rows, label], {"sample_weight": weights[rows]}
            if not held.any():
                assert np.isnan(auroc[draw, label])
                assert np.isnan(precision[draw, label])
                continue
            assert precision[draw, label] == pytest.approx(average_precision_score(held, values, **extra), abs=1e-9)
            if held.all():
                assert np.isnan(auroc[draw, label])
            else:
                assert auroc[draw, label] == pytest.approx(roc_auc_score(held, values, **extra), abs=1e-9)


def test_neither_a_whole_mask_nor_what_it_hides_changes_a_digit() -> None:
    truth, scores, draws = case(11, 2)
    known = np.random.default_rng(0).random(truth.shape) < 0.7
    whole = drawn_ranking(truth, scores, draws, workers=1)
    for one, other in (
        (whole, drawn_ranking(truth, scores, draws, workers=2, known=np.ones_like(known))),
        (
            drawn_ranking(truth, scores, draws, workers=1, known=known),
            drawn_ranking(truth ^ ~known, scores, draws, workers=1, known=known),
        ),
    ):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("decimals", [12, 1])
def test_both_sides_of_a_split_are_measured_as_each_would_be_alone(decimals: int) -> None:
    truth, scores, draws = case(3, decimals)
    known = np.random.default_rng(0).random(truth.shape) < 0.8
    halves = np.random.default_rng(1).integers(0, 2, draws.counts.shape, dtype=np.int32)
    chosen, others = (PatientDraws(draws.patient_of_image, side) for side in (halves, 1 - halves))
    for mask in (None, known):
        split = split_ranking(rank_labels(truth, scores, chosen, mask), chosen)
        alone = [drawn_ranking(truth, scores, side, known=mask) for side in (chosen, others)]
        np.testing.assert_allclose(np.array(split), np.array(alone), atol=1e-12)
        assert np.isnan(split[0][1][:, 2]).any()  # some halves lack the rare label, and say so
