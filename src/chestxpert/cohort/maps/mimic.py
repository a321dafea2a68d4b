"""MIMIC-CXR-JPG: 377,110 radiographs of 65,379 patients of Beth Israel Deaconess Medical Center.

Sources: Johnson et al., MIMIC-CXR-JPG, arXiv:1901.07042, and physionet.org/content/mimic-cxr-jpg/2.1.0. Labels stand
in ``mimic-cxr-2.0.0-chexpert.csv.gz`` by study (``subject_id``, ``study_id``, 14 columns made by CheXpert's labeler),
views in ``...-metadata.csv.gz`` and sides in ``...-split.csv.gz`` by image (``dicom_id``). The files have neither sex
nor age; MIMIC-IV has. ``mimic-cxr-2.1.0-test-set-labeled.csv`` holds 687 test studies labelled by hand, by ``study_id``
alone; it can be read in place of the first.
"""

from __future__ import annotations

from pathlib import Path

from chestxpert.cohort.csv_columns import CsvColumns
from chestxpert.cohort.maps.chexpert import LABELER_RULES
from chestxpert.cohort.maps.layout import Layout, Tables, one_table
from chestxpert.cohort.textfiles import TextTable, find_file, read_table

_TITLE = "MIMIC-CXR-JPG"
_LABELS, _METADATA, _SPLIT = "mimic-cxr-*-chexpert.csv", "mimic-cxr-*-metadata.csv", "mimic-cxr-*-split.csv"
HEADER = ("dicom_id", "subject_id", "ViewPosition", "split")


def _tables(folder: Path, only: str) -> Tables:
    labels, metadata = one_table(folder, only or _LABELS, _TITLE), one_table(folder, _METADATA, _TITLE)
    split_path = find_file(folder, _SPLIT)
    sides = _by_key(read_table(split_path), "dicom_id", ("split",)) if split_path is not None else {}
    return [("", joined(labels, metadata, sides))]


def joined(labels: TextTable, metadata: TextTable, sides: dict[str, list[str]]) -> TextTable:
    """One row an image of `metadata`, with the labels of its study; a study without labels has empty cells.

    Parameters
    ----------
    labels, metadata : TextTable
    sides : dict of str to list of str
        The side of each image, by its ``dicom_id``; may be empty.
    """
    names = tuple(name for name in LABELER_RULES.rules if labels.column((name,)) is not None)
    if not names:
        labels.required((next(iter(LABELER_RULES.rules)),))
    of_study = _by_key(labels, "study_id", names)
    wanted = [metadata.required((name,)) for name in ("dicom_id", "subject_id", "study_id", "ViewPosition")]
    rows: list[tuple[int, list[str]]] = []
    for line, cells in metadata.rows:
        if len(cells) != len(metadata.header):
            rows.append((line, cells[:1]))  # refused later, as a row of another length
            continue
        image, subject, study, view = (cells[position].strip() for position in wanted)
        side = sides.get(image, [""])
        rows.append((line, [image, subject, view, *side, *of_study.get(study, [""] * len(names))]))
    return TextTable(metadata.path, (*HEADER, *names), rows)


def _by_key(table: TextTable, key: str, names: tuple[str, ...]) -> dict[str, list[str]]:
    """Cells of the columns `names` by the column `key`; the first row of a key counts."""
    place, places = table.required((key,)), [table.required((name,)) for name in names]
    found: dict[str, list[str]] = {}
    for _, cells in table.rows:
        if len(cells) == len(table.header):
            found.setdefault(cells[place].strip(), [cells[position] for position in places])
    return found


LAYOUT = Layout(
    name="mimic-cxr-jpg",
    title="MIMIC-CXR-JPG 2.0.0 and 2.1.0",
    citation="Johnson et al., MIMIC-CXR-JPG, arXiv:1901.07042",
    rules=LABELER_RULES,
    columns=CsvColumns(
        image="dicom_id",
        patient="subject_id",
        name="mimic-cxr-jpg",
        map="mimic-cxr-jpg",
        view="ViewPosition",
        split="split",
    ),
    tables=_tables,
)
