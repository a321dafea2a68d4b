"""Weights files: what fits is loaded whole, what does not is refused with what is wrong."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import sklearn.datasets
import timm
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from chestxpert.errors import WeightsError
from chestxpert.models.backbones import create_backbone
from chestxpert.models.weights import LITE0, fitting, lite0_state_dict, load_weights, read_state_dict

TINY = "test_resnet"
State = dict[str, Tensor]


def tiny(classes: int = 0) -> nn.Module:
    net: nn.Module = timm.create_model(TINY, pretrained=False, num_classes=classes)
    return net


@pytest.fixture(scope="module")
def state() -> State:
    """Weights of a tiny network with its classifier of ten classes."""
    return tiny(10).state_dict()


def assert_loaded(net: nn.Module, state: State) -> None:
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".safetensors"])
def test_files_of_every_kind_come_back(tmp_path: Path, state: State, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    safetensors.torch.save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    read = read_state_dict(path)
    assert set(read) == set(state)
    net = tiny()
    load_weights(net, read, "a file", ("fc",))
    assert_loaded(net, state)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s, "optimizer": {"state": {}}, "args": {"lr": 0.1}},
        lambda s: {"epoch": torch.tensor(3), "state_dict": {f"module.{n}": t for n, t in s.items()}},
        lambda s: {f"model.{n}": t for n, t in s.items()} | {"criterion.pos_weight": torch.ones(3)},
        lambda s: {f"backbone.net.{n}": t for n, t in s.items() if "fc" not in n} | {"head.weight": torch.ones(3)},
        lambda s: {n: t.half() for n, t in s.items()},
        lambda s: {n: t for n, t in s.items() if not n.endswith("num_batches_tracked")},
    ],
)
def test_wrappers_prefixes_and_precisions(tmp_path: Path, state: State, wrap: Callable[[State], State]) -> None:
    torch.save(wrap(state), tmp_path / "w.pth")
    net = tiny()
    load_weights(net, read_state_dict(tmp_path / "w.pth"), "a file", ("fc",))
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(tensor, state[name], atol=1e-3, rtol=1e-3)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.sampled_from(["module", "model", "backbone", "net", "_orig_mod", "a1"]), max_size=3))
def test_any_common_prefix_is_found(state: State, parts: list[str]) -> None:
    prefix = "".join(f"{part}." for part in parts)
    found = fitting(tiny(), {prefix + name: tensor for name, tensor in state.items()}, "a file", ("fc",))
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.items())


def without(name: str) -> Callable[[State], State]:
    return lambda s: {n: t for n, t in s.items() if n != name}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("layer1.0.conv1.weight"), r"89 of the network's 90 .* 1 missing there: layer1\.0\.conv1\.weight"),
        (lambda s: s | {"layer9.weight": torch.ones(1)}, r"90 of .* 1 only there: layer9\.weight"),
        (lambda s: s | {"layer1.0.bn1.bias": torch.ones(7)}, r"bn1\.bias \(7,\) for \("),
        (lambda s: s | {"layer1.0.bn1.bias": s["layer1.0.bn1.bias"] * torch.nan}, r"NaN .*bn1\.bias"),
        (lambda s: {f"{p}.{n}": t for n, t in s.items() for p in ("student", "teacher")}, r"2 times.*teacher"),
        (lambda s: {"else.weight": torch.ones(2)}, r"0 of the network's 90"),
    ],
)
def test_what_does_not_fit_is_named(state: State, damage: Callable[[State], State], message: str) -> None:
    net = tiny()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(WeightsError, match=message):
        load_weights(net, damage(state), "a file", ("fc",))
    assert_loaded(net, before)


@pytest.mark.parametrize("depths", [("resnet18", "resnet34"), ("resnet34", "resnet18")])
def test_a_network_of_another_depth_is_refused(depths: tuple[str, str]) -> None:
    """ResNet-34 has all of ResNet-18's tensors in their shapes, and more."""
    with torch.device("meta"):
        net, other = (timm.create_model(name, num_classes=0) for name in depths)
    with pytest.raises(WeightsError, match="do not fit"):
        fitting(net, other.state_dict(), "a file")


