"""Options that say where a table of one's own holds what, for every command that reads one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chestxpert.cli.parser import Parser

if TYPE_CHECKING:
    from chestxpert.cohort.csv_columns import CsvColumns


def add_columns(parser: Parser, patients: str = "there is no way without") -> None:
    """Where a table of one's own holds what; `patients` ends the sentence on their column."""
    group = parser.add_argument_group("a table of your own (--format csv)")
    group.add_argument(
        "--columns", dest="column_file", metavar="YAML", type=Path,
        help="file that names the columns and what their cells mean; the options below outdo it",
    )  # fmt: skip
    group.add_argument(
        "--table", metavar="FILE", default="", help="the label table in SOURCE, also one of a known data set's"
    )
    group.add_argument("--image-column", metavar="NAME", help="column with the image's name or relative path")
    group.add_argument("--patient-column", metavar="NAME", help=f"column with the patient's id; {patients}")
    group.add_argument(
        "--label-columns", metavar="NAME", nargs="+", default=[], help="columns of findings; COLUMN=FINDING renames one"
    )
    group.add_argument("--label-list", metavar="NAME", help="one column with a list of findings instead")
    group.add_argument(
        "--map", choices=["chexpert", "mimic-cxr-jpg", "padchest", "vindr-cxr"],
        help="ready-made map onto NIH's findings, for a table with that data set's label columns",
    )  # fmt: skip


def columns_of(arguments: argparse.Namespace) -> CsvColumns | None:
    """What the options say of a table of one's own; None for the layouts that are known."""
    from chestxpert.cohort.csv_columns import from_options

    given = {
        "table": arguments.table,
        "image": arguments.image_column,
        "patient": arguments.patient_column,
        "label_list": arguments.label_list,
        "map": arguments.map,
        "lateral": "keep" if arguments.format == "csv" and arguments.lateral == "keep" else None,
    }
    return from_options(arguments.format, arguments.column_file, given, arguments.label_columns)
