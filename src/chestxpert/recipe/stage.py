"""What is done with a network once it is trained: a second stage of training, or a change of its last layer."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from chestxpert.errors import RecipeError
from chestxpert.recipe.catalogue import STAGES, Method
from chestxpert.recipe.checks import require
from chestxpert.recipe.sampling import Draw
from chestxpert.recipe.selection import Chosen


@dataclass(frozen=True)
class StageDraw(Draw):
    """How the rows of each epoch of a second stage are drawn."""

    what: ClassVar[str] = "stage.draw"


@dataclass(frozen=True)
class Stage(Chosen):
    """The second stage of each network, which begins with the best epoch of the first; see `docs/stages.md`.

    Attributes
    ----------
    draw : StageDraw or None
        How the rows of each of its epochs are drawn. None is what the method says: class-balanced for "crt", the
        recipe's own `sampling.draw` for "unconditional".
    tau : float or None
        Of "tau-norm", the exponent; None chooses it on validation rows.
    """

    catalogue: ClassVar[Mapping[str, Method]] = STAGES
    what: ClassVar[str] = "stage"

    kind: str = "none"
    settings: Mapping[str, float] = field(default_factory=dict)
    draw: StageDraw | None = None
    tau: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in STAGES:  # not a function of one's own either
            near = difflib.get_close_matches(self.kind, STAGES, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise RecipeError(f"stage.kind is one of {', '.join(STAGES)}, but got '{self.kind}'.{hint}")
        super().__post_init__()
        epochs = self.settings.get("epochs", 0)
        require(epochs == self.epochs, "stage.epochs is a whole number", epochs)
        require(self.draw is None or self.trains, "stage.draw draws the rows of crt and of unconditional", self.kind)
        require(self.tau is None or self.kind == "tau-norm", "stage.tau belongs to stage.kind tau-norm", self.kind)
        require(
            self.tau is not None or self.settings.get("bias") != 0,
            "without its bias a logit keeps its sign whatever stage.tau is, so tau cannot be chosen by decisions: with "
            "stage.bias 0, stage.tau is a number",
            self.tau,
        )
        require(self.tau is None or 0 <= self.tau <= 2, "stage.tau is an exponent of 0 to 2", self.tau)

    @property
    def epochs(self) -> int:
        """Epochs that the second stage trains at most, on top of the recipe's own; 0 where it trains nothing."""
        return int(self.settings.get("epochs", 0))

    @property
    def trains(self) -> bool:
        """Whether the second stage is one of training."""
        return self.epochs > 0
