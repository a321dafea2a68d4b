"""Several losses side by side, held against the formula written out for each entry."""

import numpy as np
import pytest
import torch

from chestxpert.imbalance.losses import LabelStats, build_loss
from chestxpert.imbalance.losses.by_decision import LossByDecision
from chestxpert.recipe import Loss

COLUMNS = (slice(0, 1), slice(1, 4), slice(4, 6))
STATS = LabelStats(np.full(6, 10.0), np.full(6, 90.0))


def build(*losses: Loss) -> LossByDecision:
    parts = [
        build_loss(loss, LabelStats(STATS.positives[columns], STATS.negatives[columns]))
        for loss, columns in zip(losses, COLUMNS, strict=True)
    ]
    return LossByDecision(COLUMNS, parts, [loss.pos_weight != "none" for loss in losses])


def batch(seed: int = 0, known: float = 0.7) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    logits = torch.tensor(rng.normal(0, 2, (16, 6)), requires_grad=True)
    targets, mask = rng.random((16, 6)) < 0.3, rng.random((16, 6)) < known
    return logits, torch.from_numpy(targets.astype(np.float64)), torch.from_numpy(mask)


def by_hand(logits: np.ndarray, y: np.ndarray, mask: np.ndarray, weight: np.ndarray) -> float:
    """Cross-entropy of A, focal loss (gamma 3, alpha 0.4) of B, weighed cross-entropy of C: one mean over entries."""
    p = 1 / (1 + np.exp(-logits))
    losses = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    focal = -(0.4 * y * (1 - p) ** 3 * np.log(p) + 0.6 * (1 - y) * p**3 * np.log(1 - p))
    weighed = -(weight * y * np.log(p) + (1 - y) * np.log(1 - p))
    losses[:, 1:4], losses[:, 4:] = focal[:, 1:4], weighed[:, 4:]
    return float(losses[mask].sum() / mask.sum())


def test_every_known_entry_counts_once_with_the_loss_of_its_decision() -> None:
    loss = build(Loss(), Loss("focal", {"gamma": 3, "alpha": 0.4}), Loss(pos_weight="balanced"))
    logits, targets, mask = batch()
    weight = torch.tensor([9.0, 9.0, 9.0, 9.0, 3.0, 5.0])  # of A and B, which have none, it is not asked
    value = loss(logits, targets, mask, weight)
    arrays = logits.detach().numpy(), targets.numpy(), mask.numpy(), weight.numpy()
    assert value.item() == pytest.approx(by_hand(*arrays), rel=1e-6)
    value.backward()
    assert logits.grad is not None
    assert not logits.grad[~mask].any()
    for row, column in ((0, 0), (3, 2), (5, 5)):
        moved = arrays[0].copy()
        moved[row, column] += 1e-5
        slope = (by_hand(moved, *arrays[1:]) - by_hand(*arrays)) / 1e-5
        assert float(logits.grad[row, column]) == pytest.approx(slope, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("kind", ["bce", "focal", "asymmetric", "robust_asymmetric", "ldam"])
@pytest.mark.parametrize("known", [1.0, 0.6])
def test_one_loss_for_each_weighs_decisions_as_that_loss_over_all(kind: str, known: float) -> None:
    logits, targets, mask = batch(1, known)
    shared = Loss(kind)
    together = build_loss(shared, STATS)(logits, targets, mask)
    apart = build(shared, shared, shared)(logits, targets, mask)
    assert apart.item() == pytest.approx(together.item(), rel=1e-6)
    if known == 1.0:
        assert build(shared, shared, shared)(logits, targets).item() == pytest.approx(together.item(), rel=1e-6)


def test_a_decision_that_nothing_asks_adds_nothing() -> None:
    loss = build(Loss(), Loss("aucm"), Loss("average_precision"))
    logits, targets, mask = batch(2)
    mask[:, 1:] = False
    alone = build_loss(Loss(), LabelStats(STATS.positives[:1], STATS.negatives[:1]))
    expected = alone(logits[:, :1], targets[:, :1], mask[:, :1])
    assert loss(logits, targets, mask).item() == pytest.approx(expected.item(), rel=1e-6)
    nothing = loss(logits, targets, torch.zeros_like(mask))
    nothing.backward()
    assert nothing.item() == 0
    assert not logits.grad.any()


def test_what_losses_remember_is_kept_apart_and_together() -> None:
    loss = build(Loss("aucm"), Loss(), Loss("aucm"))
    assert set(loss.state_dict()) == {"losses.0.function.means", "losses.2.function.means"}
    loss(*batch(3))
    other = build(Loss("aucm"), Loss(), Loss("aucm"))
    other.load_state_dict(loss.state_dict())
    assert torch.equal(other.losses[2].function.means, loss.losses[2].function.means)
    fresh = build(Loss("aucm"), Loss(), Loss("aucm"))
    assert not torch.equal(loss.losses[2].function.means, fresh.losses[2].function.means)
