"""`chestxpert localize`: where stored maps look, held against boxes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.options import add_data, add_draws
from chestxpert.cli.parser import Parser, whole

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Hold stored heat maps, made by any tool, against the boxes of a data set: the pointing game, the share of a map's
    mass in the boxes, and boxes made from the map (IoU, IoBB, false boxes an image). By finding and as a mean over
    findings, with intervals over patients, beside what pointing without looking scores: a random place, the centre of
    the image, and the usual place of the finding in other patients. No model is read.

    Writes localization.json, cases.parquet and localization.html. docs/localize.md says what a folder of maps holds.
"""
EPILOG = """
    examples:
      chestxpert localize maps/ours --data data/nih
      chestxpert localize maps/ours maps/theirs --data data/nih --out results/where
      chestxpert localize maps/ours --data data/nih --rule wang-2017 --tolerance 15
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "localize", help="hold stored heat maps against boxes", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument(
        "maps", metavar="MAPS", type=Path, nargs="+", help="folders of maps (or .npz files), to compare up to four"
    )
    add_data(parser)
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="folder to make (default: localization-NAMES beside the first MAPS)"
    )
    parser.add_argument(
        "--split", choices=["test", "val", "all"], default="test",
        help="whose boxes are measured; networks have seen the images of training patients (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--rule", metavar="RULE", default="share=0.5",
        help="how a map becomes boxes: share=T, regions of at least T times its maximum, or wang-2017; choose it "
        "before the results are seen, others are shown beside it (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--tolerance", metavar="PX", type=float, default=0.0,
        help="how far beside a box still counts in the pointing game, in pixels of 1024 (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--side",
        metavar="N",
        type=whole(2),
        help="bring all maps to N x N cells first, bilinearly (default: as they are)",
    )
    add_draws(parser)
    parser.add_argument("--no-images", action="store_true", help="write no picture of the data set into the page")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Measure and draw the page; returns the table and where the results are."""
    from chestxpert.cli.progress import bar_when_known, progress_on_stderr
    from chestxpert.evaluation.localization import localize
    from chestxpert.evaluation.localization.text import localization_table
    from chestxpert.report.localization.build import build_localization_report

    with bar_when_known(progress_on_stderr(), "measuring", "line") as advance:
        result = localize(
            arguments.maps,
            arguments.data,
            arguments.out,
            split=arguments.split,
            rule=arguments.rule,
            tolerance=arguments.tolerance,
            side=arguments.side,
            draws=arguments.draws,
            progress=advance,
        )
    page = build_localization_report(result["folder"], images=not arguments.no_images)
    return f"{localization_table(result)}\n\nReport: {page}"
