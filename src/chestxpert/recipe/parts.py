"""Parts of a recipe that every method shares: head, augmentation, optimiser."""

from __future__ import annotations

from dataclasses import dataclass

from chestxpert.recipe.checks import require


@dataclass(frozen=True)
class Head:
    """The classifier on top of the backbone: hidden widths and the dropout rate after each."""

    hidden: tuple[int, ...] = (512, 256)
    dropout: tuple[float, ...] = (0.4, 0.4)

    def __post_init__(self) -> None:
        require(len(self.hidden) == len(self.dropout), "head.dropout needs one rate a hidden layer", self.dropout)
        require(all(width >= 1 for width in self.hidden), "head.hidden needs widths of at least 1", self.hidden)
        require(all(0 <= rate < 1 for rate in self.dropout), "head.dropout needs rates in [0, 1)", self.dropout)


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

    @property
    def changes(self) -> bool:
        """Whether any image is changed at all."""
        return any((self.rotate, self.shift, self.scale, self.brightness, self.contrast, self.hflip))

    def __post_init__(self) -> None:
        require(0 <= self.rotate <= 45, "augment.rotate is an angle of 0 to 45 degrees", self.rotate)
        for name in ("shift", "scale", "brightness", "contrast"):
            value = getattr(self, name)
            require(0 <= value <= 0.5, f"augment.{name} is a share of 0 to 0.5", value)


@dataclass(frozen=True)
class Tta:
    """Test-time augmentation: predictions are the mean over the plain image and `views` augmented ones.

    The views are drawn from the ranges of `Augment`; see `chestxpert.training.tta`.
    """

    views: int = 0

    def __post_init__(self) -> None:
        require(self.views >= 0, "tta.views is at least 0", self.views)


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
        require(self.lr > 0 and self.head_lr > 0, "optimizer.lr and head_lr are above 0", (self.lr, self.head_lr))
        require(self.weight_decay >= 0, "optimizer.weight_decay is at least 0", self.weight_decay)
        require(0 <= self.warmup < 1, "optimizer.warmup is a share in [0, 1)", self.warmup)
        require(self.clip >= 0, "optimizer.clip is at least 0", self.clip)
        require(0 <= self.average < 1, "optimizer.average is a share in [0, 1)", self.average)
