"""Recipes and methods in words, for whoever chooses among them."""

from __future__ import annotations

import textwrap
from typing import Any

from chestxpert.recipe.catalogue import Method
from chestxpert.recipe.differences import (
    ABSENT,
    HEADINGS,
    SEVERAL,
    STUDY,
    base_of,
    differences,
    heading_of,
    study_recipes,
)
from chestxpert.recipe.files import (
    builtin_recipes,
    head_comment,
    load_recipe,
    recipe_path,
    recipe_text,
    recipes_folder,
)
from chestxpert.recipe.overrides import chosen_parts
from chestxpert.recipe.recipe import Recipe
from chestxpert.strict_yaml import to_yaml

WIDTH = 110


def list_recipes() -> str:
    """Name and summary of each built-in recipe, under what it changes, and where their files are."""
    files, study = builtin_recipes(), study_recipes()
    width = max(map(len, files), default=0)
    groups: dict[str, list[str]] = {heading: [] for heading in (STUDY, *HEADINGS, SEVERAL)}
    for name, path in files.items():
        groups[heading_of(load_recipe(name), study)].append(f"  {name:<{width}}  {head_comment(path)}")
    parts = ["\n".join([heading, *lines]) for heading, lines in groups.items() if lines]
    return "\n\n".join([*parts, f"Their files are in {recipes_folder()}"])


def list_methods() -> str:
    """Every method of every catalogue that a recipe's key may name, with its settings and its source."""
    parts = []
    for path, part in chosen_parts(Recipe).items():
        methods = [_method(name, method) for name, method in part.catalogue.items()]
        head = f"{'.'.join(path)}.kind, '{part.default_kind()}' unless a recipe says otherwise"
        parts.append("\n".join([head, *methods]))
    return "\n\n".join(parts)


def _method(name: str, method: Method) -> str:
    """A method's name, short names, summary, settings with defaults, and source."""
    known_as = f" ({', '.join(method.aliases)})" if method.aliases else ""
    lines = _wrapped(method.summary, 6)
    if method.settings:
        settings = ", ".join(f"{setting} {default:g}" for setting, default in method.settings.items())
        lines += _wrapped(f"settings: {settings}", 6)
    if method.source:
        lines += _wrapped(method.source, 6)
    return "\n".join([f"  {name}{known_as}", *lines])


def _wrapped(text: str, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(text, WIDTH, initial_indent=space, subsequent_indent=f"{space}  ", break_on_hyphens=False)


def describe_recipe(source: str) -> str:
    """A recipe's file as it is, and what it changes of the recipe that it stands beside and of the first one."""
    recipe, text = load_recipe(source), recipe_text(source)
    parts = [text.rstrip(), *_changes(recipe), f"Its file is {recipe_path(source)}"]
    return "\n\n".join(parts)


def _changes(recipe: Recipe) -> list[str]:
    """What the recipe changes of its base and, where that is another one, of the first recipe of the study."""
    study = study_recipes()
    base, first = base_of(recipe, study), study[0]
    if base is None:
        return ["It is what all others are held against."]
    others = [base] if base.name == first.name else [base, first]
    return [_told(recipe, other) for other in others]


def _told(recipe: Recipe, base: Recipe) -> str:
    changed = differences(recipe, base)
    if not changed:
        return f"It is {base.name} under another name."
    lines = [f"  {key}: {_value(ours)} ({base.name}: {_value(theirs)})" for key, (ours, theirs) in changed.items()]
    return "\n".join([f"It differs from {base.name} in", *lines])


def _value(value: Any) -> str:
    """A value as YAML has it, in one line."""
    if value is ABSENT:
        return "has none"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return to_yaml({"value": value}).removeprefix("value:").strip()
