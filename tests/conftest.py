"""Fixtures shared by all tests: the real data where it is there, and a tiny folder in NIH's layout."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestxpert.labels import LabelSpace

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

_TINY_FINDINGS = ("Effusion", "Infiltration", "Atelectasis", "Pleural_Thickening", "Mass", "Hernia")
_TINY_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def _shared(name: str) -> Path:
    folder = _SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def nih_sample() -> Path:
    """1,666 real radiographs in NIH's layout; skips where they are missing."""
    return _shared("nih-sample")


@pytest.fixture(scope="session")
def nih_tables() -> Path:
    """NIH's full label tables; skips where they are missing."""
    return _shared("nih-tables")


@pytest.fixture(scope="session")
def nih_originals() -> Path:
    """Real radiographs as NIH ships them, 1024 px; skips where they are missing."""
    return _shared("nih-originals")


@pytest.fixture(scope="session")
def tiny_nih(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 noise images of 40 patients, 32 px, in NIH's exact layout; read only, copy it to change it."""
    folder = tmp_path_factory.mktemp("tiny-nih")
    rng = np.random.default_rng(20)
    (folder / "images").mkdir()
    rows, lists, boxes = [], {"train_val_list.txt": [], "test_list.txt": []}, []
    for patient in range(1, 41):
        for number in range(3):
            name = f"{patient:08d}_{number:03d}.png"
            present = rng.random(len(_TINY_FINDINGS)) < (0.3, 0.3, 0.25, 0.15, 0.15, 0.1)
            findings = [name for name, there in zip(_TINY_FINDINGS, present, strict=True) if there]
            view, sex = ("PA", "AP")[number % 2], "MF"[patient % 2]
            age = 20 + patient
            label = "|".join(findings) or "No Finding"
            rows.append([name, label, number, patient, age, sex, view, 2500, 2048, 0.171, 0.171])
            lists["test_list.txt" if patient > 30 else "train_val_list.txt"].append(name)
            if "Infiltration" in findings and patient > 30:
                boxes.append([name, "Infiltrate", 100.5, 200.25, 50, 60])
            pixels = rng.integers(0, 256, (32, 32), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name)
    with (folder / "Data_Entry_2017_v2020.csv").open("w", newline="") as file:
        file.write(_TINY_HEADER + "\n")
        csv.writer(file, lineterminator="\n").writerows(rows)
    with (folder / "BBox_List_2017.csv").open("w", newline="") as file:
        file.write("Image Index,Finding Label,Bbox [x,y,w,h],,,\n")
        csv.writer(file, lineterminator="\n").writerows(boxes)
    for name, members in lists.items():
        (folder / name).write_text("\n".join(members) + "\n")
    return folder


def _hide(labels: np.ndarray, space: LabelSpace, share: float, seed: int = 0) -> np.ndarray:
    """Which labels stay known when about `share` of them is hidden; a finding that is seen makes No Finding known."""
    known = np.random.default_rng(seed).random(labels.shape) >= share
    if space.no_finding is not None:
        findings = [space.index(name) for name in space.findings]
        known[:, space.index(space.no_finding)] |= (labels & known)[:, findings].any(axis=1)
    return known


@pytest.fixture(scope="session")
def hide() -> Callable[..., np.ndarray]:
    """`_hide` itself, for tests that need labels of which some are unknown."""
    return _hide


@pytest.fixture(scope="session")
def drawn_boxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset folder of 400 simulated images, 32 px, with the boxes of what was drawn; read only."""
    from chestxpert.dataset import prepare
    from chestxpert.simulator import simulate

    room = tmp_path_factory.mktemp("drawn-boxes")
    simulate(room / "drawn", images=400, size=32, seed=0, workers=1)
    prepare(room / "drawn", room / "data", size=32, workers=1)
    return room / "data"
