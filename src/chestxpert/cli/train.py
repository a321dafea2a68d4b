"""`chestxpert train`: one run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chestxpert.cli.options import add_data, add_training
from chestxpert.cli.parser import Parser, whole

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Train one recipe with one seed, predict val and test, and evaluate. The run's folder holds the recipe as it was
    run, the environment, a line of metrics for each epoch, the best checkpoint, the predictions and the evaluation.
    To compare recipes, use 'chestxpert compare', which also gives intervals.
"""
EPILOG = """
    examples:
      chestxpert train flat-basic --data data/nih --out runs/basic --freeze
      chestxpert train recipes/flat-weighted.yaml --data data/nih --out runs/weighted --seed 1
      chestxpert train hierarchical-shared --data data/nih --out runs/small --set backbone=resnet18 --set size=128
"""
SHOWN = (
    "macro_auroc",
    "macro_ap",
    "macro_f1",
    "macro_f1_at_half",
    "micro_f1",
    "exact_match",
    "hierarchical_f1",
    "brier",
)


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser("train", help="train one recipe", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("recipe", metavar="RECIPE", help="name ('chestxpert recipes' lists them) or YAML file")
    add_data(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="run folder to make")
    parser.add_argument(
        "--seed", metavar="N", type=whole(0), default=0,
        help="the same seed on the same machine gives the same predictions (default: %(default)s)",
    )  # fmt: skip
    add_training(parser)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Train; returns the metrics of the test images and where the run is."""
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.dataset import Dataset
    from chestxpert.recipe import load_recipe
    from chestxpert.training.run import train_run

    recipe = load_recipe(arguments.recipe, [*arguments.overrides, *(["freeze=true"] if arguments.freeze else [])])
    result = train_run(
        recipe,
        Dataset.load(arguments.data),
        arguments.out,
        seed=arguments.seed,
        resume=arguments.resume,
        progress=progress_on_stderr(),
    )
    return f"{metrics_table(recipe.name, result.evaluation)}\n\nRun: {result.folder}"


def metrics_table(name: str, evaluation: Mapping[str, Any]) -> str:
    """The main metrics of val and test, one a line; undefined ones are a dash."""
    sides = [side for side in ("val", "test") if side in evaluation]
    images = ", ".join(f"{evaluation[side]['images']} {side}" for side in sides)
    kind = "SIMULATED images, no radiographs" if evaluation["simulated"] else "images"
    lines = [f"{name} ({images} {kind})", f"{'':<18}" + "".join(f"{side:>8}" for side in sides)]
    for metric in SHOWN:
        values = [evaluation[side]["metrics"].get(metric) for side in sides]
        cells = "".join(f"{'-' if value is None else format(value, '.3f'):>8}" for value in values)
        lines.append(f"{metric:<18}{cells}")
    return "\n".join(lines)
