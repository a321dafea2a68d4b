import itertools

import pytest
import torch

from chestxpert.training.schedule import learning_rate_factor, set_learning_rate


def test_rises_linearly_then_falls_to_nothing() -> None:
    factors = [learning_rate_factor(step, 100, 0.1) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == pytest.approx(1.0)
    assert max(factors) == pytest.approx(1.0)
    assert factors[55] == pytest.approx(0.5)
    assert 0 < factors[99] < 0.001
    assert all(a > b for a, b in itertools.pairwise(factors[10:]))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_have_a_rate_too(steps: int) -> None:
    assert all(0 < learning_rate_factor(step, steps, 0.1) <= 1 for step in range(steps))


def test_each_group_keeps_its_own_peak() -> None:
    a, b = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.AdamW([{"params": [a], "lr": 0.1}, {"params": [b], "lr": 0.01}])
    for factor in (0.5, 1.0, 0.25):
        set_learning_rate(optimizer, factor)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.025, 0.0025])
