"""The smooth average precision, against its formula, scikit-learn's AP, and what its memory is to do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from entry_checks import batch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from chestxpert.imbalance.losses import LabelStats, masked_bce
from chestxpert.imbalance.losses.average_precision import AveragePrecision, average_precision, smooth_ap

NOBODY = LabelStats(np.zeros(5), np.zeros(5))


def formula(x: np.ndarray, y: np.ndarray, temperature: float) -> float:
    """Smooth-AP as the paper has it, pair by pair; an entry that is y of a positive stands as two, y and 1 - y."""
    total = 0.0
    for i in range(len(x)):
        if y[i] == 0:
            continue
        positives, all_of_them = y[i], y[i] + 0.5 * (1 - y[i])
        for j in range(len(x)):
            if j != i:
                above = 1 / (1 + np.exp(-(x[j] - x[i]) / temperature))
                positives += above * y[j]
                all_of_them += above
        total += y[i] * positives / all_of_them
    return total / y.sum()


def mean_loss(x: np.ndarray, y: np.ndarray, known: np.ndarray, temperature: float) -> float:
    losses = []
    for k in range(x.shape[1]):
        rows = known[:, k]
        if y[rows, k].sum() > 0:
            losses.append(1 - formula(x[rows, k], y[rows, k], temperature))
    return float(np.mean(losses)) if losses else 0.0


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), mixed=st.booleans(), temperature=st.floats(0.05, 5), share=st.floats(0, 1))
def test_it_is_the_formula_mixed_with_cross_entropy(seed: int, mixed: bool, temperature: float, share: float) -> None:
    x, y, known, weight = batch(seed, mixed=mixed)
    loss = average_precision(NOBODY, temperature=temperature, memory=100.0, bce=share)
    ranked = mean_loss(x.numpy(), y.numpy(), known.numpy(), temperature)
    expected = share * float(masked_bce(x, y, known, weight)) + (1 - share) * ranked
    assert float(loss(x, y, known, weight)) == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_at_a_low_temperature_it_is_average_precision(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.permutation(600) / 10.0, rng.random(600) < 0.6  # more positives than are ranked at once
    got = smooth_ap(torch.from_numpy(x), torch.from_numpy(y).double(), 1e-3)
    assert float(got) == pytest.approx(average_precision_score(y, x), rel=1e-9)


def test_ranks_by_hand() -> None:
    """Positives first and third of four: precisions 1 and 2/3."""
    x, y = torch.tensor([4.0, 3.0, 2.0, 1.0]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    assert float(smooth_ap(x, y, 1e-3)) == pytest.approx((1 + 2 / 3) / 2)


def test_its_gradient_is_that_of_finite_differences() -> None:
    x, y, known, weight = batch(3, mixed=True, rows=5, columns=3)
    loss = average_precision(LabelStats(np.zeros(3), np.zeros(3)), temperature=0.7, memory=0.0, bce=0.0)
    assert torch.autograd.gradcheck(lambda logits: loss(logits, y, known, weight), (x.requires_grad_(),))


def test_a_batch_is_ranked_among_the_rows_before_it() -> None:
    """Value over memory and batch together; gradient of the batch's rows, times (memory + batch) / batch."""
    (x0, y0, k0, _), (x1, y1, k1, _) = batch(1), batch(2)
    loss = AveragePrecision(5, temperature=1.0, memory=100, bce=0.0)
    loss(x0, y0, k0)
    x1.requires_grad_()
    value = loss(x1, y1, k1)
    value.backward()
    x, y, known = (np.concatenate([a, b.detach()]) for a, b in ((x0, x1), (y0, y1), (k0, k1)))
    assert value.item() == pytest.approx(mean_loss(x, y, known, 1.0), rel=1e-6)  # the memory is in float32
    assert x1.grad is not None
    for i, k in ((0, 0), (3, 2), (7, 4), (11, 1)):
        step = np.zeros_like(x)
        step[12 + i, k] = 1e-5
        slope = (mean_loss(x + step, y, known, 1.0) - mean_loss(x - step, y, known, 1.0)) / 2e-5
        assert x1.grad[i, k].item() == pytest.approx(2 * slope, rel=1e-4, abs=1e-9)


def test_a_batch_without_a_positive_learns_from_the_positives_before_it() -> None:
    loss = AveragePrecision(1, temperature=1.0, memory=8, bce=0.0)
    negatives = torch.tensor([[1.0], [-1.0]], requires_grad=True)
    assert loss(negatives, torch.zeros(2, 1)).item() == 0.0
    loss(torch.tensor([[0.0]]), torch.ones(1, 1))
    loss(negatives, torch.zeros(2, 1)).backward()
    assert negatives.grad is not None
    assert (negatives.grad > 0).all()  # both are to go down, below the positive
    assert negatives.grad[0] > negatives.grad[1] / 2


def test_the_oldest_rows_are_forgotten_and_evaluation_remembers_nothing() -> None:
    loss = AveragePrecision(1, temperature=1.0, memory=3, bce=0.5)
    for first in (1.0, 3.0):
        loss(torch.tensor([[first], [first + 1]]), torch.zeros(2, 1))
    assert loss.rows[0, :, 0].tolist() == [2.0, 3.0, 4.0]
    loss(torch.arange(5.0, 10.0)[:, None], torch.ones(5, 1), torch.tensor([[True]] * 4 + [[False]]))
    assert loss.rows[:, :, 0].tolist() == [[7.0, 8.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    before = loss.rows.clone()
    loss.eval()
    x, y = torch.tensor([[1.0], [0.0]]), torch.tensor([[1.0], [0.0]])
    alone = AveragePrecision(1, temperature=1.0, memory=0, bce=0.5).eval()
    assert float(loss(x, y)) == float(alone(x, y))
    assert torch.equal(loss.rows, before)


def test_all_cross_entropy_is_cross_entropy_and_weights_reach_that_alone() -> None:
    x, y, known, weight = batch(5)
    entropy = average_precision(NOBODY, temperature=1.0, memory=0.0, bce=1.0)
    assert float(entropy(x, y, known, weight)) == pytest.approx(float(masked_bce(x, y, known, weight)))
    ranking = average_precision(NOBODY, temperature=1.0, memory=0.0, bce=0.0)
    assert float(ranking(x, y, known, weight)) == float(ranking(x, y, known))
