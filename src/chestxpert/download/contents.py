"""What the label files must hold, whatever their exact bytes: the check for a copy whose MD5 nobody has recorded.

The numbers are the counts of ChestX-ray14 with the labels of 2020.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter

IMAGES, PATIENTS = 112_120, 30_805
FINDINGS = {
    "No Finding": 60_361, "Infiltration": 19_894, "Effusion": 13_317, "Atelectasis": 11_559, "Nodule": 6_331,
    "Mass": 5_782, "Pneumothorax": 5_302, "Consolidation": 4_667, "Pleural_Thickening": 3_385, "Cardiomegaly": 2_776,
    "Emphysema": 2_516, "Edema": 2_303, "Fibrosis": 1_686, "Pneumonia": 1_431, "Hernia": 227,
}  # fmt: skip
"""Images that carry each finding. Those of 2017 differ: their Pneumonia is 1,353."""
BOXES, BOXED_IMAGES = 984, 880
BOXED_FINDINGS = {
    "Atelectasis": 180, "Effusion": 153, "Cardiomegaly": 146, "Infiltrate": 123, "Pneumonia": 120, "Pneumothorax": 98,
    "Mass": 85, "Nodule": 79,
}  # fmt: skip

_NAME = re.compile(r"(\d{8})_\d{3}\.png")


def list_problem(text: str, images: int, patients: int) -> str | None:
    """What is wrong with a list of `images` names from `patients` patients, as a clause; None if nothing is."""
    return _names_problem([line.strip() for line in text.splitlines() if line.strip()], images, patients)


def entries_problem(text: str) -> str | None:
    """What is wrong with the label table of 2020, as a clause; None if nothing is."""
    rows = _rows(text)
    if rows[:1] and rows[0][:2] != ["Image Index", "Finding Labels"]:
        return f"its header begins with {','.join(rows[0])[:60]!r}"
    if problem := _names_problem([row[0] for row in rows[1:]], IMAGES, PATIENTS):
        return problem
    return _counts_problem(Counter(name for row in rows[1:] for name in row[1].split("|")), FINDINGS)


def boxes_problem(text: str) -> str | None:
    """What is wrong with the list of boxes, as a clause; None if nothing is."""
    rows = _rows(text)[1:]
    if len(rows) != BOXES:
        return f"it holds {len(rows)} boxes, expected {BOXES}"
    if bad := next((row for row in rows if not _is_box(row)), None):
        return f"it has a row that is no box: {','.join(bad)[:80]!r}"
    names = {row[0] for row in rows}
    if len(names) != BOXED_IMAGES:
        return f"its boxes are on {len(names)} images, expected {BOXED_IMAGES}"
    return _counts_problem(Counter(row[1] for row in rows), BOXED_FINDINGS)


def _rows(text: str) -> list[list[str]]:
    """Cells, stripped, of the lines that hold any; a line with one cell gets a second, empty one."""
    try:
        read = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    except csv.Error:
        return []
    return [row if len(row) > 1 else [*row, ""] for row in read if any(row)]


def _is_box(row: list[str]) -> bool:
    try:
        sides = [float(cell) for cell in row[2:6]]
    except ValueError:
        return False
    return len(sides) == 4 and all(map(math.isfinite, sides)) and _NAME.fullmatch(row[0]) is not None


def _names_problem(names: list[str], images: int, patients: int) -> str | None:
    if bad := next((name for name in names if not _NAME.fullmatch(name)), None):
        return f"it has a line that is no image name: {bad[:60]!r}"
    if len(names) != images or len(set(names)) != images:
        return f"it holds {len(names)} image names, {len(set(names))} of them different, expected {images}"
    found = len({name.partition("_")[0] for name in names})
    return None if found == patients else f"its images are of {found} patients, expected {patients}"


def _counts_problem(counts: Counter[str], expected: dict[str, int]) -> str | None:
    for name in (*expected, *sorted(counts.keys() - expected.keys())):
        if counts[name] != expected.get(name, 0):
            return f"it has {counts[name]} times {name[:40]!r}, expected {expected.get(name, 0)}"
    return None
