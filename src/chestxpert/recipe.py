"""Recipe: everything that decides one training run, as frozen dataclasses and a strict YAML file.

Strict means: an unknown key, a value of the wrong type or out of range, and a key given twice are errors that
name the key and, where there is one, the key that was probably meant.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from chestxpert.errors import RecipeError
from chestxpert.strict_yaml import build, parse_yaml, to_yaml

Architecture = Literal["flat", "cascade", "shared"]


def _require(ok: bool, what: str, got: object) -> None:
    if not ok:
        raise RecipeError(f"{what}, but got {got!r}.")


@dataclass(frozen=True)
class Head:
    """The classifier on top of the backbone: hidden widths and the dropout rate after each."""

    hidden: tuple[int, ...] = (512, 256)
    dropout: tuple[float, ...] = (0.4, 0.4)

    def __post_init__(self) -> None:
        _require(len(self.hidden) == len(self.dropout), "head.dropout needs one rate a hidden layer", self.dropout)
        _require(all(width >= 1 for width in self.hidden), "head.hidden needs widths of at least 1", self.hidden)
        _require(all(0 <= rate < 1 for rate in self.dropout), "head.dropout needs rates in [0, 1)", self.dropout)


@dataclass(frozen=True)
class Thin:
    """Down-sampling: the share of rows dropped among those that carry each finding, one after the other.

    `protect` keeps rows that also carry a rare finding; false is the original study's behaviour.
    """

    drop: Mapping[str, float]
    protect: bool = True

    def __post_init__(self) -> None:
        for finding, share in self.drop.items():
            _require(0 <= share < 1, f"sampling.thin.drop.{finding} is a share in [0, 1)", share)


@dataclass(frozen=True)
class Oversample:
    """Over-sampling: bring each rare finding up to `target` of the training rows with augmented copies.

    No row is copied more than `max_copies` times.
    """

    target: float
    max_copies: int = 10

    def __post_init__(self) -> None:
        _require(0 < self.target < 1, "sampling.oversample.target is a share in (0, 1)", self.target)
        _require(self.max_copies >= 1, "sampling.oversample.max_copies is at least 1", self.max_copies)


@dataclass(frozen=True)
class Sampling:
    """Which training rows are used, and how often. Validation and test rows are never touched."""

    thin: Thin | None = None
    oversample: Oversample | None = None


@dataclass(frozen=True)
class Loss:
    """The loss on logits. `pos_weight: balanced` weighs positives by negatives/positives of this run's rows."""

    kind: Literal["bce"] = "bce"
    pos_weight: Literal["none", "balanced"] = "none"


@dataclass(frozen=True)
class Augment:
    """Random changes to a training image, on the device. Never an upside-down chest.

    Attributes
    ----------
    rotate : float
        Largest angle in degrees, to either side.
    shift, scale : float
        Largest shift and change of size, as shares of the image.
    brightness, contrast : float
        Largest change, as shares of the grey range and of the contrast.
    hflip : bool
        Mirror half of the images. Off by default: left and right mean something in a chest.
    """

    rotate: float = 10.0
    shift: float = 0.08
    scale: float = 0.15
    brightness: float = 0.2
    contrast: float = 0.2
    hflip: bool = False

    def __post_init__(self) -> None:
        _require(0 <= self.rotate <= 45, "augment.rotate is an angle of 0 to 45 degrees", self.rotate)
        for name in ("shift", "scale", "brightness", "contrast"):
            value = getattr(self, name)
            _require(0 <= value <= 0.5, f"augment.{name} is a share of 0 to 0.5", value)


@dataclass(frozen=True)
class Optimizer:
    """AdamW with linear warm-up and cosine decay, both counted in steps.

    Attributes
    ----------
    lr, head_lr : float
        Peak learning rates of the backbone and of the head.
    weight_decay : float
        For weight matrices and kernels; norms and biases have none.
    warmup : float
        Share of all steps spent warming up.
    clip : float
        Largest gradient norm; 0 is no clipping.
    average : float
        How far back the running average of the weights reaches, as a share of all steps; 0 is no averaging. The
        averaged weights are what is validated, kept and used.
    """

    lr: float = 1e-3
    head_lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    clip: float = 1.0
    average: float = 0.1

    def __post_init__(self) -> None:
        _require(self.lr > 0 and self.head_lr > 0, "optimizer.lr and head_lr are above 0", (self.lr, self.head_lr))
        _require(self.weight_decay >= 0, "optimizer.weight_decay is at least 0", self.weight_decay)
        _require(0 <= self.warmup < 1, "optimizer.warmup is a share in [0, 1)", self.warmup)
        _require(self.clip >= 0, "optimizer.clip is at least 0", self.clip)
        _require(0 <= self.average < 1, "optimizer.average is a share in [0, 1)", self.average)


