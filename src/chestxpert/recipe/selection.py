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
        object.__setattr__(self, "kind", self.canonical(self.kind))
        if self.kind not in self.catalogue:
            aliases = [alias for method in self.catalogue.values() for alias in method.aliases]
            near = difflib.get_close_matches(self.kind, [*self.catalogue, *aliases], n=1)
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
    def canonical(cls, kind: Any) -> Any:
        """Name of the method that `kind` is an alias of; anything else as it is."""
        return next((name for name, method in cls.catalogue.items() if kind in method.aliases), kind)

    @classmethod
    def default_kind(cls) -> Any:
        """The method of a recipe that chooses none."""
        return next(item.default for item in fields(cls) if item.name == "kind")

    @classmethod
    def own_keys(cls) -> set[str]:
        """Keys that stand beside `kind` whatever the method."""
        return {item.name for item in fields(cls)} - {"settings"}

    @classmethod
    def takes(cls, key: str, values: Mapping[str, Any]) -> bool:
        """Whether `key` means anything to the method that stands, as in YAML, in `values`."""
        kind = cls.canonical(values.get("kind", cls.default_kind()))
        if key in (*cls.own_keys(), "settings") or not isinstance(kind, str) or kind not in cls.catalogue:
            return True
        return key in cls.catalogue[kind].settings

    @classmethod
    def setting_names(cls) -> dict[str, None]:
        """Settings of all methods."""
        return dict.fromkeys(name for method in cls.catalogue.values() for name in method.settings)

    @classmethod
    def _check_settings(cls, kind: str, names: Iterable[str]) -> None:
        """RecipeError for a setting that the method does not have; says which has it, or what was probably meant."""
        known = cls.catalogue[kind].settings
        for name in names:
            if name in known:
                continue
            near = difflib.get_close_matches(name, [*cls.own_keys(), *known], n=1)
            near = near or difflib.get_close_matches(name, cls.setting_names(), n=1)
            hint = f" Did you mean '{near[0]}'{cls._holders_of(near[0], known)}?" if near else ""
            if name in cls.setting_names():
                hint = f" It belongs to{cls._holders_of(name, known).removeprefix(' of')}."
            raise RecipeError(
                f"unknown key '{name}': {cls.what}.kind '{kind}' takes {', '.join(known) or 'no settings'}.{hint}"
            )

    @classmethod
    def _holders_of(cls, name: str, known: Mapping[str, float]) -> str:
        """' of loss.kind focal and ...': the methods that have a setting which the chosen one lacks, else nothing."""
        holders = [other for other, method in cls.catalogue.items() if name in method.settings]
        return "" if name in known or not holders else f" of {cls.what}.kind {' and '.join(holders)}"

    @classmethod
    def gather(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Move the method's settings, which YAML has beside the other keys, under `settings`."""
        own = {item.name for item in fields(cls)}
        beside = {key: value for key, value in values.items() if key not in own}
        inner = values.get("settings") or {}
        kind = cls.canonical(values.get("kind", cls.default_kind()))
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

    @classmethod
    def takes(cls, key: str, values: Mapping[str, Any]) -> bool:
        """See `Chosen.takes`; `beta` and `deferred` belong to the weights of positives."""
        weight = values.get("pos_weight", "none")
        if key in ("beta", "deferred"):
            return bool(weight == "effective" if key == "beta" else weight != "none")
        return super().takes(key, values)

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
