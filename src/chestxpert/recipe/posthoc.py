"""Corrections after training, as the command line and study.yaml name them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from chestxpert.errors import UsageError
from chestxpert.recipe.catalogue import POSTHOC, Method
from chestxpert.recipe.selection import Chosen

ALL, NONE = "all", "none"


@dataclass(frozen=True)
class Posthoc(Chosen):
    """A correction of stored predictions; see `chestxpert.evaluation.posthoc`.

    No key of a recipe: the networks are the same with it and without it, so a study shows it as a line beside the
    recipe. Written as ``NAME``, or ``NAME:KEY=VALUE`` where a setting is not the default.
    """

    catalogue: ClassVar[Mapping[str, Method]] = POSTHOC
    what: ClassVar[str] = "posthoc"

    kind: str
    settings: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in POSTHOC:  # not a function of one's own either
            near = difflib.get_close_matches(self.kind, POSTHOC, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else f" There is: {', '.join(POSTHOC)}, {ALL}."
            raise UsageError(f"There is no post-hoc correction '{self.kind}'.{hint}")
        super().__post_init__()

    @property
    def name(self) -> str:
        """How it is written: ``platt``, ``logit-adjustment:tau=0.5``."""
        defaults = POSTHOC[self.kind].settings
        own = [f"{key}={value:g}" for key, value in self.settings.items() if value != defaults[key]]
        return ":".join([self.kind, *own])

    @classmethod
    def parse(cls, text: str) -> Posthoc:
        """Undo `name`.

        Raises
        ------
        UsageError
            If there is no such correction, or a setting is unknown, no number, or out of range.
        """
        kind, *pairs = text.split(":")
        settings = {}
        for pair in pairs:
            key, _, value = pair.partition("=")
            try:
                settings[key] = float(value)
            except ValueError:
                raise UsageError(f"'{text}': a setting is KEY=NUMBER, such as tau=0.5, but got '{pair}'.") from None
        return cls(kind, settings)


def parse_posthoc(text: str) -> tuple[Posthoc, ...]:
    """Corrections from a list with commas, such as ``platt,em``, from ``all``, each with its defaults, or ``none``.

    Raises
    ------
    UsageError
        If the list is empty, names one twice, or names one that there is not.
    """
    if text == NONE:
        return ()
    names = list(POSTHOC) if text == ALL else [name.strip() for name in text.split(",")]
    if names == [""]:
        raise UsageError(f"--posthoc names corrections: {', '.join(POSTHOC)}, or {ALL}.")
    chosen = tuple(Posthoc.parse(name) for name in names)
    if len({one.name for one in chosen}) < len(chosen):
        raise UsageError(f"--posthoc names a correction twice: {text}.")
    return chosen
