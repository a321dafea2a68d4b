"""Each curve against another computation of its formula: scikit-learn, scipy, brute force, and by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from chestxpert.errors import PredictionsError
from chestxpert.evaluation.calibration import FITS, Identity, Line, apply_curves, fit_curves
from chestxpert.evaluation.calibration.beta import Beta, fit_beta
from chestxpert.evaluation.calibration.isotonic import Isotonic, fit_isotonic
from chestxpert.evaluation.calibration.logistic import fit_logistic
from chestxpert.evaluation.calibration.platt import fit_platt, fit_temperature_curve
from chestxpert.evaluation.inference import fit_temperature, tempered

STRICT = ("temperature", "platt", "beta")


def drawn(seed: int, n: int = 400, slope: float = 1.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Answers, and probabilities whose logits should be times `slope` plus `shift`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 1.5, n)
    return rng.random(n) < expit(slope * logits + shift), expit(logits)


def platt_loss(ab: np.ndarray, truth: np.ndarray, probs: np.ndarray) -> float:
    """Cross-entropy with Platt's targets, written out."""
    n, p = int((~truth).sum()), int(truth.sum())
    target = np.where(truth, (p + 1) / (p + 2), 1 / (n + 2))
    q = expit(ab[0] * np.log(probs / (1 - probs)) + ab[1])
    return float(-(target * np.log(q) + (1 - target) * np.log(1 - q)).sum())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 3), st.floats(-3, 2))
def test_platt_is_the_minimum_of_its_loss(seed: int, slope: float, shift: float) -> None:
    truth, probs = drawn(seed, slope=slope, shift=shift)
    if truth.sum() in (0, len(truth)):
        assert isinstance(fit_platt(truth, probs), Identity)
        return
    found = fit_platt(truth, probs)
    best = minimize(platt_loss, [1.0, 0.0], (truth, probs), method="BFGS")
    assert isinstance(found, Line)
    if best.x[0] < 0.01:
        return
    assert not found.note
    np.testing.assert_allclose([found.slope, found.intercept], best.x, atol=2e-3)
    assert platt_loss(np.array([found.slope, found.intercept]), truth, probs) <= best.fun + 1e-9


def test_platt_by_hand() -> None:
    """Two scores, three positives of four above and one of four below: the curve goes through the smoothed shares."""
    truth = np.array([1, 1, 1, 0, 1, 0, 0, 0], bool)
    probs = np.array([0.8] * 4 + [0.2] * 4)
    up, down = 5 / 6, 1 / 6
    high, low = (3 * up + down) / 4, (up + 3 * down) / 4
    curve = fit_platt(truth, probs)
    np.testing.assert_allclose(curve([0.8, 0.2]), [high, low], rtol=1e-9)


def test_platt_is_finite_where_val_is_told_apart_and_rises_where_it_ranks_backwards() -> None:
    apart = fit_platt(np.array([True, False, False]), np.array([0.9, 0.2, 0.1]))
    assert isinstance(apart, Line)
    assert 0 < apart.slope < 10
    backwards = fit_platt(np.array([True, False, False, False]), np.array([0.1, 0.5, 0.6, 0.9]))
    assert isinstance(backwards, Line)
    assert backwards.slope == 1.0
    assert "note" in backwards.describe()
    smoothed = (2 / 3 + 3 * (1 / 5)) / 4
    assert backwards(np.array([0.1, 0.5, 0.6, 0.9])).mean() == pytest.approx(smoothed, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_logistic_fit_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(300, 2)) * [1, 0.01] + [5, 3]
    truth = rng.random(300) < expit(features @ [0.8, -60.0] + 176)
    found = fit_logistic(features, truth)
    scaled = (features - features.mean(0)) / features.std(0)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(scaled, truth)
    assert found is not None
    np.testing.assert_allclose(found[:2] * features.std(0), oracle.coef_[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(expit(features @ found[:2] + found[2]), oracle.predict_proba(scaled)[:, 1], atol=1e-4)


def test_a_likelihood_without_a_maximum_is_noticed() -> None:
    x = np.linspace(-1, 1, 20)[:, None]
    assert fit_logistic(x, x[:, 0] > 0) is None
    assert fit_logistic(np.ones((4, 1)), np.array([0, 1, 1, 0])) is None
    assert fit_logistic(np.append(x, 0.9)[:, None], np.append(x[:, 0] > 0, False)) is not None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 3), st.floats(0.2, 3), st.floats(-2, 2))
def test_beta_is_logistic_regression_on_its_features(seed: int, a: float, b: float, c: float) -> None:
    rng = np.random.default_rng(seed)
    probs = rng.beta(1, 3, 600)
    probs = np.clip(probs, 1e-6, 1 - 1e-6)
    truth = rng.random(600) < expit(a * np.log(probs) - b * np.log(1 - probs) + c)
    if min(truth.sum(), (~truth).sum()) < 5:
        return
    features = np.column_stack([np.log(probs), -np.log(1 - probs)])
    spread = features.std(0)
    kept = [0, 1]
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(features / spread, truth)
    if oracle.coef_.min() < 0:
        kept = [int(np.argmax(oracle.coef_[0]))]
        oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit((features / spread)[:, kept], truth)
    expected = oracle.predict_proba((features / spread)[:, kept])[:, 1]
    curve = fit_beta(truth, probs)
    if isinstance(curve, Beta):
        assert (curve.a > 0, curve.b > 0) == (0 in kept, 1 in kept)
        np.testing.assert_allclose(curve(probs), expected, atol=2e-3)
    else:
        assert "note" in curve.describe()
        assert oracle.coef_.max() < 0.01 or oracle.coef_.max() > 10


