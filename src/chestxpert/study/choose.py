"""Which recipes a study compares: names, files and patterns; settings for those that take them; sweeps."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chestxpert.errors import RecipeError, UsageError
from chestxpert.recipe import (
    STUDY_RECIPES,
    Override,
    Recipe,
    builtin_recipes,
    parse_recipe,
    recipe_text,
    used_overrides,
)
from chestxpert.study.sweep import MOST_RECIPES, Sweep, check_count, combinations, parse_sweeps, unique_name, value_name

ALL = "all"
_SHOWN = 6


@dataclass(frozen=True)
class Choice:
    """The recipes of a study, and what whoever asked for them should know.

    Attributes
    ----------
    recipes : tuple of Recipe
    notes : tuple of str
        Settings that apply to some of the recipes only, and recipes that a pattern named but the settings rule out.
    swept : bool
        Whether a sweep made some of the recipes.
    """

    recipes: tuple[Recipe, ...]
    notes: tuple[str, ...] = ()
    swept: bool = False

    def told(self, seeds: int) -> tuple[str, ...]:
        """The notes, and for a sweep how many runs it makes with so many seeds."""
        if not self.swept:
            return self.notes
        count = len(self.recipes)
        each = "1 seed" if seeds == 1 else f"{seeds} seeds"
        made = f"sweep: {count} recipes (at most {MOST_RECIPES}) x {each} = {count * seeds} runs"
        return (*self.notes, f"{made}: {_listed([recipe.name for recipe in self.recipes])}")


@dataclass(frozen=True)
class _Variant:
    """A recipe that is still to be built.

    Attributes
    ----------
    source : str
        What it was named by.
    by_pattern : bool
        Whether that name came from a pattern.
    text : str
        Its YAML, without any change.
    sets, swept : tuple of Override
        The changes that it takes.
    """

    source: str
    by_pattern: bool
    text: str
    sets: tuple[Override, ...]
    swept: tuple[Override, ...]

    def build(self) -> Recipe:
        """The recipe under the name that its swept values give it."""
        recipe = parse_recipe(self.text, origin=self.source, overrides=[*self.sets, *self.swept])
        return replace(recipe, name="-".join([recipe.name, *(value_name(item.value) for item in self.swept)]))


def choose_recipes(
    names: Sequence[str], overrides: Sequence[str], freeze: bool = False, sweeps: Sequence[str] = ()
) -> Choice:
    """The recipes of a study.

    An override applies to each recipe whose methods take it, and to the others not at all; so does a swept value.
    A recipe becomes one for each combination of the swept values that it takes, called ``RECIPE-VALUE``.

    Parameters
    ----------
    names : names, YAML files, patterns such as ``flat-*``, or ``all``
        Without any the six of the study; with a sweep ``flat-basic`` alone.
    overrides : strings such as ``loss.gamma_neg=4``
    freeze : whether to add ``freeze=true``
    sweeps : strings such as ``loss.kind=bce,focal``

    Raises
    ------
    RecipeError
        For an override that no recipe takes, and for what a recipe that was called by its name cannot be.
    UsageError
        For a pattern that no recipe has, sweeps that contradict each other, and too many recipes.
    """
    sets = tuple(Override.parse(text) for text in [*overrides, *(["freeze=true"] if freeze else [])])
    parsed = parse_sweeps(sweeps, sets)
    sources = _sources(names or (STUDY_RECIPES[:1] if parsed else STUDY_RECIPES))
    variants = [variant for source in sources for variant in _variants(*source, sets, parsed)]
    check_count(len(variants) if parsed else 0)
    _check_all_are_used(variants, sets, parsed)
    built, left_out = _build(variants)
    notes = _used_by_some(built, sets, parsed)
    return Choice(tuple(recipe for recipe, _ in built), (*notes, *left_out), bool(parsed))


def _sources(names: Sequence[str]) -> list[tuple[str, bool]]:
    """Names and files as given, patterns as the recipes that they match and nothing before them named."""
    sources: dict[str, bool] = {}
    for name in names:
        if name == ALL or (any(sign in name for sign in "*?[") and not Path(name).is_file()):
            for match in _matches(name):
                sources.setdefault(match, True)
        elif sources.get(name, True):
            sources[name] = False
        else:
            raise UsageError(f"A study needs recipes of different names, but '{name}' is named twice.")
    return list(sources.items())


def _matches(pattern: str) -> list[str]:
    known = list(builtin_recipes())
    found = known if pattern == ALL else [name for name in known if fnmatch.fnmatchcase(name, pattern)]
    if not found:
        raise UsageError(f"No recipe matches '{pattern}'. Those that come with ChestXpert: {', '.join(known)}.")
    return found


def _variants(source: str, by_pattern: bool, sets: Sequence[Override], sweeps: Sequence[Sweep]) -> Iterator[_Variant]:
    """One for each combination of the swept values that the recipe takes."""
    text, seen = recipe_text(source), []
    for values in combinations(sweeps):
        used = used_overrides(text, source, [*sets, *values])
        swept = tuple(item for item in values if item in used)
        if swept not in seen:
            seen.append(swept)
            yield _Variant(source, by_pattern, text, tuple(item for item in sets if item in used), swept)


def _check_all_are_used(variants: Sequence[_Variant], sets: Sequence[Override], sweeps: Sequence[Sweep]) -> None:
    """RecipeError for a setting that no recipe takes, in the words of the first recipe."""
    first = variants[0]
    for override in [*sets, *(sweep.overrides[0] for sweep in sweeps)]:
        if not any(override.keys in _keys(variant) for variant in variants):
            parse_recipe(first.text, origin=first.source, overrides=[*first.sets, *first.swept, override])
            raise RecipeError(f"No recipe of this study has a use for '{override.text}'.")


def _keys(variant: _Variant) -> set[tuple[str, ...]]:
    return {item.keys for item in [*variant.sets, *variant.swept]}


def _build(variants: Sequence[_Variant]) -> tuple[list[tuple[Recipe, _Variant]], list[str]]:
    """Recipes under names of their own, and a note on each that a pattern named and the settings rule out."""
    built: list[tuple[Recipe, _Variant]] = []
    refused: list[RecipeError] = []
    for variant in variants:
        try:
            built.append((variant.build(), variant))
        except RecipeError as error:
            if not variant.by_pattern:
                raise
            refused.append(error)
    if not built:
        raise refused[0]
    _check_different(built)
    return _uniquely_named(built), [f"left out: {error}" for error in refused]


def _check_different(built: Sequence[tuple[Recipe, _Variant]]) -> None:
    """UsageError for two values of a sweep that make the same of a recipe."""
    for place, (recipe, variant) in enumerate(built):
        for other, before in built[:place]:
            if before.source == variant.source and replace(recipe, name=other.name) == other:
                raise UsageError(f"The sweep makes the same recipe twice: as {other.name} and as {recipe.name}.")


def _uniquely_named(built: Sequence[tuple[Recipe, _Variant]]) -> list[tuple[Recipe, _Variant]]:
    """A recipe keeps the name it came with; what a sweep named gets a number where that name is taken."""
    names = [recipe.name for recipe, variant in built if not variant.swept]
    result = []
    for recipe, variant in built:
        name = unique_name(recipe.name, names) if variant.swept else recipe.name
        names.append(name)
        result.append((replace(recipe, name=name), variant))
    return result


def _used_by_some(
    built: Sequence[tuple[Recipe, _Variant]], sets: Sequence[Override], sweeps: Sequence[Sweep]
) -> list[str]:
    """A note for each setting and sweep that only some of the recipes take; RecipeError if all that do are left out."""
    notes = []
    asked = [(item.keys, item.text) for item in sets] + [(item.keys, "sweep " + ".".join(item.keys)) for item in sweeps]
    for keys, what in asked:
        takers = [recipe.name for recipe, variant in built if keys in _keys(variant)]
        others = [recipe.name for recipe, variant in built if keys not in _keys(variant)]
        if not takers:
            raise RecipeError(f"'{what}' is of use only to recipes that a pattern named and the settings rule out.")
        if others:
            notes.append(f"{what}: applies to {_listed(takers)}; not used by {_listed(others)}")
    return notes


def _listed(names: Sequence[str]) -> str:
    """Names as a sentence has them, the end of a long list as a number."""
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest
