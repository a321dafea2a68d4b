"""The study's head, and the heads of several decisions computed together against the same heads apart."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from chestxpert.models.classifier import weights_drawn_from
from chestxpert.models.heads import ConditionalHeads, StudyHead


def features(rows: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def twins(
    width: int, sizes: tuple[int, ...], hidden: tuple[int, ...], rate: float = 0.0
) -> tuple[ConditionalHeads, list[StudyHead]]:
    """Heads together and apart with the same weights, norms included, which are made unlike their defaults."""
    dropout = (rate,) * len(hidden)
    with weights_drawn_from(5, "heads"):
        apart = [StudyHead(width, size, hidden, dropout) for size in sizes]
    with weights_drawn_from(5, "heads"):
        together = ConditionalHeads(width, sizes, hidden, dropout)
    for i, norm in enumerate(together.norms):
        for name in ("weight", "bias", "running_mean", "running_var"):
            values = [torch.rand(hidden[i]) + 0.5 for _ in sizes]
            getattr(norm, name).data.copy_(torch.cat(values))
            for head, value in zip(apart, values, strict=True):
                getattr(head.norms[i], name).data.copy_(value)
    return together, apart


def test_the_heads_layers_are_those_of_the_study() -> None:
    head = StudyHead(2048, 15)
    assert [(layer.in_features, layer.out_features) for layer in head.linears] == [(2048, 512), (512, 256)]
    assert [layer.num_features for layer in head.norms] == [512, 256]
    assert [layer.p for layer in head.dropouts] == [0.4, 0.4]
    assert (head.out.in_features, head.out.out_features) == (256, 15)


@pytest.mark.parametrize("head", [StudyHead(8, 3, (6,), (0.0,)), ConditionalHeads(8, (1, 2), (6,), (0.0,))])
def test_a_head_gives_logits_and_never_probabilities(head: nn.Module) -> None:
    """The original study had a sigmoid in the network and another in the loss."""
    assert not [module for module in head.modules() if isinstance(module, nn.Sigmoid | nn.Softmax)]
    logits = head(features(64, 8) * 50)
    assert logits.min() < -0.01
    for parameter in head.outs.parameters() if isinstance(head, ConditionalHeads) else head.out.parameters():
        parameter.data.mul_(100)
    assert head(features(64, 8)).abs().max() > 1.5


@settings(deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5).map(tuple),
    hidden=st.sampled_from([(), (6,), (8, 4), (5, 7, 3)]),
    training=st.booleans(),
    rows=st.integers(2, 9),
)
def test_heads_together_equal_heads_apart(
    sizes: tuple[int, ...], hidden: tuple[int, ...], training: bool, rows: int
) -> None:
    together, apart = twins(12, sizes, hidden)
    values = features(rows, 12, seed=rows)
    result = together.train(training)(values)
    expected = torch.cat([head.train(training)(values) for head in apart], dim=1)
    assert result.shape == (rows, sum(sizes))
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    for i, norm in enumerate(together.norms):
        apart_mean = torch.cat([head.norms[i].running_mean for head in apart])
        torch.testing.assert_close(norm.running_mean, apart_mean)


def test_heads_together_learn_as_heads_apart() -> None:
    """One optimiser step moves both alike: the gradients are the same, and so are weights and shapes seen by it."""
    together, apart = twins(12, (1, 6, 9), (8, 4))
    values = features(16, 12)
    groups = [together.parameters(), [p for head in apart for p in head.parameters()]]
    optimizers = [torch.optim.SGD(list(group), lr=0.5) for group in groups]
    for _ in range(2):
        outputs = (together(values), torch.cat([head(values) for head in apart], dim=1))
        for output, optimizer in zip(outputs, optimizers, strict=True):
            optimizer.zero_grad()
            (output.square().mean() + output.mean()).backward()
            optimizer.step()
    with torch.no_grad():
        torch.testing.assert_close(together(values), torch.cat([head(values) for head in apart], dim=1))


def test_one_decisions_loss_leaves_the_others_alone() -> None:
    together, _ = twins(12, (2, 3), (8, 4))
    together(features(16, 12))[:, :2].sum().backward()
    first = together.linears[0].weight.grad
    assert isinstance(first, Tensor)
    assert first[:8].abs().max() > 0
    assert first[8:].abs().max() == 0
    assert together.outs[1].weight.grad is not None
    assert together.outs[1].weight.grad.abs().max() == 0


def test_heads_together_are_as_large_as_heads_apart() -> None:
    together, apart = twins(12, (1, 6, 9), (8, 4))
    assert sum(p.numel() for p in together.parameters()) == sum(p.numel() for h in apart for p in h.parameters())


def test_dropout_falls_on_every_decision_apart() -> None:
    together, _ = twins(12, (1, 1), (256,), rate=0.5)
    dropped = together.dropouts[0](torch.ones(4, 512)) == 0
    assert (dropped.float().mean(dim=1) > 0.35).all()
    assert not torch.equal(dropped[:, :256], dropped[:, 256:])


def test_bfloat16_autocast_runs_through() -> None:
    together, _ = twins(12, (1, 6, 9), (8, 4))
    values = features(16, 12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = together(values)
    logits.float().sum().backward()
    assert torch.isfinite(logits).all()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in together.parameters())
