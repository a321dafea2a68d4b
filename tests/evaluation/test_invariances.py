"""What must not matter to a statistic, and what must: properties of metrics, draws, intervals and contrasts.

"To the last bit" is `assert_array_equal`; where sums are taken in another order it is 1e-12.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from chestxpert.evaluation.bootstrap import PatientDraws, interval, two_sided_p
from chestxpert.evaluation.contrasts import RecipeValues, contrasts
from chestxpert.evaluation.measures import Measured, drawn_metrics, point_metrics
from chestxpert.evaluation.metrics import auroc, average_precision
from chestxpert.evaluation.rates import mcc, ranking_loss, specificity
from chestxpert.evaluation.reliability import ece
from chestxpert.evaluation.roc import partial_auroc, sensitivity_at_specificity
from chestxpert.evaluation.scored import Scored
from chestxpert.evaluation.uncertainty.estimates import KINDS, estimate
from chestxpert.evaluation.uncertainty.jackknife import influences, jackknife_error, leave_out
from chestxpert.evaluation.uncertainty.spread import carriers, patients_behind
from chestxpert.labels import NIH15
from chestxpert.taxonomy import study_taxonomy

TREE = study_taxonomy(NIH15)
PER_LABEL = ("auroc", "ap", "f1", "precision", "recall", "brier")
SEEDS = st.integers(0, 10_000)
Arrays = dict[str, np.ndarray]


def study(seed: int, patients: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patient of each image, truth (N, 15) and probabilities on a coarse grid, so that there are ties."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    truth = np.zeros((len(owner), 15), dtype=bool)
    truth[:, :14] = rng.random((len(owner), 14)) < [0.45, *[0.2] * 13]
    truth[:, 14] = ~truth[:, :14].any(axis=1)
    return owner, truth, np.round(expit(1.5 * truth + rng.normal(size=truth.shape) - 1), 2)


def run(truth: np.ndarray, probs: np.ndarray) -> Scored:
    return Scored(TREE, truth, probs, probs >= 0.6, probs >= 0.5, None)


def names_of(owner: np.ndarray) -> list[str]:
    return [f"{patient:05d}" for patient in owner]


def ends(owner: np.ndarray, truth: np.ndarray, probs: np.ndarray) -> dict[str, list[tuple[float, float]]]:
    """Both ends of the interval of every metric of every label, as a study has them; the same draws on each call."""
    scored, draws = run(truth, probs), PatientDraws.draw(names_of(owner), 60, 1)
    point, drawn, left = point_metrics(scored), drawn_metrics(scored, draws), drawn_metrics(scored, leave_out(draws))
    counts = carriers(truth, draws.patient_of_image)
    behind = patients_behind(truth, scored.decisions, draws.patient_of_image)
    result: dict[str, list[tuple[float, float]]] = {}
    for name in PER_LABEL:
        moves = influences(left.per_label[name], point.per_label[name])
        result[name] = []
        for k in range(15):
            patients = float(behind[name][k]) if name in behind else 0.0
            value, many = float(point.per_label[name][k]), drawn.per_label[name][:, k]
            kind = KINDS.get(name, "percentile")
            entry = estimate(value, many, moves[:, k], kind, int(counts[k]), patients)
            result[name].append((entry["low"], entry["high"]))
    return result


def same(one: Measured, other: Measured, order: np.ndarray | None = None, atol: float = 1e-12) -> None:
    """Every metric is the same; per label after taking `one`'s labels in `order`."""
    for name, values in one.per_label.items():
        moved = values if order is None else values[..., order]
        np.testing.assert_allclose(other.per_label[name], moved, atol=atol, rtol=0, err_msg=name)
    for name in one.overall if order is None else ():
        np.testing.assert_allclose(other.overall[name], one.overall[name], atol=atol, rtol=0, err_msg=name)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_the_order_of_rows_changes_no_metric_and_no_draw(seed: int) -> None:
    owner, truth, probs = study(seed)
    order = np.random.default_rng(seed).permutation(len(owner))
    same(point_metrics(run(truth, probs)), point_metrics(run(truth[order], probs[order])))
    draws = [PatientDraws.draw(names_of(rows), 30, 2) for rows in (owner, owner[order])]
    same(drawn_metrics(run(truth, probs), draws[0]), drawn_metrics(run(truth[order], probs[order]), draws[1]))
    for metric in (mcc, specificity):
        np.testing.assert_array_equal(metric(truth, probs >= 0.6), metric(truth[order], probs[order] >= 0.6))
    for other in (partial_auroc, ece, lambda t, p: sensitivity_at_specificity(t, p, 0.9), ranking_loss):
        np.testing.assert_allclose(other(truth, probs), other(truth[order], probs[order]), atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(-3, 3))
