"""The unconditional loss against its formula: products of sigmoids, in float64, and with 400 digits for far logits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import mpmath
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.imbalance.losses import masked_bce
from chestxpert.imbalance.losses.unconditional import UnconditionalLoss, path_logits

TREE = (None, 0, 0, 2, 2, 4, None)  # two below the root, and a path of four: 0, 2, 4, 5
CHAIN = (None, 0, 1)
FAR = (-80.0, -8.0, 0.0, 8.0, 80.0)


def path(node: int, parents: Sequence[int | None]) -> list[int]:
    parent = parents[node]
    return [node] if parent is None else [*path(parent, parents), node]


def marginals(x: np.ndarray, parents: Sequence[int | None]) -> np.ndarray:
    """Products of sigmoids along each path, as a textbook has them."""
    q = 1 / (1 + np.exp(-x))
    return np.stack([q[:, path(node, parents)].prod(axis=1) for node in range(len(parents))], axis=1)


def batch(seed: int, rows: int = 9) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(rows, len(TREE), generator=generator, dtype=torch.float64)
    targets = torch.rand(rows, len(TREE), generator=generator, dtype=torch.float64).round(decimals=1)
    known = torch.rand(rows, len(TREE), generator=generator) < 0.6
    return logits, targets, known, torch.rand(len(TREE), generator=generator, dtype=torch.float64) * 5 + 0.5


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_cross_entropy_of_products_along_paths(seed: int) -> None:
    x, y, known, weight = batch(seed)
    p = marginals(x.numpy(), TREE)
    entries = -(weight.numpy() * y.numpy() * np.log(p) + (1 - y.numpy()) * np.log(1 - p))
    expected = entries[known.numpy()].sum() / known.sum().item()
    loss = UnconditionalLoss(masked_bce, TREE)
    assert loss(x.float(), y.float(), known, weight).item() == pytest.approx(expected, rel=1e-5)
    assert loss(x.float(), y.float()).item() == pytest.approx(
        -(y.numpy() * np.log(p) + (1 - y.numpy()) * np.log(1 - p)).mean(), rel=1e-5
    )
    assert np.allclose(torch.sigmoid(path_logits(x, TREE)).numpy(), p, rtol=1e-12, atol=0)


def test_two_nodes_by_hand() -> None:
    """Both logits 0: the lower node has probability 1/4."""
    for y, value, slope in ((1.0, math.log(4), -1 / 2), (0.0, math.log(4 / 3), (1 / 4) * (1 / 2) / (3 / 4))):
        x = torch.zeros(1, 2, requires_grad=True)
        known = torch.tensor([[False, True]])
        loss = UnconditionalLoss(masked_bce, (None, 0))(x, torch.full((1, 2), y), known)
        loss.backward()
        assert loss.item() == pytest.approx(value)
        assert x.grad is not None
        assert x.grad.tolist() == [pytest.approx([slope, slope])]


def test_it_is_the_log_sum_exp_over_all_sets_of_nodes_of_the_path() -> None:
    """log(1 - p) as Chen et al. write it: over the power set of the path without the empty set."""
    x = batch(7)[0].numpy()
    for node in range(len(TREE)):
        nodes = path(node, TREE)
        sets = [chosen for size in range(1, len(nodes) + 1) for chosen in itertools.combinations(nodes, size)]
        terms = np.stack([-x[:, list(chosen)].sum(axis=1) for chosen in sets])
        expected = np.logaddexp.reduce(terms, axis=0) - np.logaddexp(0, -x[:, nodes]).sum(axis=1)
        got = F.logsigmoid(-path_logits(torch.from_numpy(x), TREE)[:, node])
        assert np.allclose(got.numpy(), expected, rtol=1e-10, atol=1e-300)


def test_autograd_agrees_with_finite_differences() -> None:
    x = batch(3, rows=4)[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda logits: path_logits(logits, TREE), (x,))


def exact(xs: tuple[float, ...], y: float) -> tuple[float, list[float]]:
    """Loss of the last node of a path, and its slope in each logit, with 400 digits."""
    q = [1 / (1 + mpmath.exp(-mpmath.mpf(x))) for x in xs]
    p = mpmath.fprod(q)
    if y == 1:
        return float(-mpmath.log(p)), [float(-(1 - each)) for each in q]
    return float(-mpmath.log(1 - p)), [float(p * (1 - each) / (1 - p)) for each in q]


def two_sided(logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor | None, weight: object) -> torch.Tensor:
    """Cross-entropy whose gradient is a product on either side, where torch's is sigmoid(x) - y."""
    losses = -targets * F.logsigmoid(logits) - (1 - targets) * F.logsigmoid(-logits)
    return losses[mask].sum()


