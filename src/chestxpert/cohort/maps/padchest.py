"""PadChest: 160,868 radiographs of 67,625 patients of Hospital San Juan, Alicante; findings in a list a report.

Source: Bustos et al., PadChest, Medical Image Analysis 66, 2020 (arXiv:1901.07441), and its README. The column
``Labels`` of ``PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv`` holds a list as Python writes it, of 174
findings, 19 diagnoses and four words about the report itself. Labels form trees: who looks for a finding takes its
branch too, as the README asks. A report's list is whole, so what it does not name does not hold; localisations stand in
other columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from chestxpert.cohort.csv_columns import CsvColumns
from chestxpert.cohort.csv_rules import LabelRules, Rule
from chestxpert.cohort.maps.layout import Layout, Tables, one_table, with_column
from chestxpert.cohort.textfiles import TextTable
from chestxpert.labels import NIH15, NO_FINDING

_PATTERN = "PADCHEST_chest_x_ray_images_labels_160K*.csv"
_BRANCH = "by PadChest's own tree"
_BESIDE = "next to it in meaning, but not the same"


def _names(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys((name.strip() for name in names.split(",")), rule)


RULES: Mapping[str, Rule] = {
    "normal": Rule((NO_FINDING,), why="a report without findings"),
    **_names(
        "atelectasis, atelectasis basal, laminar atelectasis, lobar atelectasis, round atelectasis, "
        "segmental atelectasis, total atelectasis",
        Rule(("Atelectasis",), why=_BRANCH),
    ),
    "cardiomegaly": Rule(("Cardiomegaly",), why="the same finding"),
    **_names(
        "consolidation, air bronchogram",
        Rule(("Consolidation",), leaves_open=("Infiltration",), why="below infiltrates in that tree; NIH parts them"),
    ),
    "pulmonary edema": Rule(("Edema",), why="the same finding"),
    **_names("heart insufficiency, kerley lines", Rule(leaves_open=("Edema",), why=_BESIDE)),
    **_names(
        "pleural effusion, loculated pleural effusion, loculated fissural effusion, empyema, hemothorax",
        Rule(("Effusion",), why=_BRANCH),
    ),
    "hydropneumothorax": Rule(("Effusion", "Pneumothorax"), why=f"{_BRANCH}: both"),
    "costophrenic angle blunting": Rule(leaves_open=("Effusion", "Pleural_Thickening"), why="a sign of either"),
    "emphysema": Rule(("Emphysema",), why="the same finding"),
    **_names("copd signs, bullas, air trapping, hyperinflated lung", Rule(leaves_open=("Emphysema",), why=_BESIDE)),
    **_names(
        "pulmonary fibrosis, post radiotherapy changes, asbestosis signs", Rule(("Fibrosis",), why=_BRANCH)
    ),
    **_names("fibrotic band, chronic changes, tuberculosis sequelae", Rule(leaves_open=("Fibrosis",), why=_BESIDE)),
    "hiatal hernia": Rule(("Hernia",), why="NIH's Hernia, mostly hiatal"),
    **_names(
        "infiltrates, interstitial pattern, ground glass pattern, reticular interstitial pattern, "
        "reticulonodular interstitial pattern, miliary opacities, alveolar pattern",
        Rule(("Infiltration",), why=_BRANCH),
    ),
    **_names("mass, pulmonary mass", Rule(("Mass",), why="a mass, or one of the lung")),
    **_names(
        "pleural mass, mediastinal mass, breast mass, soft tissue mass",
        Rule(leaves_open=("Mass",), why="a mass outside the lung, which NIH's text miner may count"),
    ),
    **_names("nodule, multiple nodules", Rule(("Nodule",), why=_BRANCH)),
    **_names("granuloma, calcified granuloma", Rule(leaves_open=("Nodule",), why=_BESIDE)),
    "lung metastasis": Rule(leaves_open=("Mass", "Nodule"), why="seen as either"),
    **_names(
        "pleural thickening, apical pleural thickening, calcified pleural thickening",
        Rule(("Pleural_Thickening",), why=_BRANCH),
    ),
    **_names(
        "pleural plaques, calcified pleural plaques, fissure thickening, minor fissure thickening, "
        "major fissure thickening",
        Rule(leaves_open=("Pleural_Thickening",), why=_BESIDE),
    ),
    **_names("pneumonia, atypical pneumonia", Rule(("Pneumonia",), why=_BRANCH)),
    "pneumothorax": Rule(("Pneumothorax",), why="the same finding"),
    **_names(
        "unchanged, exclude, suboptimal study",
        Rule(leaves_open=NIH15.labels, why="the report's list is not whole, so only what it names counts"),
    ),
}  # fmt: skip

UNUSED: Mapping[str, str] = {
    "subcutaneous emphysema": "air under the skin: not NIH's Emphysema",
    "pseudonodule, nipple shadow, end on vessel": "what looks like a nodule and is none",
    "diaphragmatic eventration": "a high diaphragm: not NIH's Hernia",
    "all other names": "not among NIH's findings; counted when read, so that a new or misspelt name is seen",
}


def _age(table: TextTable, cells: Sequence[str]) -> str:
    """Age at the study: its year less the year of birth; empty where either is missing."""
    birth, study = (cells[table.required((name,))].strip()[:4] for name in ("PatientBirth", "StudyDate_DICOM"))
    return str(int(study) - int(birth)) if birth.isdecimal() and study.isdecimal() else ""


def _tables(folder: Path, only: str) -> Tables:
    table = one_table(folder, only or _PATTERN, "PadChest")
    return [("", with_column(table, "age", lambda cells: _age(table, cells)))]


LAYOUT = Layout(
    name="padchest",
    title="PadChest, 160K images, 01.02.19",
    citation="Bustos et al., PadChest, Medical Image Analysis 66, 2020",
    rules=LabelRules(NIH15, RULES, UNUSED),
    columns=CsvColumns(
        image="ImageID",
        patient="PatientID",
        name="padchest",
        map="padchest",
        label_list="Labels",
        view="Projection",
        views={"EXCLUDE": "lateral"},
        sex="PatientSex_DICOM",
        age="age",
    ),
    tables=_tables,
    closed=False,
)
