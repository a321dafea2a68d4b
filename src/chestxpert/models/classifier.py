"""Classifier: a backbone and a head, from grey images to logits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from chestxpert.models.backbones import Backbone, create_backbone
from chestxpert.models.heads import ConditionalHeads, StudyHead
from chestxpert.models.hub import Say
from chestxpert.recipe import Recipe
from chestxpert.taxonomy import Taxonomy


class Classifier(nn.Module):
    """Backbone and head.

    Parameters
    ----------
    backbone : Backbone
    head : nn.Module
        Maps (B, D) features to (B, K) or, for a hierarchy, (B, M) logits.
    """

    gain: Tensor
    offset: Tensor

    def __init__(self, backbone: Backbone, head: StudyHead | ConditionalHeads) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.frozen = False
        self.fixed = False
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (backbone.mean, backbone.std))
        # From grey values in [0, 255]; rebuilt with the backbone, so not part of the weights.
        self.register_buffer("gain", 1 / (255 * std), persistent=False)
        self.register_buffer("offset", -mean / std, persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """What the backbone takes, from grey images.

        Parameters
        ----------
        images : (B, 1, H, W) uint8 or float tensor, grey values in [0, 255]

        Returns
        -------
        (B, 3, H, W) float32 tensor
            The grey image in three channels, each with the mean and standard deviation of the backbone's weights.
            A backbone in `channels_last` converts it on its way in.
        """
        return torch.addcmul(self.offset, images.float(), self.gain)

    def forward_features(self, images: Tensor) -> Tensor:
        """(B, D) features of (B, 3, H, W) normalised images."""
        features: Tensor = self.backbone(images)
        return features

    def forward_head(self, features: Tensor) -> Tensor:
        """(B, K) or (B, M) logits of (B, D) features."""
        logits: Tensor = self.head(features)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """(B, K) or (B, M) logits of (B, 3, H, W) normalised images. Never probabilities."""
        return self.forward_head(self.forward_features(images))

    def freeze_backbone(self) -> Self:
        """Train the head alone: no gradients in the backbone, and its batch norms keep their statistics."""
        self.frozen = True
        self.backbone.requires_grad_(False)
        return self.train(self.training)

    def fix_representation(self) -> Self:
        """Train the last layer alone: all before it has no gradients, keeps its statistics and drops nothing out.

        Unlike those of a frozen backbone, which are the same in every run, its weights are part of what was learnt.
        """
        self.fixed = True
        self.requires_grad_(False)
        for layer in self.head.last:
            layer.requires_grad_(True)
        return self.train(self.training)

    def redraw_last(self, seed: int) -> None:
        """Draw the weights and biases of the last layer anew, as `seed` decides."""
        with weights_drawn_from(seed, "last layer"):
            for layer in self.head.last:
                drawn = nn.Linear(layer.in_features, layer.out_features)  # on the CPU, wherever `layer` is
                layer.load_state_dict(drawn.state_dict())

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation; what is frozen or fixed stays in evaluation."""
        super().train(mode)
        if self.frozen or self.fixed:
            self.backbone.eval()
        if self.fixed:
            self.head.eval()
        return self

    @property
    def num_parameters(self) -> int:
        """Parameters of backbone and head, trained or not."""
        return sum(parameter.numel() for parameter in self.parameters())


def build_classifier(
    recipe: Recipe,
    outputs: int | Taxonomy,
    seed: int,
    backbone: Backbone | None = None,
    say: Say | None = None,
) -> Classifier:
    """Untrained classifier of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Its backbone, weights, head and freeze are used.
    outputs : int or Taxonomy
        The number of logits; or a taxonomy, for one head a decision on the shared backbone, with a logit for each of
        its nodes, in their order.
    seed : int
        Decides every weight that is not loaded. The same seed gives the same head whatever the backbone's weights
        are. torch's global generator is left as it was.
    backbone : Backbone, optional
        One that is there already, used as it is and not copied, in place of creating the recipe's.
    say : callable, optional
        Takes a line of text for the person who waits for a download.
    """
    if backbone is None:
        with weights_drawn_from(seed, "backbone"):
            backbone = create_backbone(recipe.backbone, recipe.weights, say)
    with weights_drawn_from(seed, "head"):
        head = _head(recipe, backbone.num_features, outputs)
    classifier = Classifier(backbone, head)
    return classifier.freeze_backbone() if recipe.freeze else classifier


def _head(recipe: Recipe, features: int, outputs: int | Taxonomy) -> StudyHead | ConditionalHeads:
    hidden, dropout = recipe.head.hidden, recipe.head.dropout
    if isinstance(outputs, int):
        return StudyHead(features, outputs, hidden, dropout)
    sizes = [len(decision.children) for decision in outputs.decisions]
    return ConditionalHeads(features, sizes, hidden, dropout)


@contextmanager
def weights_drawn_from(seed: int, part: str) -> Iterator[None]:
    """Draw weights from `seed`, another stream for each `part`, and leave torch's global generator as it was.

    Network libraries initialise from the global generator and take no other; weights are drawn on the CPU.
    """
    stream = np.random.SeedSequence([seed, *part.encode()]).generate_state(1, np.uint64)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(stream[0]))
        yield


def parameter_groups(classifier: Classifier, lr: float, head_lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Groups for the optimiser: backbone and head apart, and neither norms nor biases decayed.

    Parameters
    ----------
    classifier : Classifier
        Parameters without gradient (a frozen backbone) are left out.
    lr, head_lr : float
        Learning rates of the backbone and of the head.
    weight_decay : float
        For weight matrices and kernels. Vectors (norms, biases) get 0 (He et al., Bag of tricks for image
        classification with convolutional neural networks, CVPR 2019, section 3.1).

    Returns
    -------
    list of dict
        With `params`, `lr`, `weight_decay` and `name`; no empty groups.
    """
    groups = []
    for part, rate in ((classifier.backbone, lr), (classifier.head, head_lr)):
        trained = [parameter for parameter in part.parameters() if parameter.requires_grad]
        title = "backbone" if part is classifier.backbone else "head"
        for name, decay, chosen in (
            (title, weight_decay, [p for p in trained if p.ndim > 1]),
            (f"{title} without decay", 0.0, [p for p in trained if p.ndim <= 1]),
        ):
            if chosen:
                groups.append({"name": name, "params": chosen, "lr": rate, "weight_decay": decay})
    return groups
