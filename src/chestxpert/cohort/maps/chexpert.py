"""CheXpert: 224,316 radiographs of 65,240 patients of Stanford Hospital, 14 observations mined from reports.

Sources: Irvin et al., CheXpert, AAAI 2019 (arXiv:1901.07031): table 1 and section 3; the labeler's phrase lists and its
rule for No Finding in github.com/stanfordmlgroup/chexpert-labeler (phrases/mention, stages/aggregate.py). In the
tables 1 is positive, 0 negative, -1 uncertain, and an empty cell was not mentioned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from chestxpert.cohort.csv_columns import CsvColumns
from chestxpert.cohort.csv_rules import LabelRules, Rule
from chestxpert.cohort.maps.layout import Layout, Tables, tables_by_split, with_column
from chestxpert.cohort.textfiles import TextTable
from chestxpert.labels import NIH15, NO_FINDING

_SAME = "the same finding under the same name"

RULES: Mapping[str, Rule] = {
    NO_FINDING: Rule(
        (NO_FINDING,),
        why="1 where no other observation (but Support Devices) is positive or uncertain; some of them NIH has not",
    ),
    "Cardiomegaly": Rule(("Cardiomegaly",), why=f"{_SAME}; uncertain too where a report says heart failure"),
    "Edema": Rule(("Edema",), why=_SAME),
    "Consolidation": Rule(("Consolidation",), why=_SAME),
    "Pneumonia": Rule(("Pneumonia",), why=f"{_SAME}; also 'infection', 'infectious process'"),
    "Atelectasis": Rule(("Atelectasis",), why=_SAME),
    "Pneumothorax": Rule(("Pneumothorax",), why=_SAME),
    "Pleural Effusion": Rule(("Effusion",), why="NIH's Effusion is pleural effusion"),
}

UNUSED: Mapping[str, str] = {
    "Enlarged Cardiomediastinum": "a wide mediastinum, of which a large heart is only one cause",
    "Lung Opacity": "any opacity, parent of Edema, Consolidation, Pneumonia and Atelectasis: not NIH's Infiltration",
    "Lung Lesion": "masses, nodules, lumps, cavities and tumours in one: neither Mass nor Nodule",
    "Pleural Other": "pleural thickening, but fibrosis and scars too: neither Pleural_Thickening nor Fibrosis",
    "Fracture": "not among NIH's findings",
    "Support Devices": "no finding",
}

LABELER_RULES = LabelRules(NIH15, RULES, UNUSED)
"""Also for MIMIC-CXR-JPG, whose labels the same labeler made."""

_TABLES = {"train.csv": "train", "valid.csv": "val", "test.csv": "test"}


def _view(table: TextTable, cells: Sequence[str]) -> str:
    """Lateral, or PA or AP; from the file's name where the table has no such columns (as in the test set's)."""
    side, projection = table.column(("Frontal/Lateral",)), table.column(("AP/PA",))
    if side is None:
        return "lateral" if "lateral" in cells[table.required(("Path",))].lower() else ""
    if cells[side].strip().casefold() == "lateral":
        return "lateral"
    return "" if projection is None else cells[projection]


def _tables(folder: Path, only: str) -> Tables:
    return [(split, _completed(table)) for split, table in tables_by_split(folder, _TABLES, "CheXpert", only)]


def _completed(table: TextTable) -> TextTable:
    """`table` with the column ``view``, and with ``Sex`` and ``Age`` even where it has none."""
    original = table
    table = with_column(table, "view", lambda cells: _view(original, cells))
    for name in ("Sex", "Age"):
        if table.column((name,)) is None:
            table = with_column(table, name, lambda cells: "")
    return table


LAYOUT = Layout(
    name="chexpert",
    title="CheXpert v1.0, also its small version",
    citation="Irvin et al., CheXpert, AAAI 2019",
    rules=LABELER_RULES,
    columns=CsvColumns(
        image="Path",
        patient="Path",
        patient_pattern=r"(patient\d+)",
        name="chexpert",
        map="chexpert",
        view="view",
        sex="Sex",
        age="Age",
    ),
    tables=_tables,
)
