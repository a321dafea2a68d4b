"""Errors of AUROC without resampling, against published figures and brute force, and what must not matter to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from chestxpert.evaluation.bootstrap import PatientDraws
from chestxpert.evaluation.metrics import auroc
from chestxpert.evaluation.uncertainty.auroc_parts import AurocParts, midranks, placements
from chestxpert.evaluation.weighted_ranking import drawn_ranking

OVARIAN = np.fromstring(
    """3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1 3.8 5.7 5 1
    3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0
    4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1
    4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1
    2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1""",
    sep=" ",
).reshape(-1, 4)
"""Ovarian cancer, DeLong et al. (1988): albumin, total protein, K-G score, 1 where surgery did not help."""


def case(seed: int, decimals: int = 3, patients: int = 25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patients, truth (N, 2) and scores (N, 2) that resemble each other within a patient."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
    shared = rng.normal(size=(patients, 2))[owner]
    truth = shared + rng.normal(size=shared.shape) > [0.3, 1.0]
    truth[:2], truth[-2:] = True, False
    return owner, truth, np.round(truth + 0.7 * shared + rng.normal(size=shared.shape), decimals)


def brute_covariance(
    owner: np.ndarray, truth: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[float, float]:
    """AUROC of `first`, and Obuchowski's covariance with that of `second`, from all pairs as she writes it (1997)."""

    def components(scores: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        pairs = scores[truth][:, None] - scores[~truth][None, :]
        psi = (pairs > 0) + 0.5 * (pairs == 0)
        return psi.mean(), psi.mean(axis=1), psi.mean(axis=0)

    theta, x, y = components(first)
    other, x2, y2 = components(second)
    patients = np.unique(owner)
    n_pos, n_neg = truth.sum(), (~truth).sum()
    positives, negatives = owner[truth], owner[~truth]
    s10 = s01 = s11 = 0.0
    for patient in patients:
        m, n = (positives == patient).sum(), (negatives == patient).sum()
        tx, ty = x[positives == patient].sum() - m * theta, y[negatives == patient].sum() - n * theta
        tx2, ty2 = x2[positives == patient].sum() - m * other, y2[negatives == patient].sum() - n * other
        s10, s01, s11 = s10 + tx * tx2, s01 + ty * ty2, s11 + tx * ty2 + ty * tx2
    i10, i01, count = len(np.unique(positives)), len(np.unique(negatives)), len(patients)
    s10, s01 = s10 * i10 / ((i10 - 1) * n_pos), s01 * i01 / ((i01 - 1) * n_neg)
    s11 = s11 * count / (count - 1)
    return theta, s10 / n_pos + s01 / n_neg + s11 / (n_pos * n_neg)


def test_midranks_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).integers(0, 20, 200) / 7
    np.testing.assert_array_equal(midranks(values), rankdata(values))


def test_placements_are_shares_of_the_other_side() -> None:
    truth, scores = np.array([True, False, True, False]), np.array([2.0, 1.0, 1.0, 3.0])
    np.testing.assert_allclose(placements(truth, scores), [0.5, 0.75, 0.25, 0.0])


def test_the_ovarian_cancer_example_of_delong_as_sas_documents_it() -> None:
    """SAS/STAT User's Guide, The LOGISTIC Procedure, "Comparing receiver operating characteristic curves"."""
    truth = np.repeat(OVARIAN[:, 3:] == 0, 3, axis=1)
    scores = np.column_stack([-OVARIAN[:, 0], -OVARIAN[:, 1], OVARIAN[:, 2]])
    parts = AurocParts.of(truth, scores, np.arange(len(OVARIAN)))
    np.testing.assert_allclose(parts.values, [0.7366, 0.6478, 0.7258], atol=5e-5)
    np.testing.assert_allclose(parts.errors(), [0.0927, 0.1000, 0.1028], atol=5e-5)
    albumin = parts.column(0).minus(parts.column(2))
    protein = parts.column(1).minus(parts.column(2))
    for difference, value, error, chi_square in (
        (albumin, 0.0108, 0.0953, 0.0127),
        (protein, -0.0780, 0.1046, 0.5554),
    ):
        assert difference.values[0] == pytest.approx(value, abs=5e-5)
        assert difference.errors()[0] == pytest.approx(error, abs=5e-5)
        assert (difference.values[0] / difference.errors()[0]) ** 2 == pytest.approx(chi_square, abs=5e-5)
    a, b, both = (part.errors()[0] ** 2 for part in (albumin, protein, albumin.minus(protein)))
    shared = (a + b - both) / 2
    values = np.array([albumin.values[0], protein.values[0]])
    assert values @ np.linalg.solve([[a, shared], [shared, b]], values) == pytest.approx(2.5340, abs=5e-5)


@pytest.mark.parametrize("decimals", [3, 0])
def test_variances_are_obuchowskis_from_all_pairs(decimals: int) -> None:
    owner, truth, scores = case(1, decimals)
    parts = AurocParts.of(truth, scores, owner)
    for label in range(2):
        value, variance = brute_covariance(owner, truth[:, label], scores[:, label], scores[:, label])
        assert parts.values[label] == pytest.approx(value, abs=1e-12)
        assert parts.errors()[label] ** 2 == pytest.approx(variance, abs=1e-12)


