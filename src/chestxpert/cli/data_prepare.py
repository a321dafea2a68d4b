"""`chestxpert data prepare`: from files and archives as NIH ships them to a dataset folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.columns import add_columns, columns_of
from chestxpert.cli.options import add_workers
from chestxpert.cli.parser import Parser, share, whole

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Make a dataset folder from NIH's files: Data_Entry_2017*.csv (the 2017 or the v2020 header, also .csv.gz),
    train_val_list.txt, test_list.txt and BBox_List_2017.csv where there are any, or NIH-CXR-LT's three tables with
    --labels cxrlt20; and the images, PNG, JPEG or DICOM, in folders at any depth or in .tar.gz, .tar and .zip
    archives. Archives are read as they are: nothing is unpacked to disk.

    Interrupted or even killed, the same command goes on where it stopped. The dataset folder appears when it is whole.

    Other data sets: --format chexpert, mimic-cxr-jpg, padchest or vindr-cxr reads their tables as they are shipped and
    maps them onto NIH's findings; --format csv reads any table that names image, patient and labels. What is
    uncertain or missing there stays unknown: no loss and no metric asks for it.

    No patient is ever on two sides of the split. Images without a row, rows without an image and images that do
    not decode are counted, and listed in the dataset folder's rejects.csv.
"""
EPILOG = """
    how images are split:
      official  the test list stays test; val is cut from train_val by patient, stratified over findings
      random    all three by patient, stratified over findings; needs no lists
      auto      official where there are lists, else random
      test      every image is for testing (other data sets only): to evaluate a run that learnt elsewhere

    examples:
      chestxpert data prepare ~/nih --out data/nih
      chestxpert data prepare ~/nih/images_001.tar.gz ~/nih/images_002.tar.gz --out data/first
      chestxpert data prepare ~/nih --out data/lt --labels cxrlt20 --size 256
      chestxpert data prepare ~/chexpert --out data/chexpert --format chexpert --split test
      chestxpert data prepare ~/ours --out data/ours --format csv --image-column file --patient-column pid \\
          --label-columns Effusion Mass "Fluid overload=Edema"
      chestxpert data prepare drawn --out data/simulated --split random --seed 7
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "prepare", help="make a dataset folder from NIH's files", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument(
        "sources", metavar="SOURCE", type=Path, nargs="+",
        help="folder with tables, images and archives, or an archive; tables lie in such a folder or beside archives",
    )  # fmt: skip
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="dataset folder to make")
    parser.add_argument(
        "--format", choices=["nih", "csv", "chexpert", "mimic-cxr-jpg", "padchest", "vindr-cxr"], default="nih",
        help="whose layout SOURCE has (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--lateral", choices=["reject", "keep"], default="reject",
        help="what becomes of other data sets' images that are not frontal (default: %(default)s)",
    )  # fmt: skip
    add_columns(parser)
    parser.add_argument(
        "--labels", choices=["nih15", "cxrlt20"], default="nih15",
        help="label space: NIH's 14 findings or NIH-CXR-LT's 19, and No Finding (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--size", metavar="PIXELS", type=whole(1), default=224,
        help="side of the stored images, made by averaging areas (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--fit", choices=["pad", "crop", "stretch"], default="pad",
        help="how an image becomes square: by black bars, by cutting, or by stretching (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--grey", choices=["stored", "minmax"], default="stored",
        help="grey values as stored, or each image stretched from its darkest to its brightest (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--split", choices=["auto", "official", "random", "test"], default="auto",
        help="see below (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--val-fraction", metavar="SHARE", type=share, default=0.2,
        help="share of the patients outside test that become val (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", metavar="N", type=whole(0), default=0, help="the same seed gives the same split (default: 0)"
    )
    add_workers(parser)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> str:
    """Make the dataset folder; returns what is in it."""
    from chestxpert.cli.progress import bar_when_known, progress_on_stderr
    from chestxpert.dataset import prepare

    progress = progress_on_stderr()
    with bar_when_known(progress, "decoding") as report_progress:
        report = prepare(
            arguments.sources,
            arguments.out,
            format=arguments.format,
            columns=columns_of(arguments),
            table=arguments.table if arguments.format != "csv" else "",
            lateral=arguments.lateral,
            labels=arguments.labels,
            size=arguments.size,
            fit=arguments.fit,
            grey=arguments.grey,
            split=arguments.split,
            val_fraction=arguments.val_fraction,
            seed=arguments.seed,
            workers=arguments.workers,
            progress=report_progress,
            checks=progress,
        )
    nothing_to_train = report.split == "test"
    after = (
        f"evaluate RUN --data {arguments.out}"
        if nothing_to_train
        else f"compare --data {arguments.out} --out DIR --freeze"
    )
    return f"{report.summary()}\nNext: chestxpert {after}"
