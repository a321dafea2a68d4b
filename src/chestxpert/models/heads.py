"""The study's head, and one such head for each decision of a taxonomy, computed together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

HIDDEN = (512, 256)
DROPOUT = (0.4, 0.4)


class StudyHead(nn.Module):
    """Linear 512 - BN - ReLU - Dropout - Linear 256 - BN - ReLU - Dropout - Linear K, giving logits.

    The original study's head, without the sigmoid it had at the end in front of a loss on logits.

    Parameters
    ----------
    in_features : int
        Features of the backbone (D).
    out_features : int
        Logits (K).
    hidden : sequence of int
        Widths of the hidden layers; empty is logistic regression.
    dropout : sequence of float
        Dropout rate after each hidden layer, in [0, 1); as many as `hidden`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = HIDDEN,
        dropout: Sequence[float] = DROPOUT,
    ) -> None:
        super().__init__()
        widths = [in_features, *hidden]
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, hidden, strict=False))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in hidden)
        self.dropouts = nn.ModuleList(nn.Dropout(rate) for _, rate in zip(hidden, dropout, strict=True))
        self.out = nn.Linear(widths[-1], out_features)
        self.out_features = out_features

    @property
    def last(self) -> tuple[nn.Linear, ...]:
        """The layer that gives the logits, as a tuple of one."""
        return (self.out,)

    def start_at(self, logits: Tensor) -> None:
        """Set the last biases, so that before training the head answers about `logits` (K,) to everything."""
        with torch.no_grad():
            self.out.bias.copy_(logits)

    def forward(self, features: Tensor) -> Tensor:
        """(B, K) logits of (B, D) features."""
        for linear, norm, dropout in zip(self.linears, self.norms, self.dropouts, strict=True):
            features = dropout(torch.relu(norm(linear(features))))
        logits: Tensor = self.out(features)
        return logits


class ParallelLinear(nn.Module):
    """S linear layers of one shape, each on its own part of the features, as one batched multiplication.

    Parameters
    ----------
    layers : sequence of nn.Linear
        Layers whose weights are taken over, all of one shape.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]))
        # One row, so that the rule 'no weight decay on vectors' finds it.
        self.bias = nn.Parameter(torch.cat([layer.bias.detach() for layer in layers]))

    def forward(self, features: Tensor) -> Tensor:
        """(B, S * H) to (B, S * H'), part by part."""
        parts, width_in, width_out = self.weight.shape
        split = features.view(-1, parts, width_in).transpose(0, 1)
        result = torch.baddbmm(self.bias.view(parts, 1, width_out), split, self.weight)
        return result.transpose(0, 1).reshape(len(features), parts * width_out)


class ConditionalHeads(nn.Module):
    """One complete `StudyHead` for each decision of a taxonomy, all on the same features.

    Gives exactly what the separate heads would, in as many steps as one head takes: the first layers are one wide
    matrix multiplication, the batch norms one norm over all their channels, the later layers one batched
    multiplication each.

    Parameters
    ----------
    in_features : int
        Features of the backbone (D).
    sizes : sequence of int
        Children of each decision; their sum is M.
    hidden, dropout : as in `StudyHead`
    """

    def __init__(
        self,
        in_features: int,
        sizes: Sequence[int],
        hidden: Sequence[int] = HIDDEN,
        dropout: Sequence[float] = DROPOUT,
    ) -> None:
        super().__init__()
        heads = [StudyHead(in_features, size, hidden, dropout) for size in sizes]
        layers = [[head.linears[i] for head in heads] for i in range(len(hidden))]
        self.linears = nn.ModuleList(
            _widened(group) if i == 0 else ParallelLinear(group)  # type: ignore[arg-type]
            for i, group in enumerate(layers)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(len(sizes) * width) for width in hidden)
        self.dropouts = nn.ModuleList(nn.Dropout(rate) for rate in dropout)
        self.outs = nn.ModuleList(head.out for head in heads)
        self.out_features = sum(sizes)

    @property
    def last(self) -> tuple[nn.Linear, ...]:
        """The layers that give the logits, one a decision."""
        return tuple(self.outs)  # type: ignore[arg-type]  # a ModuleList forgets what it holds

    def start_at(self, logits: Tensor) -> None:
        """Set the last biases, so that before training the heads answer about `logits` (M,) to everything."""
        start = 0
        with torch.no_grad():
            for out in self.outs:
                out.bias.copy_(logits[start : start + len(out.bias)])  # type: ignore[operator,arg-type]
                start += len(out.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """(B, M) logits of conditional probabilities, decision after decision, of (B, D) features."""
        for linear, norm, dropout in zip(self.linears, self.norms, self.dropouts, strict=True):
            features = dropout(torch.relu(norm(linear(features))))
        if self.linears:
            parts = features.view(len(features), len(self.outs), -1).unbind(1)
        else:
            parts = (features,) * len(self.outs)
        return torch.cat([out(part) for out, part in zip(self.outs, parts, strict=True)], dim=1)


def _widened(layers: Sequence[nn.Linear]) -> nn.Linear:
    """One linear layer that gives what `layers` give on the same input, side by side."""
    wide = nn.Linear(layers[0].in_features, sum(layer.out_features for layer in layers))
    with torch.no_grad():
        wide.weight.copy_(torch.cat([layer.weight for layer in layers]))
        wide.bias.copy_(torch.cat([layer.bias for layer in layers]))
    return wide
