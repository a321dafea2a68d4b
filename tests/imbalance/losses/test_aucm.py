"""The AUC margin loss, against LibAUC's formula and the pairs that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from entry_checks import batch
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.imbalance.losses import LabelStats
from chestxpert.imbalance.losses.aucm import Aucm, aucm


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def published(h: np.ndarray, y: np.ndarray, p: float, margin: float, a: float, b: float, alpha: float) -> float:
    """LibAUC's 'v1' of one finding over rows that are known, divided by p (1 - p)."""
    loss = (
        (1 - p) * np.mean((h - a) ** 2 * y)
        + p * np.mean((h - b) ** 2 * (1 - y))
        + 2 * alpha * (p * (1 - p) * margin + np.mean(p * h * (1 - y) - (1 - p) * h * y))
        - p * (1 - p) * alpha**2
    )
    return float(loss / (p * (1 - p)))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), mixed=st.booleans(), margin=st.floats(0.1, 1))
def test_it_is_the_published_formula(seed: int, mixed: bool, margin: float) -> None:
    """With a, b and alpha as they are after some training, each finding counting by its known entries."""
    x, y, known, _ = batch(seed, mixed=mixed)
    stats = LabelStats(np.array([3.0, 10, 20, 40, 90]), np.array([97.0, 90, 80, 60, 10]))
    loss = aucm(stats, margin=margin, memory=8.0)
    assert isinstance(loss, Aucm)
    loss(*batch(seed + 1)[:2])
    loss.eval()
    (a, b), alpha = loss.means.numpy(), loss.alpha.numpy()
    assert alpha == pytest.approx(np.maximum(0, margin + b - a))
    p, total = (stats.positives + 0.5) / 101, 0.0
    for k in range(5):
        rows = known[:, k].numpy()
        if rows.any():
            h, truth = sigmoid(x[rows, k].numpy()), y[rows, k].numpy()
            total += rows.sum() * published(h, truth, p[k], margin, a[k], b[k], alpha[k])
    expected = total / max(1, int(known.sum()))
    assert float(loss(x, y, known)) == pytest.approx(expected, rel=1e-7, abs=1e-9)
    assert float(loss(x.float(), y.float(), known)) == pytest.approx(expected, rel=1e-3, abs=1e-5)


def over_pairs(x: np.ndarray, y: np.ndarray, margin: float) -> float:
    """What the saddle point is for: the mean over all pairs of (margin - (h_positive - h_negative))^2."""
    h = sigmoid(x)
    return float(np.mean([(margin - (i - j)) ** 2 for i in h[y > 0] for j in h[y == 0]]))