@pytest.mark.parametrize("name", ["resnet50", "densenet121"])
def test_torchvisions_names_are_timms(name: str) -> None:
    """With torchvision's weights, timm's network gives torchvision's features."""
    theirs = getattr(torchvision.models, name)(weights=None).eval()
    net = timm.create_model(name, pretrained=False, num_classes=0).eval()
    load_weights(net, theirs.state_dict(), "torchvision", ("fc", "classifier"))
    setattr(theirs, "fc" if name == "resnet50" else "classifier", nn.Identity())
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(net(images), theirs(images), rtol=1e-4, atol=1e-5)


def test_torchvisions_other_names_are_refused_with_counts() -> None:
    with torch.device("meta"):
        theirs = torchvision.models.efficientnet_b0(weights=None).state_dict()
        net = timm.create_model("efficientnet_b0", pretrained=False, num_classes=0)
    with pytest.raises(WeightsError, match=r"0 of the network's 358 .*358 only there|0 of .*only there: features") as e:
        fitting(net, theirs, "efficientnet_b0.pth", ("classifier",))
    assert "torchvision's EfficientNets" in str(e.value)


class _Trap:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.path, "sprung")


def test_a_strangers_pickle_is_never_run(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    torch.save({"state_dict": _Trap(sprung)}, tmp_path / "new.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(_Trap(sprung)))
    for name in ("new.pth", "old.pth"):
        with pytest.raises(WeightsError, match="more than tensors"):
            read_state_dict(tmp_path / name)
    assert not sprung.exists()


def test_a_pickled_model_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "model.pth")
    with pytest.raises(WeightsError, match=r"model\.state_dict\(\)"):
        read_state_dict(tmp_path / "model.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"<html>404</html>"])
def test_a_damaged_file_is_an_error_of_ours(
    tmp_path: Path, state: State, suffix: str, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"w{suffix}"
    safetensors.torch.save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WeightsError, match="cannot be read"):
        read_state_dict(path)


def test_a_file_without_tensors_or_no_file_at_all(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(WeightsError, match="holds no tensors"):
        read_state_dict(tmp_path / "empty.pth")
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds no tensors"):
        read_state_dict(tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="no weights file"):
        read_state_dict(tmp_path / "nowhere.pth")
    with pytest.raises(WeightsError, match="no weights file"):
        read_state_dict(tmp_path)


def photograph(name: str) -> Tensor:
    """One of scikit-learn's two photographs, centre crop, 224 pixels, (3, 224, 224) in [0, 1]."""
    image = Image.fromarray(sklearn.datasets.load_sample_image(name))
    side, left, top = min(image.size), (image.width - min(image.size)) // 2, (image.height - min(image.size)) // 2
    crop = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(crop)).permute(2, 0, 1).float() / 255


def test_lite0_classifies_photographs() -> None:
    """A palace and a daisy, ImageNet's labels 698 and 985.

    Wrong padding, batch-norm epsilon, activation or order of tensors would not give both.
    """
    backbone, state = create_backbone(LITE0).eval(), lite0_state_dict()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (backbone.mean, backbone.std))
    with torch.no_grad():
        features = backbone((torch.stack([photograph("china.jpg"), photograph("flower.jpg")]) - mean) / std)
    logits = F.linear(features, state["classifier.weight"], state["classifier.bias"])
    assert logits.argmax(dim=1).tolist() == [698, 985]


def test_lite0_of_another_make_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    state = lite0_state_dict()
    swapped = dict(reversed(state.items()))
    monkeypatch.setattr("chestxpert.models.weights.read_state_dict", lambda path: swapped)
    with pytest.raises(WeightsError, match=r"of which .* fit timm's"):
        lite0_state_dict()
