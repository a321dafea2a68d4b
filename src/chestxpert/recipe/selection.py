"""Choosing a method of the catalogue by name, with its settings beside it, or a function of the user's own."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from chestxpert.errors import RecipeError
from chestxpert.recipe.catalogue import LOSSES, Method
from chestxpert.recipe.checks import require


def is_own(kind: str) -> bool:
    """Whether `kind` names a function of the user's own: ``FILE.py:FUNCTION``."""
    return ".py:" in kind


def _between(low: float, high: float) -> str:
    """Limits in words."""
    if math.isinf(high):
        return f"at least {low:g}"
    return f"at most {high:g}" if math.isinf(low) else f"{low:g} to {high:g}"


@dataclass(frozen=True)
class Chosen:
    """A method by name, and its settings.

    In YAML the settings stand beside `kind`, as in ``{kind: focal, gamma: 2}``; what is not given takes the method's
    default.

    Attributes
    ----------
    kind : str
        Name of a method, or ``FILE.py:FUNCTION`` for one of the user's own.
    settings : mapping of str to float
    """

    catalogue: ClassVar[Mapping[str, Method]] = {}
    what: ClassVar[str] = ""

    kind: str
    settings: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if is_own(self.kind):
            return
        if self.kind not in self.catalogue:
            near = difflib.get_close_matches(self.kind, self.catalogue, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise RecipeError(
                f"{self.what}.kind is one of {', '.join(self.catalogue)}, or FILE.py:FUNCTION, but got "
                f"'{self.kind}'.{hint}"
            )
        self._check_settings(self.kind, self.settings)
        for name, (low, high) in self.catalogue[self.kind].limits.items():
            value = self.settings.get(name, low)
            require(low <= value <= high, f"{self.what}.{name} is {_between(low, high)}", value)
        object.__setattr__(self, "settings", {**self.catalogue[self.kind].settings, **self.settings})

    @classmethod
    def _check_settings(cls, kind: str, names: Iterable[str]) -> None:
        """RecipeError for a setting that the method does not have; says which has it, or what was probably meant."""
        known = cls.catalogue[kind].settings
        for name in names:
            if name in known:
                continue
            own = [item.name for item in fields(cls) if item.name != "settings"]
            near = difflib.get_close_matches(name, [*own, *known], n=1)
            holders = [other for other, method in cls.catalogue.items() if name in method.settings]
            hint = f" Did you mean '{near[0]}'?" if near else ""
            hint = f" It belongs to {cls.what}.kind {' and '.join(holders)}." if holders else hint
            raise RecipeError(
                f"unknown key '{name}': {cls.what}.kind '{kind}' takes {', '.join(known) or 'no settings'}.{hint}"
            )

    @classmethod
    def gather(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Move the method's settings, which YAML has beside the other keys, under `settings`."""
        own = {item.name for item in fields(cls)}
        beside = {key: value for key, value in values.items() if key not in own}
        inner = values.get("settings") or {}
        kind = values.get("kind", next(item.default for item in fields(cls) if item.name == "kind"))
        if isinstance(kind, str) and kind in cls.catalogue:
            cls._check_settings(kind, beside)
        if not beside and not inner:
            return {key: value for key, value in values.items() if key != "settings"}
        return {key: value for key, value in values.items() if key in own} | {"settings": {**inner, **beside}}

    @staticmethod
    def spread(values: Mapping[str, Any]) -> dict[str, Any]:
        """Undo `gather`."""
        return {**{key: value for key, value in values.items() if key != "settings"}, **values["settings"]}


@dataclass(frozen=True)
class Loss(Chosen):
    """The loss on logits, how positives are weighed in it, and from when on.

    Attributes
    ----------
    pos_weight : str
        Weight of a positive, from the counts of this run's rows: "none"; "sqrt", the square root of
        negatives/positives; "balanced", negatives/positives; "effective", the same of effective numbers.
    beta : float
        Of effective numbers: 0 weighs all alike, towards 1 it becomes "balanced".
    deferred : float
        Share of the epochs that pass before the weights switch on.
    """

    catalogue: ClassVar[Mapping[str, Method]] = LOSSES
    what: ClassVar[str] = "loss"

    kind: str = "bce"
    settings: Mapping[str, float] = field(default_factory=dict)
    pos_weight: Literal["none", "sqrt", "balanced", "effective"] = "none"
    beta: float = 0.9999
    deferred: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.kind), "loss.kind names a loss", self.kind)
        require(0 <= self.beta < 1, "loss.beta is in [0, 1)", self.beta)
        require(0 <= self.deferred < 1, "loss.deferred is a share of the epochs in [0, 1)", self.deferred)
        # A key that would change nothing is a mistake.
        weighted = self.pos_weight != "none"
        default = Loss.__dataclass_fields__["beta"].default
        require(
            self.beta == default or self.pos_weight == "effective",
            "loss.beta belongs to pos_weight: effective",
            self.pos_weight,
        )
        require(weighted or self.deferred == 0, "loss.deferred defers the weights of loss.pos_weight", self.pos_weight)
        takes = is_own(self.kind) or LOSSES[self.kind].takes_weight
        require(takes or not weighted, f"loss.kind {self.kind} balances by itself: pos_weight is none", self.pos_weight)
