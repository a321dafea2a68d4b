"""`chestxpert data check`: what is odd about the images and the table of a data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Show what the quality control of a data set found: images that are blank or nearly so, the same radiograph twice
    (within a patient, across patients, across splits), ages above 100, files that are not square or of odd bit
    depth, labels that NIH corrected, and images that seem turned or inverted. Nothing is changed or left out.

    'chestxpert data prepare' writes the remarks to quality.csv in the dataset folder; where that file is missing
    they are made now. docs/quality.md says how each check works and how well.
"""
EPILOG = """
    examples:
      chestxpert data check data/nih
      chestxpert data check data/nih --again
      chestxpert data check data/nih --strict   # in a script: exit code 1 if a radiograph is in two splits
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "check", help="show what is odd about a data set's images", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("dataset", metavar="DATASET", type=Path, help="dataset folder")
    parser.add_argument("--again", action="store_true", help="make all checks again, and write quality.csv anew")
    parser.add_argument(
        "--strict", action="store_true", help="fail, with exit code 1, if a radiograph is in two splits"
    )
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Check the data set; returns the remarks in short."""
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.dataset import Dataset
    from chestxpert.quality import check_folder, require_no_leaks, summarise

    data = Dataset.load(arguments.dataset)
    quality = check_folder(
        data.folder,
        data.cohort,
        data.store,
        data.info["source"].get("paths", [data.info["source"]["path"]]),
        again=arguments.again,
        progress=progress_on_stderr(),
    )
    if arguments.strict:
        require_no_leaks(quality, data.cohort, data.folder)
    return summarise(quality, data.cohort, data.folder)
