"""Checks that the parts of a recipe share."""

from __future__ import annotations

from chestxpert.errors import RecipeError


def require(ok: bool, what: str, got: object) -> None:
    """RecipeError that says what is taken and what was got, unless `ok`."""
    if not ok:
        raise RecipeError(f"{what}, but got {got!r}.")
