"""Files of a simulated cohort: NIH's tables, and papers that say it is simulated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chestxpert.labels import NO_FINDING
from chestxpert.simulator.canvas import Box
from chestxpert.simulator.drawing import NOTICE, image_id
from chestxpert.simulator.population import Population
from chestxpert.simulator.render import Scene

ENTRY_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"  # malformed as NIH's own is
BOX_SPACE = 1024  # NIH's boxes are in pixels of its 1024 px images, whatever the size here
# Sizes of the detectors that NIH's images came from, by view: width, height, spacing in mm
_DETECTORS = {"PA": "2992,2991,0.143,0.143", "AP": "2500,2048,0.168,0.168"}


def _cell(labels: Sequence[str]) -> str:
    return "|".join(labels) or NO_FINDING


def _entry(scene: Scene, labels: Sequence[str]) -> str:
    return (
        f"{image_id(scene)},{_cell(labels)},{scene.follow_up},{scene.patient},{scene.age},{scene.sex},"
        f"{scene.view},{_DETECTORS[scene.view]}"
    )


def _lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii", newline="\n")


def write_tables(folder: Path, population: Population, boxes: Sequence[tuple[str, str, Box]]) -> None:
    """Write label table, lists and boxes.

    Parameters
    ----------
    folder : Path
        Exists.
    population : Population
        Whose labels (not the truth) go into the table.
    boxes : sequence of tuple
        image_id, finding, and box in fractions of the image side.
    """
    pairs = zip(population.scenes, population.labels, strict=True)
    rows = [_entry(scene, labels) for scene, labels in pairs]
    _lines(folder / "Data_Entry_2017_v2020.csv", [ENTRY_HEADER, *rows])
    names = [image_id(scene) for scene in population.scenes]
    for file, side in (("train_val_list.txt", False), ("test_list.txt", True)):
        listed = [name for name, test in zip(names, population.in_test, strict=True) if test is side]
        _lines(folder / file, listed)
    _lines(folder / "BBox_List_2017.csv", [BOX_HEADER, *(_box_row(*box) for box in boxes)])


def _box_row(name: str, finding: str, box: Box) -> str:
    written = "Infiltrate" if finding == "Infiltration" else finding  # as NIH's box table spells it
    return ",".join([name, written, *(f"{value * BOX_SPACE:.3f}" for value in box)])


def write_papers(folder: Path, population: Population, facts: Mapping[str, Any]) -> None:
    """Write simulation.json (`facts`, and the truth before label noise) and README.txt."""
    truth = {image_id(scene): list(scene.findings) for scene in population.scenes}
    papers = {"schema": 1, "simulated": True, "notice": NOTICE, **facts, "truth": truth}
    (folder / "simulation.json").write_text(json.dumps(papers, indent=1) + "\n", encoding="ascii")
    (folder / "README.txt").write_text(_README, encoding="ascii")


_README = f"""{NOTICE}

The images in this folder were drawn by a program to test and teach software. They show no patient, they are no
radiographs, and nothing measured on them says anything about radiographs. The letters SIM are burnt into the
lower left corner of each image.

The layout is that of NIH's ChestX-ray14, so that whatever reads one reads the other. It is not NIH's data.
simulation.json holds the arguments the folder was made with and, image by image, the findings truly drawn;
Data_Entry_2017_v2020.csv holds the labels, which differ from them where label noise was asked for.
"""