def test_differences_carry_the_covariance_of_the_pair() -> None:
    owner, truth, scores = case(2)
    other = scores + np.random.default_rng(5).normal(size=scores.shape)
    first, second = AurocParts.of(truth, scores, owner), AurocParts.of(truth, other, owner)
    errors = first.minus(second).errors()
    for label in range(2):
        pairs = [(a[:, label], b[:, label]) for a, b in ((scores, scores), (other, other), (scores, other))]
        own, theirs, shared = (brute_covariance(owner, truth[:, label], *pair)[1] for pair in pairs)
        assert errors[label] ** 2 == pytest.approx(own + theirs - 2 * shared, abs=1e-12)


def test_one_image_a_patient_is_delongs_variance_of_placements() -> None:
    _, truth, scores = case(3)
    errors = AurocParts.of(truth, scores, np.arange(len(truth))).errors()
    for label in range(2):
        held, placed = truth[:, label], placements(truth[:, label], scores[:, label])
        expected = placed[held].var(ddof=1) / held.sum() + placed[~held].var(ddof=1) / (~held).sum()
        assert errors[label] ** 2 == pytest.approx(expected, abs=1e-12)


def test_the_error_of_a_macro_mean_is_near_that_of_the_bootstrap() -> None:
    owner, truth, scores = case(4, patients=150)
    draws = PatientDraws.draw(owner.astype(str), 2000, 0)
    # names are sorted as text, so the draws' own positions are used
    parts = AurocParts.of(truth, scores, draws.patient_of_image)
    drawn = drawn_ranking(truth, scores, draws)[0]
    np.testing.assert_allclose(parts.errors(), drawn.std(axis=0), rtol=0.08)
    assert parts.macro().errors()[0] == pytest.approx(drawn.mean(axis=1).std(), rel=0.08)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_monotone_transforms_and_the_order_of_rows_do_not_matter(seed: int) -> None:
    owner, truth, scores = case(seed, decimals=1)
    parts = AurocParts.of(truth, scores, owner)
    for other in (np.exp(scores), 3 * scores - 7, scores**3):
        moved = AurocParts.of(truth, other, owner)
        np.testing.assert_allclose(moved.values, parts.values, atol=1e-12)
        np.testing.assert_allclose(moved.errors(), parts.errors(), atol=1e-12)
    order = np.random.default_rng(seed).permutation(len(owner))
    shuffled = AurocParts.of(truth[order], scores[order], owner[order])
    np.testing.assert_allclose(shuffled.values, parts.values, atol=1e-12)
    np.testing.assert_allclose(shuffled.errors(), parts.errors(), atol=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_copies_of_images_narrow_nothing_but_the_error_that_takes_images_for_patients(seed: int, copies: int) -> None:
    owner, truth, scores = case(seed)
    again = np.tile(owner, copies), np.tile(truth, (copies, 1)), np.tile(scores, (copies, 1))
    clustered = AurocParts.of(truth, scores, owner)
    repeated = AurocParts.of(again[1], again[2], again[0])
    np.testing.assert_allclose(repeated.values, clustered.values, atol=1e-12)
    np.testing.assert_allclose(repeated.errors(), clustered.errors(), atol=1e-12)
    naive = AurocParts.of(truth, scores, np.arange(len(owner))).errors()
    fooled = AurocParts.of(again[1], again[2], np.arange(copies * len(owner))).errors()
    np.testing.assert_allclose(fooled, naive / copies**0.5, rtol=0.15)


def test_unknown_images_are_as_if_they_were_not_there() -> None:
    owner, truth, scores = case(6)
    known = np.random.default_rng(0).random(truth.shape) < 0.7
    parts = AurocParts.of(truth, scores, owner, known)
    np.testing.assert_allclose(parts.values, auroc(truth, scores, known))
    for label in range(2):
        rows = known[:, label]
        alone = AurocParts.of(truth[rows][:, [label]], scores[rows][:, [label]], owner[rows])
        assert parts.errors()[label] == pytest.approx(alone.errors()[0], rel=0.01)


def test_what_cannot_be_told_is_nan_and_left_out_of_means() -> None:
    owner, truth, scores = case(7)
    truth = np.column_stack([truth, np.zeros(len(truth), bool), owner == 3])
    scores = np.column_stack([scores, scores])
    parts = AurocParts.of(truth, scores, owner)
    assert np.isnan(parts.values[2])
    assert np.isnan(parts.errors()[2:]).all()  # no positive, and the positives of a single patient
    assert not np.isnan(parts.values[3])
    assert parts.macro().values[0] == pytest.approx(np.nanmean(parts.values))
    assert parts.macro().errors()[0] > 0
    assert np.isnan(parts.column(3).errors()[0])
    nothing = AurocParts.of(truth[:, [2]], scores[:, [2]], owner).macro()
    assert np.isnan(nothing.values[0])
    assert np.isnan(nothing.errors()[0])


def test_seeds_are_averaged_before_they_are_squared() -> None:
    owner, truth, scores = case(8)
    one, two = AurocParts.of(truth, scores, owner), AurocParts.of(truth, -scores, owner)
    mean = AurocParts.average([one, two])
    np.testing.assert_allclose(mean.values, 0.5)
    np.testing.assert_allclose(mean.errors(), 0, atol=1e-12)
    np.testing.assert_allclose(AurocParts.average([one, one]).errors(), one.errors())