def test_a_constant_added_to_logits_leaves_all_that_ranks_to_the_last_bit(seed: int, constant: float) -> None:
    owner, truth, probs = study(seed)
    logits = np.round(np.log(probs + 0.01) - np.log(1.01 - probs), 3)
    moved = expit(logits + constant)
    draws = PatientDraws.draw(names_of(owner), 20, 0)
    for metric in (auroc, average_precision, partial_auroc):
        np.testing.assert_array_equal(metric(truth, expit(logits)), metric(truth, moved))
    ranked = [drawn_metrics(run(truth, values), draws).per_label for values in (expit(logits), moved)]
    for name in ("auroc", "ap"):
        np.testing.assert_array_equal(ranked[0][name], ranked[1][name])


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_what_patients_are_called_changes_no_error(seed: int) -> None:
    owner, truth, probs = study(seed)
    called = np.random.default_rng(seed).permutation(owner.max() + 1)[owner]
    point = point_metrics(run(truth, probs)).per_label  # which has never heard of patients
    moves = []
    for names in (owner, called):
        without = leave_out(PatientDraws.draw(names_of(names), 1, 0))
        left = drawn_metrics(run(truth, probs), without).per_label
        moves.append({name: influences(left[name], point[name]) for name in PER_LABEL})
    for name in PER_LABEL:  # the draws are others; the jackknife has the same patients in another order
        np.testing.assert_allclose(jackknife_error(moves[0][name]), jackknife_error(moves[1][name]), atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(2, 4))
def test_copies_of_images_of_the_same_patients_change_no_estimate_and_no_interval(seed: int, copies: int) -> None:
    owner, truth, probs = study(seed)
    again = np.tile(owner, copies), np.tile(truth, (copies, 1)), np.tile(probs, (copies, 1))
    same(point_metrics(run(truth, probs)), point_metrics(run(*again[1:])))
    once, often = ends(owner, truth, probs), ends(*again)
    for name in PER_LABEL:
        np.testing.assert_allclose(often[name], once[name], atol=1e-9, err_msg=name)


def errors_of(owner: np.ndarray, truth: np.ndarray, probs: np.ndarray) -> tuple[np.ndarray, float]:
    """Jackknife errors of the metrics of the first label, which many patients carry, and the draws' of macro AUROC."""
    scored, draws = run(truth, probs), PatientDraws.draw(names_of(owner), 400, 0)
    left, point = drawn_metrics(scored, leave_out(draws)).per_label, point_metrics(scored).per_label
    moves = [influences(left[name], point[name])[:, 0] for name in PER_LABEL]
    return np.array([jackknife_error(each) for each in moves]), drawn_metrics(scored, draws).overall[
        "macro_auroc"
    ].std()


