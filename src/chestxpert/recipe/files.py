"""Recipes as files: those that come with ChestXpert, and the user's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from chestxpert.errors import RecipeError
from chestxpert.recipe.overrides import Override
from chestxpert.recipe.recipe import Recipe, parse_recipe


def recipes_folder() -> Path:
    """Folder of the recipes that come with ChestXpert: in the package, or beside it in a checkout."""
    packaged = Path(__file__).parents[1] / "recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "recipes"


def builtin_recipes() -> dict[str, Path]:
    """The recipes that come with ChestXpert, by name: those of the study in its order, then the others."""
    files = {path.stem: path for path in recipes_folder().glob("*.yaml")}
    known = {name: place for place, name in enumerate(STUDY_RECIPES)}
    return {name: files[name] for name in sorted(files, key=lambda name: (known.get(name, len(known)), name))}


STUDY_RECIPES = (
    "flat-basic", "flat-weighted", "flat-downsampled", "flat-resampled", "hierarchical-cascade", "hierarchical-shared",
)  # fmt: skip
"""The recipes that a study compares if none is named; the others change one method of one of them.

In reading order: each flat recipe stands on top of the one before, and the alphabet would part them.
"""


def head_comment(path: Path) -> str:
    """First line of the comment that heads a recipe, without its ``#`` and the recipe's name; may be empty."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip().removeprefix(f"{path.stem}:").strip() if first.startswith("#") else ""


def load_recipe(source: str | Path, overrides: Iterable[str | Override] = ()) -> Recipe:
    """Recipe from a YAML file, or the built-in one of that name.

    Parameters
    ----------
    source : path of a YAML file, or a name such as ``flat-basic``
    overrides : strings such as ``size=128`` or ``loss.pos_weight=balanced``
    """
    return parse_recipe(recipe_text(source), origin=str(source), overrides=overrides)


def recipe_path(source: str | Path) -> Path:
    """A recipe's file; RecipeError if there is neither such a file nor a built-in recipe of that name."""
    path = Path(source)
    return path if path.is_file() else _builtin(path)


def recipe_text(source: str | Path) -> str:
    """What a recipe's file says; RecipeError if there is none, or it is no text."""
    path = recipe_path(source)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"The recipe {path} cannot be read as text ({error}).") from error


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