@pytest.mark.parametrize("y", [0.0, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("inner", "nothing"), [(two_sided, 1e-37), (masked_bce, 1.2e-7)])
def test_far_logits_in_all_combinations_have_an_exact_value_and_gradient(
    inner: Callable[..., torch.Tensor], nothing: float, dtype: torch.dtype, y: float
) -> None:
    """And the signs are right: if far terms cancelled, a slope of 1e-35 would come out as 1e-7 to either side.

    torch's own cross-entropy takes x - logsigmoid(x), with the slope sigmoid(x) - y: what is below the last digit of x
    or of 1 is rounded to 0 there, and nothing else is lost.
    """
    every = list(itertools.product(FAR, repeat=3))
    logits = torch.tensor(every, dtype=dtype, requires_grad=True)
    mask = torch.tensor([[False, False, True]])
    loss = UnconditionalLoss(inner, CHAIN)
    losses = [loss(logits[i : i + 1], torch.full((1, 3), y), mask) for i in range(len(every))]
    torch.stack(losses).sum().backward()
    assert logits.grad is not None
    with mpmath.workdps(400):
        for xs, got, gradient in zip(every, losses, logits.grad.double().tolist(), strict=True):
            value, slopes = exact(xs, y)
            assert got.item() == pytest.approx(value, rel=5e-5, abs=8 * nothing), xs
            digits = 5e-5 if dtype == torch.float32 else 8e-3  # a gradient in bfloat16 is rounded to it
            assert gradient == pytest.approx(slopes, rel=digits, abs=nothing), xs
            for ours, slope in zip(gradient, slopes, strict=True):
                assert ours * slope >= 0, xs
                assert abs(slope) < nothing or ours != 0, xs


@given(st.lists(st.floats(-1e30, 1e30), min_size=3, max_size=3), st.sampled_from([0.0, 1.0]))
def test_any_logits_give_numbers_and_no_node_is_likelier_than_the_one_above(xs: list[float], y: float) -> None:
    logits = torch.tensor([xs], dtype=torch.float32, requires_grad=True)
    found = path_logits(logits, CHAIN)
    above, middle, below = found[0].tolist()
    assert above >= middle >= below
    UnconditionalLoss(masked_bce, CHAIN)(logits, torch.full((1, 3), y)).backward()
    assert logits.grad is not None
    assert torch.isfinite(found).all()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad * (1 if y == 0 else -1) >= 0).all()


def test_what_is_unknown_has_no_loss_and_moves_nothing_by_itself() -> None:
    """But the logit of a node above, of which it is not known if it holds, is moved by what is known below it."""
    x = torch.zeros(1, 3, requires_grad=True)
    loss = UnconditionalLoss(masked_bce, CHAIN)
    loss(x, torch.ones(1, 3), torch.tensor([[False, True, False]])).backward()
    assert x.grad is not None
    assert (x.grad != 0).tolist() == [[True, True, False]]
    x.grad = None
    nothing = loss(x, torch.ones(1, 3), torch.zeros(1, 3, dtype=torch.bool))
    nothing.backward()
    assert nothing.item() == 0
    assert not x.grad.any()