@pytest.mark.parametrize("seed", range(3))
def test_patients_twice_as_new_ones_narrow_by_the_root_of_two_and_four_times_by_two(seed: int) -> None:
    owner, truth, probs = study(seed, patients=100)
    once, spread = errors_of(owner, truth, probs)
    for copies in (2, 4):
        names = np.concatenate([owner + 100 * copy for copy in range(copies)])
        errors, narrow = errors_of(names, np.tile(truth, (copies, 1)), np.tile(probs, (copies, 1)))
        np.testing.assert_allclose(once / errors, copies**0.5, rtol=0.04)
        assert spread / narrow == pytest.approx(copies**0.5, rel=0.1)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_the_order_of_labels_changes_nothing_of_a_finding(seed: int) -> None:
    """Metrics of single labels know nothing of the others; what is over all labels is 1e-12 the same."""
    owner, truth, probs = study(seed)
    order = np.random.default_rng(seed).permutation(15)
    draws = PatientDraws.draw(names_of(owner), 20, 0)
    for measure in (point_metrics, lambda scored: drawn_metrics(scored, draws)):
        one, other = measure(run(truth, probs)), measure(run(truth[:, order], probs[:, order]))
        same(one, other, order, atol=1e-15)
        for name in ("macro_auroc", "macro_ap", "macro_f1", "micro_f1", "exact_match", "brier"):
            np.testing.assert_allclose(other.overall[name], one.overall[name], atol=1e-12)


def values_of(owner: np.ndarray, truth: np.ndarray, probs: np.ndarray, hierarchical: bool) -> RecipeValues:
    scored, draws = run(truth, probs), PatientDraws.draw(names_of(owner), 200, 3)
    point, drawn = point_metrics(scored).overall, drawn_metrics(scored, draws).overall
    return RecipeValues(hierarchical, 0.5, {name: float(value) for name, value in point.items()}, drawn)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_a_contrast_turned_round_has_the_other_sign_and_the_mirrored_interval(seed: int) -> None:
    owner, truth, probs = study(seed)
    other = np.round(np.clip(probs + np.random.default_rng(seed).normal(0, 0.2, probs.shape), 0, 1), 2)
    sides = [(owner, truth, probs), (owner, truth, other)]
    there, back = (
        {
            entry["metric"]: entry
            for entry in contrasts(
                {"flat-basic": values_of(*pair[0], False), "tree": values_of(*pair[1], True)},
                ("macro_ap", "macro_auroc", "macro_f1"),
                margin=0.05,
            )
        }
        for pair in (sides, sides[::-1])
    )
    for metric, entry in there.items():
        turned = back[metric]
        assert entry["difference"] == -turned["difference"]
        assert (entry["low"], entry["high"]) == pytest.approx((-turned["high"], -turned["low"]), abs=1e-12)
        for key in ("p", "p_adjusted", "error", "n_draws"):
            assert entry[key] == pytest.approx(turned[key], rel=1e-9)
        assert entry["equivalence"]["p"] == turned["equivalence"]["p"]
        assert entry["mdd"] == pytest.approx(turned["mdd"])


@settings(max_examples=30)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.integers(0, 5))
def test_undefined_draws_are_counted_and_change_no_end(values: list[float], undefined: int) -> None:
    gaps = np.array([*values, *[np.nan] * undefined])
    assert interval(gaps) == interval(values)
    assert interval(gaps)[2] == len(values)
    assert two_sided_p(gaps) == two_sided_p(values)
    assert two_sided_p(-np.array(values)) == two_sided_p(values)


def test_a_finding_nobody_has_is_undefined_in_everything_and_counted() -> None:
    owner, truth, probs = study(5)
    truth[:, 3] = False
    scored, draws = run(truth, probs), PatientDraws.draw(names_of(owner), 30, 0)
    for measured in (point_metrics(scored), drawn_metrics(scored, draws)):
        for name in ("auroc", "ap", "f1", "precision", "recall"):
            assert np.isnan(measured.per_label[name][..., 3]).all(), name
    others = np.delete(np.arange(15), 3)
    point = point_metrics(scored)
    assert point.overall["macro_ap"] == pytest.approx(point.per_label["ap"][others].mean())
    every: Callable[[str], Any] = lambda name: np.array(ends(owner, truth, probs)[name])[3]  # noqa: E731
    assert all(np.isnan(every(name)).all() for name in ("auroc", "ap", "f1", "precision", "recall"))
