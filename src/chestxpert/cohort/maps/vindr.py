"""VinDr-CXR: 18,000 PA radiographs of two hospitals in Hanoi, read by radiologists against a list of 28 labels.

Sources: Nguyen et al., VinDr-CXR, Scientific Data 9:429, 2022, and physionet.org/content/vindr-cxr/1.0.0.
``image_labels_train.csv`` has three rows an image, one a reader (``image_id``, ``rad_id``, 28 columns of 0 and 1);
``image_labels_test.csv`` one row, the consensus of five. Since readers went through a list, 0 means not seen. The files
name no patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chestxpert.cohort.csv_columns import CsvColumns
from chestxpert.cohort.csv_rules import LabelRules, Rule
from chestxpert.cohort.maps.layout import Layout, Tables, tables_by_split
from chestxpert.labels import NIH15, NO_FINDING

_SAME = "the same finding"

RULES: Mapping[str, Rule] = {
    "No finding": Rule((NO_FINDING,), why="none of the 28, so none of NIH's; Hernia is not asked and stays unknown"),
    "Atelectasis": Rule(("Atelectasis",), why=_SAME),
    "Cardiomegaly": Rule(("Cardiomegaly",), why=_SAME),
    "Consolidation": Rule(("Consolidation",), why=_SAME),
    "Edema": Rule(("Edema",), why=_SAME),
    "Emphysema": Rule(("Emphysema",), why=_SAME),
    "Infiltration": Rule(("Infiltration",), why=_SAME),
    "Nodule/Mass": Rule((), ("Mass", "Nodule"), why="two findings in one: 0 is neither, 1 does not say which"),
    "Pleural effusion": Rule(("Effusion",), why="NIH's Effusion is pleural effusion"),
    "Pleural thickening": Rule(("Pleural_Thickening",), why=_SAME),
    "Pneumonia": Rule(("Pneumonia",), why="a suspected diagnosis here"),
    "Pneumothorax": Rule(("Pneumothorax",), why=_SAME),
    "Pulmonary fibrosis": Rule(("Fibrosis",), why="NIH's Fibrosis is of the lung"),
}

UNUSED: Mapping[str, str] = {
    "Lung Opacity": "any opacity: not NIH's Infiltration, which VinDr-CXR has under its own name",
    "ILD": "interstitial disease, of which fibrosis is one, asked for by its own name",
    "COPD": "a diagnosis; emphysema is asked for by its own name",
    "Lung tumor": "a diagnosis; the finding is Nodule/Mass",
    **dict.fromkeys(
        ("Aortic enlargement", "Calcification", "Clavicle fracture", "Enlarged PA", "Lung cavity", "Lung cyst",
         "Mediastinal shift", "Rib fracture", "Other lesion", "Tuberculosis", "Other diseases"),
        "not among NIH's findings",
    ),
}  # fmt: skip

_TABLES = {"image_labels_train.csv": "train", "image_labels_test.csv": "test"}


def _tables(folder: Path, only: str) -> Tables:
    inner = folder / "annotations"
    return tables_by_split(inner if inner.is_dir() else folder, _TABLES, "VinDr-CXR", only)


LAYOUT = Layout(
    name="vindr-cxr",
    title="VinDr-CXR 1.0.0",
    citation="Nguyen et al., VinDr-CXR, Scientific Data 9:429, 2022",
    rules=LabelRules(NIH15, RULES, UNUSED),
    columns=CsvColumns(image="image_id", patient="image_id", name="vindr-cxr", map="vindr-cxr", repeated="vote"),
    tables=_tables,
    without_patients=True,
)
