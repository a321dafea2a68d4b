"""`chestxpert agree`: a study's labels held against another source of labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.columns import add_columns, columns_of
from chestxpert.cli.options import add_draws, add_no_images
from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cli.parser import Commands

DESCRIPTION = """
    Hold a study's labels against another source of labels for the same images, such as radiologists' reading of a part
    of them: kappa, PPV and sensitivity of each finding with intervals over patients, and the baseline and the best
    recipes measured against both. Labels that one of the two does not know are left out.

    Stores the other labels in the study and compares again: comparison.json has the result under 'agreement', and
    'chestxpert report' keeps it there. Nothing is trained, and no threshold is chosen on the other labels.
"""
EPILOG = """
    examples:
      chestxpert agree studies/first readers.csv --image-column file --label-columns Effusion Pneumothorax
      chestxpert agree studies/first Data_Entry_2017.csv --format nih
      chestxpert agree studies/first ~/cxrlt --format nih --labels cxrlt20
"""


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    parser: Parser = commands.add_parser(
        "agree", help="hold a study's labels against another source of labels", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("study", metavar="STUDY", type=Path, help="study folder made by 'chestxpert compare'")
    parser.add_argument("source", metavar="SOURCE", type=Path, help="the other label table, or the folder it is in")
    parser.add_argument(
        "--format", choices=["nih", "csv", "chexpert", "mimic-cxr-jpg", "padchest", "vindr-cxr"], default="csv",
        help="whose layout SOURCE has (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--labels", choices=["nih15", "cxrlt20"], default="nih15",
        help="for --format nih: NIH's own table or NIH-CXR-LT's (default: %(default)s)",
    )  # fmt: skip
    add_columns(parser, patients="not needed, since patients are the study's own")
    add_draws(parser)
    add_no_images(parser)
    # Images that a study does not have are strangers anyway, whatever their view.
    parser.set_defaults(run=run, parser=parser, lateral="keep")


def run(arguments: argparse.Namespace) -> str:
    """Store the other labels and compare again; returns the table and where the report is."""
    from chestxpert.cli.progress import progress_on_stderr
    from chestxpert.evaluation.agreement_text import agreement_table
    from chestxpert.labels import label_space
    from chestxpert.prepare.tables import Format
    from chestxpert.report import build_report
    from chestxpert.study.other_labels import add_other_labels
    from chestxpert.study.stored import write_comparison

    if arguments.format == "csv" and arguments.column_file is None and arguments.patient_column is None:
        arguments.patient_column = arguments.image_column  # patients are the study's own
    table = arguments.table if arguments.format != "csv" else ""
    form = Format(arguments.format, columns_of(arguments), table, "keep")
    form.check(arguments.labels if arguments.format == "nih" else "nih15", "random")
    progress = progress_on_stderr()
    added = add_other_labels(arguments.study, arguments.source, form, label_space(arguments.labels))
    progress.note(
        f"{len(added.cohort):,} of the study's images are there; {added.strangers:,} rows are other images, "
        f"{added.unclear:,} not clear, {added.refused:,} unusable"
    )
    comparison = write_comparison(arguments.study, draws=arguments.draws, progress=progress)
    report = build_report(arguments.study, images=not arguments.no_images)
    return f"{agreement_table(comparison['agreement'])}\n\nReport: {report}"
