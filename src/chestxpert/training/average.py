"""A running average of a network's weights: steadier to validate, and usually better, than the last step's."""

from __future__ import annotations

import copy

import torch

from chestxpert.models.classifier import Classifier
from chestxpert.training.checkpoints import learned_state, load_learned_state


class WeightAverage:
    """Exponential moving average of the weights that training changes, statistics of batch norms included.

    Polyak and Juditsky, SIAM Journal on Control and Optimization 30, 1992; the exponential form and its warm-up,
    decay = min(decay, (1 + t) / (10 + t)), as in Szegedy et al., Rethinking the Inception architecture, CVPR 2016,
    section 8, and its reference implementation.

    Parameters
    ----------
    network : Classifier whose weights are followed
    horizon : steps that the average reaches back; below 1 there is no averaging and `network` itself is used

    Attributes
    ----------
    network : Classifier with the averaged weights
    """

    def __init__(self, network: Classifier, horizon: float) -> None:
        self._followed = network
        self._decay = 1.0 - 1.0 / horizon if horizon > 1 else 0.0
        self._steps = 0
        self.network = _twin(network) if self._decay > 0 else network
        # Listed once: loading weights copies into these tensors, and training changes them in place.
        followed = learned_state(network)
        pairs = [(ours, followed[key]) for key, ours in learned_state(self.network).items()]
        self._real = [(ours, theirs) for ours, theirs in pairs if ours.is_floating_point()]
        self._counters = [(ours, theirs) for ours, theirs in pairs if not ours.is_floating_point()]

    def update(self) -> None:
        """Take in the weights after one more step."""
        if self.network is self._followed:
            return
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        with torch.no_grad():
            ours, theirs = zip(*self._real, strict=True)
            torch._foreach_lerp_(ours, theirs, 1.0 - decay)
            for counter, followed in self._counters:
                counter.copy_(followed)

    def state(self) -> dict[str, object]:
        """Plain values and tensors that `load_state` goes on from."""
        return {"steps": self._steps, "network": learned_state(self.network)}

    def load_state(self, state: dict[str, object]) -> None:
        """Go on from a stored `state`."""
        self._steps = int(state["steps"])  # type: ignore[call-overload]
        load_learned_state(self.network, state["network"])  # type: ignore[arg-type]


def _twin(network: Classifier) -> Classifier:
    """A copy of `network` with weights of its own, but for a frozen backbone, which both use."""
    shared = {id(network.backbone): network.backbone} if network.frozen else {}
    return copy.deepcopy(network, memo=shared).requires_grad_(False)
