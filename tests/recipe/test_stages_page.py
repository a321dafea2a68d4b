"""docs/stages.md names every second stage with its settings, and its YAML is a recipe."""

import re
from pathlib import Path

from chestxpert.recipe import STAGES, builtin_recipes, load_recipe, parse_recipe

PAGE = (Path(__file__).parents[2] / "docs" / "stages.md").read_text(encoding="utf-8")


def test_the_page_names_every_stage_with_its_settings_and_its_recipe() -> None:
    rows = {cells[1].strip(" `"): cells for line in PAGE.splitlines() if len(cells := line.split("|")) == 7}
    assert set(STAGES) <= set(rows)
    for kind, method in STAGES.items():
        _, _, recipe, _, settings, limits, _ = rows[kind]
        assert all(f"`{name}` {default:g}" in settings for name, default in method.settings.items())
        if kind == "none":
            continue
        named = load_recipe(recipe.strip(" `"))
        assert named.stage.kind == kind
        assert named.stage.settings == method.settings
        assert ("architecture: shared" in limits) == (named.architecture == "shared")
        assert f"## `{kind}`: " in PAGE


def test_the_pages_yaml_is_a_recipe_with_the_budget_of_every_other() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    recipe = parse_recipe(f"name: mine\narchitecture: flat\n{block}")
    assert (recipe.stage.kind, recipe.epochs + recipe.stage.epochs) == ("crt", load_recipe("flat-basic").epochs)


def test_every_recipe_the_page_names_comes_along() -> None:
    assert set(re.findall(r"`((?:flat|hierarchical)-[a-z-]+)`", PAGE)) <= set(builtin_recipes())
