"""`chestxpert data oversample`: augmented copies of training images with rare findings, as files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chestxpert.cli.options import add_workers
from chestxpert.cli.parser import Parser, share, whole

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Write augmented copies of training images with rare findings: images/ORIGIN_aug-K.png, and augmented_images.csv
    (id, findings, origin) that says what each was made from. Copies are made after the split and of rows in train
    only, so none can reach validation or test, and no chest is turned upside down.

    Recipes with sampling.oversample repeat rows while training, each augmented anew in each epoch, and need none of
    this. Write copies for a training loop of your own, or to compare with over-sampling on disk as it is often done.
"""
EPILOG = """
    which rows are copied, rarest finding first, the least copied rows first:
      --target      until each rare finding is on this share of the training rows; rare are all but Atelectasis,
                    Effusion, Infiltration, Mass and Nodule
      --copies      until so many copies carry each finding named; a copy counts for every finding it carries
      --like-study  by the original study's numbers (13,731 copies for 86,524 images), scaled to the training rows

    examples:
      chestxpert data oversample data/nih --out data/copies
      chestxpert data oversample data/nih --out data/copies --copies Hernia=1005 Edema=1804 --augment rotate=5
      chestxpert data oversample data/nih --out data/copies --target 0.1 --dataset data/nih-copies
      chestxpert compare --data data/nih-copies --out studies/copies --freeze
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "oversample", help="write augmented copies of images with rare findings", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("dataset", metavar="DATASET", type=Path, help="dataset folder to copy from")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder to make")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--target", metavar="SHARE", type=share, help="share of the training rows for each rare finding (default: 0.05)"
    )
    ways.add_argument(
        "--copies", metavar="FINDING=N", type=finding_count, nargs="+", action="extend", help="copies that carry each"
    )
    ways.add_argument("--like-study", action="store_true", help="the original study's numbers, scaled")
    parser.add_argument(
        "--max-copies", metavar="N", type=whole(1), default=10, help="most copies of one image (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", metavar="N", type=whole(0), default=0, help="the same seed writes the same copies (default: 0)"
    )
    parser.add_argument(
        "--augment", metavar="KEY=VALUE", dest="changes", nargs="+", action="extend", default=[],
        help="largest change of each kind, as in a recipe: rotate, shift, scale, brightness, contrast, hflip",
    )  # fmt: skip
    parser.add_argument(
        "--dataset", metavar="DIR", dest="as_dataset", type=Path,
        help="also make this dataset folder: all of DATASET, and the copies as further rows in train",
    )  # fmt: skip
    add_workers(parser)
    parser.set_defaults(run=run, parser=parser)


def finding_count(text: str) -> tuple[str, int]:
    """Argument type: a finding and a whole number of at least 1, as in Hernia=1005."""
    name, separator, count = text.partition("=")
    if not separator or not name.strip() or not count.isdecimal() or int(count) < 1:
        raise argparse.ArgumentTypeError(f"takes a finding and a number, such as Hernia=1005, but got '{text}'")
    return name.strip(), int(count)


def run(arguments: argparse.Namespace) -> str:
    """Write the copies; returns what was made."""
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.copies import augment_from, oversample_to_disk

    report = oversample_to_disk(
        arguments.dataset,
        arguments.out,
        target=arguments.target,
        copies=_each_once(arguments.copies),
        like_study=arguments.like_study,
        max_copies=arguments.max_copies,
        seed=arguments.seed,
        augment=augment_from(arguments.changes, origin="--augment"),
        as_dataset=arguments.as_dataset,
        workers=arguments.workers,
        progress=progress_on_stderr(),
    )
    data = report.dataset
    return report.summary() + (f"\nNext: chestxpert compare --data {data} --out DIR --freeze" if data else "")


def _each_once(copies: list[tuple[str, int]] | None) -> dict[str, Any] | None:
    """Numbers by finding; UsageError if a finding is named twice."""
    from chestxpert.errors import UsageError

    counts = dict(copies or [])
    if len(counts) < len(copies or []):
        raise UsageError(f"--copies takes each finding once, but got {', '.join(name for name, _ in copies or [])}.")
    return counts or None
