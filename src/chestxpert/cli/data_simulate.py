"""`chestxpert data simulate`: drawn radiographs in NIH's layout."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.options import add_workers
from chestxpert.cli.parser import Parser, share, whole

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Draw radiograph-like images with known findings, in the exact layout of NIH ChestX-ray14: an instrument to try
    methods where the truth is known, not a substitute for radiographs. Prevalences, co-occurrence and images a
    patient are NIH's. Everything made from them is marked as simulated.
"""
EPILOG = """
    examples:
      chestxpert data simulate --out data/drawn --images 1200
      chestxpert data simulate --out data/hard --images 5000 --difficulty 0.8 --tail 1.3 --label-noise 0.1
      chestxpert data prepare data/drawn --out data/simulated
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "simulate", help="draw radiographs in NIH's layout", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to make")
    parser.add_argument(
        "--images", metavar="N", type=whole(1), default=2000, help="how many images (default: %(default)s)"
    )
    parser.add_argument(
        "--size", metavar="PIXELS", type=whole(1), default=224, help="side of the images (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", metavar="N", type=whole(0), default=0, help="the same seed draws the same images (default: 0)"
    )
    parser.add_argument(
        "--difficulty", metavar="D", type=share, default=0.5,
        help="0, plain signs and little noise, to 1, faint signs and much noise (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--tail", metavar="EXPONENT", type=float, default=1.0,
        help="0 to 2: at 0 all findings are alike, at 1 as rare as NIH's, above rarer (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--label-noise", metavar="SHARE", type=share, default=0.0,
        help="share of each finding's labels moved to wrong images (default: %(default)s)",
    )  # fmt: skip
    add_workers(parser)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Draw the images; returns what was made."""
    from chestxpert.cli.progress import bar_when_known, progress_on_stderr
    from chestxpert.simulator import simulate

    with bar_when_known(progress_on_stderr(), "drawing") as report_progress:
        report = simulate(
            arguments.out,
            images=arguments.images,
            size=arguments.size,
            seed=arguments.seed,
            difficulty=arguments.difficulty,
            tail=arguments.tail,
            label_noise=arguments.label_noise,
            workers=arguments.workers,
            progress=report_progress,
        )
    return f"{report.summary()}\nNext: chestxpert data prepare {arguments.out} --out DIR"