def whole(x: torch.Tensor, y: torch.Tensor, margin: float) -> Aucm:
    """The loss for rows that are all there is: means of this batch alone, and its own prevalence."""
    return Aucm(y.mean(dim=0), margin, memory=1.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("margin", [1.0, 0.6])
def test_at_the_saddle_point_it_is_the_squared_hinge_over_all_pairs(seed: int, margin: float) -> None:
    """Value and gradient: holding a, b and alpha fixed there changes neither (the envelope theorem)."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(30, 1, generator=generator, dtype=torch.float64)  # means apart by less than either margin
    y = (torch.rand(30, 1, generator=generator) < 0.3).double()
    x.requires_grad_()
    value = whole(x, y, margin)(x, y)
    value.backward()
    flat, truth = x.detach().numpy()[:, 0], y.numpy()[:, 0]
    assert value.item() == pytest.approx(over_pairs(flat, truth, margin), rel=1e-9)
    slopes = []
    for i in range(30):
        step = np.zeros(30)
        step[i] = 1e-6
        slopes.append((over_pairs(flat + step, truth, margin) - over_pairs(flat - step, truth, margin)) / 2e-6)
    assert x.grad is not None
    assert x.grad.numpy()[:, 0] == pytest.approx(slopes, rel=1e-4, abs=1e-8)


def test_no_a_and_b_are_better_and_no_alpha_is_worse() -> None:
    """It is a saddle point: a grid around it, by the published formula."""
    x, y = torch.linspace(-2, 2, 20, dtype=torch.float64)[:, None], torch.tensor([[1.0], [0], [0], [0]]).repeat(5, 1)
    module = whole(x, y.double(), 0.5)
    value = float(module(x, y))
    (a, b), alpha = module.means.numpy()[:, 0], module.alpha.item()
    h, truth, p = sigmoid(x.numpy()[:, 0]), y.numpy()[:, 0], 0.25
    assert published(h, truth, p, 0.5, a, b, alpha) == pytest.approx(value, rel=1e-9)
    for step in (-0.1, -0.01, 0.01, 0.1):
        assert published(h, truth, p, 0.5, a + step, b, alpha) > value
        assert published(h, truth, p, 0.5, a, b + step, alpha) > value
        assert published(h, truth, p, 0.5, a, b, alpha + step) < value


def test_alpha_is_never_negative_and_then_only_the_spread_is_left() -> None:
    x = torch.tensor([[6.0], [5.0], [-5.0], [-6.0]], dtype=torch.float64)
    y = torch.tensor([[1.0], [1.0], [0.0], [0.0]], dtype=torch.float64)
    module = whole(x, y, 0.5)
    h = sigmoid(x.numpy()[:, 0])
    assert float(module(x, y)) == pytest.approx(h[:2].var() + h[2:].var(), rel=1e-9)
    assert module.alpha.item() == 0.0


def test_its_means_follow_positives_and_negatives_by_their_number() -> None:
    module = aucm(LabelStats(np.array([10.0, 10.0]), np.array([90.0, 90.0])), margin=1.0, memory=4.0)
    assert isinstance(module, Aucm)
    start = 10.5 / 101
    x = torch.tensor([[0.0, 9.0], [0.0, 9.0], [0.0, -9.0]])
    known = torch.tensor([[True, False], [True, False], [True, False]])
    module(x, torch.tensor([[1.0, 1], [1, 1], [0, 0]]), known)
    kept_of_two, kept_of_one = (1 - 1 / 4) ** 2, 1 - 1 / 4
    assert module.means[:, 0].tolist() == pytest.approx(
        [0.5 + kept_of_two * (start - 0.5), 0.5 + kept_of_one * (start - 0.5)]
    )
    assert module.means[:, 1].tolist() == pytest.approx([start, start])  # nothing known, nothing learnt
    before = module.means.clone()
    module.eval()
    module(x, torch.ones(3, 2))
    assert torch.equal(module.means, before)


def test_what_it_remembers_is_stored_and_nothing_is_left_to_the_optimiser() -> None:
    stats = LabelStats(np.array([10.0]), np.array([90.0]))
    first, second = aucm(stats, margin=1.0, memory=4.0), aucm(stats, margin=1.0, memory=4.0)
    assert isinstance(first, Aucm)
    assert isinstance(second, Aucm)
    first(torch.tensor([[3.0], [-2.0]]), torch.tensor([[1.0], [0.0]]))
    assert not torch.equal(first.means, second.means)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.means, second.means)
    assert not list(first.parameters())


def test_at_eighty_a_score_that_is_wrong_is_as_far_off_as_can_be_and_has_no_gradient_left() -> None:
    """The sigmoid's own limit, that of the formula: which is why a head should not start out there."""
    x = torch.tensor([[-80.0], [80.0]], dtype=torch.bfloat16, requires_grad=True)
    module = Aucm(torch.tensor([0.5], dtype=torch.float64), 1.0, memory=1.0)
    value = module(x, torch.tensor([[1.0], [0.0]]))
    value.backward()
    assert value.item() == pytest.approx(4.0, rel=1e-6)  # (1 - (0 - 1))^2
    assert x.grad is not None
    assert x.grad.abs().max() < 1e-30
