"""`chestxpert data download`: ChestX-ray14 from where NIH keeps it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.parser import Parser, whole

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Fetch NIH ChestX-ray14: twelve archives of images (45 GB) and four label files (11 MB), each verified by its MD5.

    A download that was cut, interrupted or killed goes on where it stopped with the same command. What is there
    already is verified and not fetched again. A file has its own name only when it is whole and right; until then
    it is .NAME.part. The archives need no unpacking.
"""
EPILOG = """
    examples:
      chestxpert data download ~/nih
      chestxpert data download ~/nih --only labels
      chestxpert data download ~/nih --archives 1,3-5
      chestxpert data download ~/nih --mirror https://example.org/nih --workers 6
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "download", help="fetch ChestX-ray14 and verify it", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="where the files go; made if it is missing")
    parser.add_argument("--only", choices=["labels", "images"], help="leave the others out (default: both)")
    parser.add_argument(
        "--archives", metavar="NUMBERS", type=_archives, help="archives to fetch, such as 1,3-5 (default: all twelve)"
    )
    parser.add_argument(
        "--mirror", metavar="URL", help="look for all files by their names below this URL, and nowhere else"
    )
    parser.add_argument(
        "--workers", metavar="N", type=whole(1), default=3, help="files fetched at once (default: %(default)s)"
    )
    parser.set_defaults(run=run, parser=parser)


def _archives(text: str) -> list[int]:
    from chestxpert.download.catalogue import archive_numbers
    from chestxpert.errors import UsageError

    try:
        return archive_numbers(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments: argparse.Namespace) -> str:
    """Fetch what is missing; returns what is there."""
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.download import download

    return download(
        arguments.folder,
        only=arguments.only,
        archives=arguments.archives,
        mirror=arguments.mirror,
        workers=arguments.workers,
        progress=progress_on_stderr(),
    ).summary()