@dataclass(frozen=True)
class Recipe:
    """One way to train: see `docs/recipes.md` for each key.

    Attributes
    ----------
    size : int or None
        Side in pixels; None takes the store's.
    epochs, patience : int
        At most `epochs`; training stops after `patience` epochs without a better validation macro average
        precision. The best epoch's weights are kept.
    freeze : bool
        Train heads on cached features of a fixed backbone: in each epoch, every training row is seen in a random
        one of its `views` augmented views and the plain one.
    """

    name: str
    architecture: Architecture
    taxonomy: str = "study"
    backbone: str = "auto"
    weights: str = "imagenet"
    size: int | None = None
    epochs: int = 12
    patience: int = 5
    batch_size: int = 32
    freeze: bool = False
    views: int = 4
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    head: Head = field(default_factory=Head)
    sampling: Sampling = field(default_factory=Sampling)
    loss: Loss = field(default_factory=Loss)
    augment: Augment = field(default_factory=Augment)
    optimizer: Optimizer = field(default_factory=Optimizer)

    def __post_init__(self) -> None:
        safe = bool(self.name) and all(c.isalnum() or c in "-_." for c in self.name) and self.name[0] != "."
        _require(safe, "name becomes a folder: letters, digits, '-', '_' and '.'", self.name)
        _require(self.size is None or 32 <= self.size <= 2048, "size is 32 to 2048 pixels", self.size)
        _require(self.epochs >= 1, "epochs is at least 1", self.epochs)
        _require(self.patience >= 1, "patience is at least 1", self.patience)
        _require(self.batch_size >= 2, "batch_size is at least 2 (batch norm needs two rows)", self.batch_size)
        _require(self.views >= 0, "views is at least 0", self.views)

    @property
    def hierarchical(self) -> bool:
        """Whether the recipe's outputs are conditional probabilities along a taxonomy."""
        return self.architecture != "flat"

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values, in the order of the fields."""
        return dataclasses.asdict(self)

    def to_yaml(self) -> str:
        """YAML text with every key spelt out; `parse_recipe` reads it back to an equal recipe."""
        return to_yaml(self.to_dict())


def parse_recipe(text: str, *, origin: str = "recipe", overrides: Iterable[str] = ()) -> Recipe:
    """Recipe from YAML text, with ``key.subkey=value`` overrides applied before it is checked.

    Raises
    ------
    RecipeError
        With the key, what it got and what it takes.
    """
    values = parse_yaml(text, origin)
    for override in overrides:
        _override(values, override)
    return build(Recipe, values, origin)


def _override(values: dict[str, Any], override: str) -> None:
    path, separator, text = override.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        raise RecipeError(f"An override reads key=value or key.subkey=value, but got '{override}'.")
    if keys == ["name"]:
        raise RecipeError("A recipe's name cannot be overridden; copy the recipe and name the copy.")
    inner = values
    for key in keys[:-1]:
        step = inner.setdefault(key, {})
        if step is None:
            step = inner[key] = {}
        if not isinstance(step, dict):
            raise RecipeError(f"'{override}': '{key}' holds the value {step!r} and has no keys below it.")
        inner = step
    inner[keys[-1]] = parse_yaml(f"value: {text}", f"override '{override}'")["value"]


def recipes_folder() -> Path:
    """Folder of the recipes that come with ChestXpert: in the package, or beside it in a checkout."""
    packaged = Path(__file__).parent / "recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "recipes"


def builtin_recipes() -> dict[str, Path]:
    """The recipes that come with ChestXpert, by name, flat ones first."""
    files = {path.stem: path for path in recipes_folder().glob("*.yaml")}
    known = {name: place for place, name in enumerate(_READING_ORDER)}
    return {name: files[name] for name in sorted(files, key=lambda name: (known.get(name, len(known)), name))}


# Each flat recipe stands on top of the one before; the alphabet would part them.
_READING_ORDER = (
    "flat-basic", "flat-weighted", "flat-downsampled", "flat-resampled", "hierarchical-cascade", "hierarchical-shared",
)  # fmt: skip


def head_comment(path: Path) -> str:
    """First line of the comment that heads a recipe, without its ``#`` and the recipe's name; may be empty."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip().removeprefix(f"{path.stem}:").strip() if first.startswith("#") else ""


def load_recipe(source: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Recipe from a YAML file, or the built-in one of that name.

    Parameters
    ----------
    source : path of a YAML file, or a name such as ``flat-basic``
    overrides : strings such as ``size=128`` or ``loss.pos_weight=balanced``
    """
    path = Path(source)
    if not path.is_file():
        path = _builtin(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"The recipe {path} cannot be read as text ({error}).") from error
    return parse_recipe(text, origin=str(source), overrides=overrides)


def _builtin(path: Path) -> Path:
    """File of the built-in recipe that `path` names: ``flat-basic``, or ``recipes/flat-basic.yaml`` as in a checkout.

    A path into any other folder is a file of the user's own; taking the built-in one for it would be a surprise.
    """
    builtin = builtin_recipes()
    named = path.parent in (Path(), Path("recipes")) and path.suffix in ("", ".yaml")
    if named and path.stem in builtin:
        return builtin[path.stem]
    near = difflib.get_close_matches(path.stem, builtin, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Those that do: {', '.join(builtin)}."
    raise RecipeError(f"There is no recipe '{path}': no such file, and none of that name comes with ChestXpert. {hint}")
