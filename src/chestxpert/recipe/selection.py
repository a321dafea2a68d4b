"""Choosing a method of the catalogue by name, with its settings beside it, or a function of the user's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from chestxpert.errors import RecipeError
from chestxpert.recipe.catalogue import LOSSES, Method
from chestxpert.recipe.checks import require


def is_own(kind: str) -> bool:
    """Whether `kind` names a function of the user's own: ``FILE.py:FUNCTION``."""
    return ".py:" in kind


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
        Weight of a positive: "none"; "balanced", negatives/positives of this run's rows.
    """

    catalogue: ClassVar[Mapping[str, Method]] = LOSSES
    what: ClassVar[str] = "loss"

    kind: str = "bce"
    settings: Mapping[str, float] = field(default_factory=dict)
    pos_weight: Literal["none", "balanced"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.kind), "loss.kind names a loss", self.kind)
