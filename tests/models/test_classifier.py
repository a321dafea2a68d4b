"""The whole network: normalisation, seeds, freezing, and what the optimiser is given."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from chestxpert.labels import NIH15
from chestxpert.models.backbones import create_backbone
from chestxpert.models.classifier import Classifier, build_classifier, parameter_groups
from chestxpert.models.heads import ConditionalHeads
from chestxpert.recipe import Head, Recipe
from chestxpert.taxonomy import Taxonomy, study_taxonomy

RECIPE = Recipe(
    name="tiny",
    architecture="flat",
    backbone="test_resnet",
    weights="none",
    head=Head(hidden=(8, 4), dropout=(0.4, 0.4)),
)


def tensors(classifier: Classifier) -> list[Tensor]:
    return list(classifier.state_dict().values())


def test_grey_values_become_what_the_weights_expect() -> None:
    classifier = Classifier(create_backbone("resnet18", "none"), build_classifier(RECIPE, 3, 0).head)
    images = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    result = classifier.normalise(images)
    assert result.shape == (2, 3, 8, 8)
    assert result.dtype == torch.float32
    for channel, (mean, std) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        expected = (images[:, 0].double() / 255 - mean) / std
        torch.testing.assert_close(result[:, channel].double(), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(classifier.normalise(images.float()), result)


def test_flat_has_a_logit_a_label_and_shared_one_a_node() -> None:
    images = torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8)
    taxonomy = study_taxonomy(NIH15)
    flat = build_classifier(RECIPE, len(NIH15), seed=0).eval()
    shared = build_classifier(dataclasses.replace(RECIPE, architecture="shared"), taxonomy, seed=0).eval()
    assert isinstance(shared.head, ConditionalHeads)
    with torch.no_grad():
        assert flat(flat.normalise(images)).shape == (2, 15)
        assert shared(shared.normalise(images)).shape == (2, len(taxonomy.nodes))
        features = flat.forward_features(flat.normalise(images))
        assert torch.equal(flat.forward_head(features), flat(flat.normalise(images)))


def test_the_seed_decides_every_weight_and_nothing_else_changes() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build_classifier(RECIPE, 5, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(7)
    again, other = build_classifier(RECIPE, 5, seed=3), build_classifier(RECIPE, 5, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(again), strict=True))
    for part in ("backbone", "head"):
        pairs = zip(getattr(first, part).parameters(), getattr(other, part).parameters(), strict=True)
        assert not all(torch.equal(a, b) for a, b in pairs)


def test_the_head_does_not_depend_on_where_the_backbone_is_from() -> None:
    fresh = build_classifier(RECIPE, 5, seed=3)
    given = build_classifier(RECIPE, 5, seed=3, backbone=create_backbone("test_resnet", "none"))
    for a, b in zip(fresh.head.parameters(), given.head.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_frozen_backbone_stays_as_it_is() -> None:
    classifier = build_classifier(dataclasses.replace(RECIPE, freeze=True), 5, seed=0).train()
    assert classifier.head.training
    assert not any(module.training for module in classifier.backbone.modules())
    before = [tensor.clone() for tensor in classifier.backbone.state_dict().values()]
    optimizer = torch.optim.AdamW(parameter_groups(classifier, 0.1, 0.1, 0.01))
    images = classifier.normalise(torch.randint(0, 256, (4, 1, 64, 64), dtype=torch.uint8))
    classifier(images).sum().backward()
    optimizer.step()
    after = classifier.backbone.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert [group["name"] for group in optimizer.param_groups] == ["head", "head without decay"]


@pytest.mark.parametrize("outputs", [5, study_taxonomy(NIH15)])
def test_every_trained_parameter_is_in_one_group(outputs: int | Taxonomy) -> None:
    classifier = build_classifier(RECIPE, outputs, seed=0)
    groups = parameter_groups(classifier, 0.1, 0.2, 0.3)
    members = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(members) == sorted(id(parameter) for parameter in classifier.parameters())
    assert [(g["name"], g["lr"], g["weight_decay"]) for g in groups] == [
        ("backbone", 0.1, 0.3),
        ("backbone without decay", 0.1, 0.0),
        ("head", 0.2, 0.3),
        ("head without decay", 0.2, 0.0),
    ]
    names = {id(parameter): name for name, parameter in classifier.named_parameters()}
    undecayed = {names[id(p)] for group in groups if not group["weight_decay"] for p in group["params"]}
    norms_and_biases = {name for name in names.values() if name.endswith("bias") or "norm" in name}
    assert norms_and_biases <= undecayed
    assert all(name.endswith((".bias", ".weight")) for name in undecayed)


def test_it_counts_its_parameters() -> None:
    classifier = build_classifier(dataclasses.replace(RECIPE, freeze=True), 5, seed=0)
    features = classifier.backbone.num_features
    head = (features * 8 + 8) + 16 + (8 * 4 + 4) + 8 + (4 * 5 + 5)
    assert classifier.num_parameters == head + sum(p.numel() for p in classifier.backbone.parameters())
