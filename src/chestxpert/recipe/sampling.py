"""Which training rows are used, how often, and how their images are mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from chestxpert.recipe.catalogue import DRAWS, MIXES, Method
from chestxpert.recipe.checks import require
from chestxpert.recipe.selection import Chosen


@dataclass(frozen=True)
class Thin:
    """Down-sampling: the share of rows dropped among those that carry each finding, one after the other.

    `protect` keeps rows that also carry a rare finding; false is the original study's behaviour.
    """

    drop: Mapping[str, float]
    protect: bool = True

    def __post_init__(self) -> None:
        for finding, share in self.drop.items():
            require(0 <= share < 1, f"sampling.thin.drop.{finding} is a share in [0, 1)", share)


@dataclass(frozen=True)
class Oversample:
    """Over-sampling: bring each rare finding up to `target` of the training rows with augmented copies.

    No row is copied more than `max_copies` times.
    """

    target: float
    max_copies: int = 10

    def __post_init__(self) -> None:
        require(0 < self.target < 1, "sampling.oversample.target is a share in (0, 1)", self.target)
        require(self.max_copies >= 1, "sampling.oversample.max_copies is at least 1", self.max_copies)


@dataclass(frozen=True)
class Draw(Chosen):
    """How the rows of each epoch are drawn from those that thinning and over-sampling left."""

    catalogue: ClassVar[Mapping[str, Method]] = DRAWS
    what: ClassVar[str] = "sampling.draw"

    kind: str = "instance"


@dataclass(frozen=True)
class Mix(Chosen):
    """How the images of a batch are mixed with each other."""

    catalogue: ClassVar[Mapping[str, Method]] = MIXES
    what: ClassVar[str] = "sampling.mix"

    kind: str = "none"


@dataclass(frozen=True)
class Sampling:
    """Which training rows are used, and how often. Validation and test rows are never touched."""

    thin: Thin | None = None
    oversample: Oversample | None = None
    draw: Draw = field(default_factory=Draw)
    mix: Mix = field(default_factory=Mix)
