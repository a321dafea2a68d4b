"""`chestxpert compare`: the study, from recipes to the report."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.options import (
    add_data,
    add_draws,
    add_margin,
    add_measuring,
    add_no_images,
    add_posthoc,
    add_training,
)
from chestxpert.cli.parser import Parser, whole

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Train recipes on the same patients, one run for each recipe and seed, and compare them on the test patients:
    thresholds and the best of each side are chosen on val alone, intervals are bootstrapped over patients. Writes
    runs, comparison.json and report.html, one page that opens offline.

    The recipes fine-tune the whole network, which takes hours without a GPU; compare says beforehand how long.
    With --freeze it trains heads on cached features, which takes minutes.
"""
EPILOG = """
    examples:
      chestxpert compare --data data/nih --out studies/first --seeds 3 --freeze
      chestxpert compare --data data/nih --out studies/tuned --recipes flat-basic hierarchical-shared \\
          --set size=128 --set epochs=12
      chestxpert compare --data data/nih --out studies/mine --recipes flat-basic my-recipe.yaml
      chestxpert compare --data data/nih --out studies/losses --freeze --sweep loss.kind=bce,focal,asl,ldam
      chestxpert compare --data data/nih --out studies/asl --freeze --recipes flat-asl 'hierarchical-*' \\
          --set loss.gamma_neg=2
      chestxpert compare --data data/nih --out studies/first --seeds 3 --freeze --resume
      chestxpert compare --data data/nih --out studies/alert --freeze --threshold sensitivity=0.9
      chestxpert compare --data data/nih --out studies/even --recipes flat-basic --freeze --posthoc platt,em

    'chestxpert recipes' lists the recipes, 'chestxpert recipes --methods' what they may choose from. A setting of a
    method applies to those recipes that use the method, and a note says which do not. A study that was interrupted
    goes on with the same command and --resume, and ends with the same comparison as an unbroken one.
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "compare", help="train recipes and compare them: the main job", description=DESCRIPTION, epilog=EPILOG
    )
    add_data(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="study folder to make")
    parser.add_argument(
        "--recipes", metavar="RECIPE", nargs="+", default=[],
        help="names, YAML files, patterns such as 'flat-*', or all (default: the six of the study, which 'chestxpert "
        "recipes' lists first; with --sweep flat-basic)",
    )  # fmt: skip
    parser.add_argument(
        "--sweep", metavar="KEY=V1,V2,...", dest="sweeps", action="append", default=[],
        help="make each recipe one for each value, called RECIPE-VALUE, such as loss.kind=bce,focal,asl; several "
        "sweeps make one for each combination",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", metavar="N", type=whole(1), default=1,
        help="runs of each recipe, with the seeds 0 to N-1 (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--taxonomy", metavar="NAME|FILE",
        help="tree that hierarchical metrics of all recipes are measured on (default: the one that all hierarchical "
        "recipes share, else study)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", metavar="N", type=whole(1),
        help="processes that train heads side by side with --freeze on a CPU, and that compare; changes no result "
        "(default: one for each core, if there are runs enough)",
    )  # fmt: skip
    add_posthoc(parser, "none")
    add_training(parser)
    add_measuring(parser, stored=False)
    add_draws(parser)
    add_margin(parser, "no such test")
    add_no_images(parser)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Run the study; returns the comparison and where the report is."""
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.recipe import parse_posthoc
    from chestxpert.report import build_report, summary_text
    from chestxpert.study.choose import choose_recipes
    from chestxpert.study.plan import StudyPlan
    from chestxpert.study.run import run_study

    choice = choose_recipes(arguments.recipes, arguments.overrides, arguments.freeze, arguments.sweeps)
    plan = StudyPlan(
        dataset=arguments.data,
        recipes=choice.recipes,
        seeds=tuple(range(arguments.seeds)),
        command=shlex.join(["chestxpert", *arguments.argv]),
        taxonomy=arguments.taxonomy,
        threshold=arguments.threshold,
        **({} if arguments.subgroups is None else {"subgroups": tuple(arguments.subgroups)}),
        posthoc=None if arguments.posthoc is None else parse_posthoc(arguments.posthoc),
        margin=arguments.margin,
    )
    progress = progress_on_stderr()
    for note in choice.told(arguments.seeds):
        progress.note(note)
    comparison = run_study(
        plan,
        arguments.out,
        resume=arguments.resume,
        draws=arguments.draws,
        workers=arguments.workers,
        progress=progress,
    )
    report = build_report(arguments.out, images=not arguments.no_images)
    return f"{summary_text(comparison)}\n\nReport: {report}"