def test_beta_holds_the_identity_and_both_ends() -> None:
    same = Beta(1.0, 1.0, 0.0)
    probs = np.array([0.0, 1e-300, 1e-9, 0.3, 1 - 1e-12, 1.0])
    np.testing.assert_allclose(same(probs), probs, atol=1e-15)
    for bent in (Beta(0.0, 2.0, 0.5), Beta(2.0, 0.0, 0.5)):
        assert np.isfinite(bent(probs)).all()
        assert (np.diff(bent(probs)) >= 0).all()
    by_hand = 1 / (1 + 1 / (np.exp(0.5) * 0.3**2 / 0.7**3))
    assert Beta(2.0, 3.0, 0.5)([0.3]) == pytest.approx(by_hand)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.sampled_from([1, 2, 16]))
def test_isotonic_is_scikit_learns(seed: int, n: int, digits: int) -> None:
    rng = np.random.default_rng(seed)
    probs = rng.random(n).round(digits)
    truth = rng.random(n) < probs**2
    curve = fit_isotonic(truth, probs)
    if not truth.any() or truth.all():
        assert isinstance(curve, Identity)
        return
    oracle = IsotonicRegression(out_of_bounds="clip").fit(probs, truth)
    asked = np.concatenate([probs, rng.random(50), [0.0, 1.0]])
    np.testing.assert_allclose(curve(asked), oracle.predict(asked), atol=1e-12)


def test_isotonic_by_hand() -> None:
    curve = fit_isotonic(np.array([False, True, False, True, True]), np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    assert isinstance(curve, Isotonic)
    np.testing.assert_allclose(curve([0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 1.0]), [0, 0, 0.5, 0.5, 0.5, 0.75, 1, 1])
    assert curve.describe() == {"steps": 3, "lowest": 0.0, "highest": 1.0}


def test_temperature_is_the_one_of_routing_for_one_column() -> None:
    truth, probs = drawn(3, slope=0.5)
    curve = fit_temperature_curve(truth, probs)
    temperature = fit_temperature(truth, probs)
    assert temperature is not None
    np.testing.assert_allclose(curve(probs), tempered(probs, temperature), rtol=1e-12)
    assert curve([0.5]) == pytest.approx(0.5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(STRICT), st.integers(1, 30))
def test_a_rising_curve_keeps_order_auroc_and_average_precision(seed: int, kind: str, positives: int) -> None:
    """However few positives there are, and however badly they rank."""
    rng = np.random.default_rng(seed)
    probs = expit(rng.normal(-2, 2, 300))
    truth = np.zeros(300, bool)
    truth[rng.choice(300, positives, replace=False)] = True
    other, held = expit(rng.normal(-2, 2, 200)), rng.random(200) < 0.2
    after = FITS[kind](truth, probs)(other)
    assert ((after >= 0) & (after <= 1)).all()
    assert (np.diff(after[np.argsort(other)]) > 0).all()
    assert roc_auc_score(held, after) == roc_auc_score(held, other)
    assert average_precision_score(held, after) == average_precision_score(held, other)


@pytest.mark.parametrize("kind", FITS)
def test_every_curve_calibrates_what_was_put_out_of_tune(kind: str) -> None:
    truth, probs = drawn(1, 20_000, slope=0.4, shift=0.0)
    fresh, other = drawn(2, 20_000, slope=0.4, shift=0.0)
    after = FITS[kind](truth, probs)(other)
    assert ((after - fresh) ** 2).mean() < ((other - fresh) ** 2).mean() - 0.01
    edges = np.quantile(after, np.linspace(0, 1, 11))
    if kind == "isotonic":
        return
    for low, high in itertools.pairwise(edges):
        inside = (after >= low) & (after <= high)
        assert after[inside].mean() == pytest.approx(fresh[inside].mean(), abs=0.05)


@pytest.mark.parametrize("kind", FITS)
def test_only_what_is_known_is_fitted_on(kind: str) -> None:
    rng = np.random.default_rng(0)
    truth, probs = rng.random((200, 3)) < 0.3, rng.random((200, 3))
    known = rng.random((200, 3)) < 0.6
    known[:, 2] = False
    curves = fit_curves(kind, truth, probs, known)
    spoilt = fit_curves(kind, truth ^ ~known, np.where(known, probs, 0.5), known)
    assert [curve.describe() for curve in curves] == [curve.describe() for curve in spoilt]
    assert isinstance(curves[2], Identity)
    assert np.array_equal(apply_curves(curves, probs)[:, 2], probs[:, 2])
    alone = FITS[kind](truth[known[:, 0], 0], probs[known[:, 0], 0])
    np.testing.assert_array_equal(apply_curves(curves, probs)[:, 0], alone(probs[:, 0]))


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("answer", [True, False])
def test_one_kind_of_answer_is_nothing_to_fit_on(kind: str, answer: bool) -> None:
    curve = FITS[kind](np.full(5, answer), np.linspace(0.1, 0.9, 5))
    assert "alike" in curve.describe()["left_alone"]


def test_shapes_must_fit() -> None:
    with pytest.raises(PredictionsError, match="one shape"):
        fit_curves("platt", np.ones((3, 2), bool), np.ones((3, 1)))
    with pytest.raises(PredictionsError, match="2 curves"):
        apply_curves([Identity(""), Identity("")], np.ones((3, 1)))
