"""Labels of another source for a study's images, read from any table that a dataset can be prepared from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.image_names import ImageNames, path_parts, without_suffix
from chestxpert.cohort.nih import read_entry_table
from chestxpert.cohort.table import Cohort, label_array, make_table
from chestxpert.errors import DataError, UsageError
from chestxpert.labels import NIH15, LabelSpace
from chestxpert.prepare.tables import Format, read_tables
from chestxpert.study.plan import COHORT

OTHER_LABELS = "other_labels.parquet"


@dataclass(frozen=True, eq=False)
class OtherLabels:
    """What another source says of a cohort's images.

    Parameters
    ----------
    cohort : Cohort
        The images of both, in the study's order with its patients and sides, and the other source's labels.
    strangers : int
        Rows of the other source that are none of the study's images.
    unclear : int
        Rows that could be several of them, or one that an earlier row is already.
    refused : int
        Rows that the table's reader could not use.
    """

    cohort: Cohort
    strangers: int
    unclear: int
    refused: int


def add_other_labels(study: Path, source: Path, form: Format, label_space: LabelSpace = NIH15) -> OtherLabels:
    """Read another source's labels and store those of the study's images beside the study's cohort.

    Parameters
    ----------
    study : Path
        Folder of a study.
    source : Path
        The label table, or the folder that holds it.
    form : Format
        Whose layout it has.
    label_space : LabelSpace
        For NIH's and NIH-CXR-LT's own tables.

    Raises
    ------
    DataError
        If the table cannot be read, or has none of the study's images or none of its findings.
    """
    cohort = Cohort.load(study / COHORT)
    kind, space, frame, refused = _read(source, form, label_space)
    if not any(label in space for label in cohort.label_space.findings):
        raise DataError(
            f"{source} names no finding of this study. It has {', '.join(space.findings)}; the study has "
            f"{', '.join(cohort.label_space.findings)}. Rename columns: COLUMN=FINDING."
        )
    matched = match_images(cohort, frame["image_id"].to_list())
    found = matched[matched >= 0]
    if not len(found):
        raise DataError(
            f"{source} has none of the study's images. It names them like {frame['image_id'].iloc[0]!r}, the study "
            f"like {str(cohort.image_ids[0])!r}. Which column has the image's name?"
            if len(frame)
            else f"{source} has no usable row."
        )
    first, place = np.unique(matched, return_index=True)
    place = place[first >= 0]
    other = _cohort_of(cohort, matched[place], frame.iloc[place], space, kind)
    other.save(study / OTHER_LABELS)
    return OtherLabels(
        other, int((matched == _STRANGER).sum()), int((matched == _UNCLEAR).sum()) + len(found) - len(place), refused
    )


def stored_other_labels(study: Path) -> Cohort | None:
    """What `add_other_labels` stored in a study, or None."""
    path = study / OTHER_LABELS
    return Cohort.load(path) if path.is_file() else None


_STRANGER, _UNCLEAR = -1, -2


def match_images(cohort: Cohort, names: list[str]) -> npt.NDArray[np.int64]:
    """Row of the cohort for each name of another table; -1 for a stranger, -2 where several rows fit.

    Names may differ in suffix and in how many folders stand before the file, on either side. Augmented copies are
    nobody's: another source labels images, not copies.
    """
    own = {
        str(name): row
        for row, (name, origin) in enumerate(zip(cohort.image_ids, cohort.table["origin"], strict=True))
        if not origin
    }
    ours = ImageNames(own)
    ends: dict[str, list[int]] = {}
    for name, row in own.items():
        parts = path_parts(name)
        for start in range(len(parts)):
            ends.setdefault(without_suffix("/".join(parts[start:])), []).append(row)
    rows = []
    for asked in names:
        # A table may say more of an image's place than the study does, or less.
        whole = without_suffix("/".join(path_parts(asked)))
        fitting = [own[found] for found in ours.match(asked)] or ends.get(whole, [])
        rows.append(fitting[0] if len(fitting) == 1 else _UNCLEAR if fitting else _STRANGER)
    return np.array(rows, dtype=np.int64)


def _cohort_of(
    cohort: Cohort, rows: npt.NDArray[np.int64], frame: pd.DataFrame, space: LabelSpace, kind: str
) -> Cohort:
    known = np.column_stack([frame[label].notna().to_numpy() for label in space.labels])
    table = make_table(
        cohort.image_ids[rows],
        cohort.patients[rows],
        label_array(frame, space),
        space,
        known=known,
        split=cohort.table["split"].to_numpy()[rows],
        source=kind,
    )
    return Cohort(table, space)


def _read(source: Path, form: Format, label_space: LabelSpace) -> tuple[str, LabelSpace, pd.DataFrame, int]:
    """Name of the source, label space, rows, and how many rows could not be used."""
    if not source.exists():
        raise DataError(f"There is no {source}. Name the other label table, or the folder that holds it.")
    if source.is_dir():
        read = read_tables([source], form, label_space, "random").source
        return read.kind, read.label_space, read.frame, len(read.rejects)
    if form.name == "nih":
        if label_space.name != NIH15.name:
            raise UsageError("NIH-CXR-LT's tables belong together: name the folder that holds them.")
        table = read_entry_table(source, label_space)
        return source.name.partition(".")[0], label_space, table.frame, len(table.rejects)
    # The readers look for a table in a folder, by name or pattern.
    if form.columns is not None:
        form = replace(form, columns=replace(form.columns, table=source.name))
    else:
        form = replace(form, table=source.name)
    read = read_tables([source.parent], form, label_space, "random").source
    return read.kind, read.label_space, read.frame, len(read.rejects)
