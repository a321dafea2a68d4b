"""Functions of the user's own, named in a recipe as ``FILE.py:FUNCTION``."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chestxpert.errors import RecipeError


def own_function(name: str) -> Callable[..., Any]:
    """Function that `name` says, from a file that is run for it. Recipes of strangers should be read before use.

    Raises
    ------
    RecipeError
        If there is no such file, it fails, or it has no such function.
    """
    path, _, function = name.rpartition(":")
    file = Path(path)
    if not file.is_file():
        raise RecipeError(f"The recipe names '{name}', but there is no file {file}. Is the path right from here?")
    spec = importlib.util.spec_from_file_location(f"chestxpert_own_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise RecipeError(f"{file} is no Python file. A recipe names FILE.py:FUNCTION.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's own code raises
        raise RecipeError(f"{file} fails when it is read: {type(error).__name__}: {error}.") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise RecipeError(f"{file} has no function '{function}', which the recipe names.")
    return found  # type: ignore[no-any-return]  # what a stranger's file holds has no type
