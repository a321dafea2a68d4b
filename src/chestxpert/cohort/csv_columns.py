"""CsvColumns: which columns of somebody's table hold what, as a frozen dataclass and a strict YAML file."""

from __future__ import annotations

import dataclasses
import re
import string
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from chestxpert.cohort.csv_cells import LATERAL, MISSING, NEGATIVE, POSITIVE, UNSURE
from chestxpert.cohort.textfiles import TextTable
from chestxpert.errors import RecipeError, UsageError
from chestxpert.strict_yaml import build, parse_yaml

Separator = Literal["auto", ",", ";", "tab"]
Lateral = Literal["reject", "keep"]
_TAKEN = ("nih", "simulated")


@dataclass(frozen=True)
class CsvColumns:
    r"""How to read a table; every attribute is a key of the YAML file.

    Parameters
    ----------
    image : str
        Column with the image's name or relative path, or a template of several: ``files/{subject}/{id}.jpg``.
    patient : str
        Column with the patient's id, or a template.
    patient_pattern : str
        Regular expression that finds the id in it, for example ``patient(\d+)`` in a path: its group, or all of it.
    table : str
        File name or pattern, below the source folder itself.
    separator : {"auto", ",", ";", "tab"}
    name : str
        Of the data set: the cohort's ``source``; by default the table's file name.
    labels : tuple of str
        Label columns called as their findings are, or findings of a list.
    findings : mapping of str to str
        Label columns, or names in a list, by another name, each with its finding.
    label_list : str or None
        One column with a list of names, in place of one column a finding: what it does not name does not hold.
    label_separator : str
        Between the names of the list; Python's own lists (``['effusion', 'mass']``) need none.
    map : str or None
        A ready-made map (`chestxpert.cohort.maps.LAYOUTS`) in place of `labels` and `findings`.
    view, sex, age, split : str or None
        Columns, where there are any.
    views, sexes, splits : mapping of str to str
        What their cells mean where that is not plain: to PA, AP, lateral or ""; M, F or ""; train, val, test or "".
    positive, negative, uncertain, missing : tuple of str
        Cells that mean so, whatever their case.
    lateral : {"reject", "keep"}
        What becomes of images that are not frontal.
    repeated : {"reject", "vote"}
        What becomes of further rows of an image: refused, or counted as other readers' votes, of which the majority
        decides; without one the label is unknown.

    Raises
    ------
    UsageError
        If it cannot be right.
    """

    image: str
    patient: str = ""
    patient_pattern: str = ""
    table: str = "*.csv"
    separator: Separator = "auto"
    name: str = ""
    labels: tuple[str, ...] = ()
    findings: Mapping[str, str] = field(default_factory=dict)
    label_list: str | None = None
    label_separator: str = "|"
    map: str | None = None
    view: str | None = None
    sex: str | None = None
    age: str | None = None
    split: str | None = None
    views: Mapping[str, str] = field(default_factory=dict)
    sexes: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    positive: tuple[str, ...] = POSITIVE
    negative: tuple[str, ...] = NEGATIVE
    uncertain: tuple[str, ...] = UNSURE
    missing: tuple[str, ...] = MISSING
    lateral: Lateral = "reject"
    repeated: Literal["reject", "vote"] = "reject"

    def __post_init__(self) -> None:
        if not self.patient:
            raise UsageError(
                "The column with the patients' ids must be named (--patient-column). Without it the split would be by "
                "image: a patient's images are so alike that a network recognises the patient, and with images of one "
                "patient on both sides every figure would be too good. If no column has the id but file names do, "
                "take it from there: 'patient: COLUMN' and 'patient_pattern: REGULAR EXPRESSION' in a YAML file."
            )
        if not self.image:
            raise UsageError("The column with the images' names must be named (--image-column).")
        if bool(self.map) == bool(self.labels or self.findings):
            raise UsageError("Name either the label columns (--label-columns) or a ready-made map (--map), not both.")
        if self.name in _TAKEN:
            raise UsageError(f"A data set of your own cannot be called '{self.name}'. Choose another name.")
        if not self.label_separator:
            raise UsageError("What stands between two names of a list (label_separator) cannot be empty.")
        self._check_values()
        try:
            with warnings.catch_warnings(action="ignore"):  # about what a later Python may read otherwise
                re.compile(self.patient_pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise UsageError(f"patient_pattern {self.patient_pattern!r} is no regular expression: {error}.") from error

    def _check_values(self) -> None:
        for key, known in (
            ("views", ("PA", "AP", LATERAL, "")), ("sexes", ("M", "F", "")), ("splits", ("train", "val", "test", "")),
        ):  # fmt: skip
            wrong = sorted(set(getattr(self, key).values()) - set(known))
            if wrong:
                raise UsageError(f"{key} takes {', '.join(map(repr, known))}, but got {wrong[0]!r}.")
        kinds = [self.positive, self.negative, self.uncertain, self.missing]
        texts = [text.strip().casefold() for kind in kinds for text in dict.fromkeys(kind)]
        twice = sorted({text for text in texts if texts.count(text) > 1})
        if twice:
            raise UsageError(f"The cell {twice[0]!r} cannot mean two things (positive, negative, uncertain, missing).")

    @property
    def delimiter(self) -> str | None:
        """What `chestxpert.cohort.textfiles.read_table` takes."""
        return {"auto": None, "tab": "\t"}.get(self.separator, self.separator)

    @property
    def named(self) -> dict[str, str]:
        """Finding of every label column or name in a list, in the order given."""
        return {**{label: label for label in self.labels}, **self.findings}


def read_columns(path: Path) -> CsvColumns:
    """CsvColumns from a YAML file.

    Raises
    ------
    UsageError
        With the key, what it got and what it takes.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The column file {path} cannot be read as text ({error}).") from error
    try:
        return build(CsvColumns, parse_yaml(text, str(path)), str(path))
    except RecipeError as error:  # says where already, but this is no recipe
        raise UsageError(str(error)) from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def from_options(
    format: str, path: Path | None, given: Mapping[str, str | None], labels: Sequence[str]
) -> CsvColumns | None:
    """CsvColumns from a YAML file (None: there is none) and what a command line says beside it.

    Parameters
    ----------
    format : str
        "csv", or a layout that is known and takes no columns.
    path : Path or None
    given : mapping of str to str or None
        Attributes by name; what is None or empty is not given.
    labels : sequence of str
        Label columns; ``COLUMN=FINDING`` gives a column's finding.

    Returns
    -------
    CsvColumns, or None if the format is not "csv"

    Raises
    ------
    UsageError
        If columns are named for another format, or what is named cannot be right.
    """
    named = {key: value for key, value in given.items() if value}
    if format != "csv":
        own = [key for key in named if key != "table"] + ["label columns"] * bool(labels) + ["YAML"] * bool(path)
        if own or (named and format == "nih"):
            raise UsageError(
                f"Columns are for '--format csv'; {format}'s layout is known. Leave out {', '.join(own or named)}, "
                "or say '--format csv'."
            )
        return None
    values: dict[str, Any] = {} if path is None else dataclasses.asdict(read_columns(path))
    if labels:
        renamed = [label.rpartition("=") for label in labels]
        values |= {
            "labels": (),
            "findings": {column or finding: finding for column, _, finding in renamed},
            "map": None,
        }
    if named.get("map"):
        values |= {"labels": (), "findings": {}}
    return CsvColumns(**{"image": "", **values, **named})


def filled_in(template: str, table: TextTable) -> Callable[[Sequence[str]], str]:
    """Function that gives the text of a column, or of a template such as ``{subject}/{id}.png``, for a row of cells.

    Raises
    ------
    UsageError
        If the template is no such thing.
    DataError
        If the table lacks a column.
    """
    if "{" not in template:
        position = table.required((template,))
        return lambda cells: cells[position].strip()
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"{template!r} is no template: {error}. Write columns in braces: '{{id}}.png'.") from error
    if any(spec or conversion for _, _, spec, conversion in pieces):
        raise UsageError(f"{template!r}: only a column's name may stand between braces.")
    parts = [(text, None if name is None else table.required((name,))) for text, name, _, _ in pieces]

    def fill(cells: Sequence[str]) -> str:
        filled = [(text, "" if position is None else cells[position].strip()) for text, position in parts]
        # A cell that is empty leaves no name at all, rather than half of one.
        if any(position is not None and not cell for (_, cell), (_, position) in zip(filled, parts, strict=True)):
            return ""
        return "".join(text + cell for text, cell in filled)

    return fill
