"""How the probabilities of a trained network become those of the run."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from chestxpert.errors import RecipeError
from chestxpert.recipe.catalogue import ROUTINGS, Method
from chestxpert.recipe.checks import require
from chestxpert.recipe.selection import Chosen


@dataclass(frozen=True)
class Routing(Chosen):
    """From a network's outputs to the run's probabilities; see `chestxpert.evaluation.inference`.

    Attributes
    ----------
    temperature : str
        "none"; "fit", one a decision, fitted on validation rows after training.
    """

    catalogue: ClassVar[Mapping[str, Method]] = ROUTINGS
    what: ClassVar[str] = "routing"

    kind: str = "soft"
    settings: Mapping[str, float] = field(default_factory=dict)
    temperature: Literal["none", "fit"] = "none"

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", self.canonical(self.kind))
        if self.kind not in ROUTINGS:  # not a function of one's own either
            near = difflib.get_close_matches(self.kind, ROUTINGS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise RecipeError(f"routing.kind is one of {', '.join(ROUTINGS)}, but got '{self.kind}'.{hint}")
        super().__post_init__()
        alpha = self.settings.get("alpha", 1.0)
        require(0 < alpha <= 100, "routing.alpha is a number above 0 and up to 100", alpha)
