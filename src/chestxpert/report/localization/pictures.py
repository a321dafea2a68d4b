"""Examples: an image of the store under a map, the boxes, and the maximum. The one module here that reads pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from chestxpert.dataset import Dataset
from chestxpert.errors import ChestXpertError
from chestxpert.evaluation.localization.cases import Case, Cases
from chestxpert.evaluation.localization.detect import BoxRule, detected_boxes
from chestxpert.evaluation.localization.maps import HeatMaps, read_maps
from chestxpert.evaluation.localization.measure import resized
from chestxpert.evaluation.localization.usable import match
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.quality.thumbnail import thumbnail
from chestxpert.report.localization.stored import Stored
from chestxpert.report.scales import decimal
from chestxpert.streams import stream_seed

SIDE, QUALITY = 224, 70
BUDGET = 2_500_000
"""Bytes of all pictures of the page together."""

HEAT = np.array([247.0, 143.0, 88.0])
"""Red, green and blue of a map at its maximum, the page's second colour."""

THICKEST = 0.6


@dataclass(frozen=True)
class Shot:
    """One picture: image and map as a data URI, boxes as SVG shapes, and words for those who do not see it."""

    line: str
    uri: str
    shapes: Markup
    alt: str
    words: str


@dataclass(frozen=True)
class Example:
    """One case with a picture for each folder of maps."""

    finding: str
    image_id: str
    shots: list[Shot]


@dataclass(frozen=True)
class Examples:
    """What is shown, and why that is all."""

    examples: list[Example] = field(default_factory=list)
    note: str = ""


def draw_examples(stored: Stored, each: int, seed: int) -> Examples:
    """Pictures of a few cases of each finding, drawn at random: neither the best nor the worst.

    There are none where data set or maps have gone, cannot be read, or are not those that were measured.
    """
    result = stored.result
    folder = Path(result["data"]["folder"])
    if result["covers"] == "original" and not result["data"]["square"] and result["data"]["fit"] != "stretch":
        return Examples(note="The maps cover images that are not square, the store holds square ones: no pictures.")
    try:
        dataset = Dataset.load(folder)
        if (dataset.cohort.fingerprint, dataset.store.fingerprint) != (
            result["data"]["cohort"],
            result["data"]["store"],
        ):
            return Examples(note=f"{folder} now holds another data set than was measured, so there are no pictures.")
        opened = [read_maps(result["maps"][name]["place"]) for name in stored.names]
        return _draw(stored, dataset, opened, each, seed)
    except (ChestXpertError, OSError) as error:
        return Examples(note=f"Data set or maps cannot be read, so there are no pictures: {error}")


def _draw(stored: Stored, dataset: Dataset, opened: Sequence[HeatMaps], each: int, seed: int) -> Examples:
    cases = _choose(stored, Cases.of(dataset, stored.result["split"], stored.result["covers"]).measured, each, seed)
    rows = [match(maps, cases, dataset.cohort.label_space)[0] for maps in opened]
    examples: list[Example] = []
    used = 0
    for place, case in enumerate(cases):
        shots = [
            _shot(stored, dataset, case, maps, row)
            for maps, row in zip(opened, (rows_of[place] for rows_of in rows), strict=True)
            if row is not None
        ]
        used += sum(len(shot.uri) for shot in shots)
        if used > BUDGET:
            return Examples(examples, "Some pictures are left out, so that the page stays small.")
        examples.append(Example(case.finding.replace("_", " "), case.image_id, shots))
    return Examples(examples)


def _choose(stored: Stored, cases: Sequence[Case], each: int, seed: int) -> list[Case]:
    """Cases that were compared, `each` of every finding at most, in a random order that the seed decides."""
    compared = set(zip(stored.cases["image_id"], stored.cases["finding"], strict=True))
    chosen = []
    for finding in stored.result["findings"]:
        there = [case for case in cases if case.finding == finding and case.key in compared]
        order = np.random.default_rng(stream_seed(seed, "localization examples", finding)).permutation(len(there))
        chosen += [there[place] for place in order[:each]]
    return chosen


def _shot(stored: Stored, dataset: Dataset, case: Case, maps: HeatMaps, row: int) -> Shot:
    settings = stored.result["settings"]
    heat = resized(maps.read(row), settings["side"])
    detected = detected_boxes(heat, BoxRule.parse(settings["rule"]))
    image = thumbnail(dataset.store, dataset.store.row(case.image_id), SIDE)
    values = _values(stored, case, maps.name)
    words = f"maximum {_where(values['pointing'])}, best IoU {decimal(values['iou'], 2)}"
    kind = "Drawing, no radiograph," if dataset.cohort.simulated else "Radiograph"
    alt = f"{kind} {case.image_id} with a map of {case.finding.replace('_', ' ')} by {maps.name}: {words}"
    return Shot(maps.name, _uri(_blend(image, heat)), _shapes(case.boxes, detected, heat), alt, words)


def _values(stored: Stored, case: Case, line: str) -> dict[str, Any]:
    table = stored.cases
    inside = (table["image_id"] == case.image_id) & (table["finding"] == case.finding) & (table["line"] == line)
    return dict(table[inside].iloc[0])


def _where(pointing: float) -> str:
    return "inside" if pointing == 1 else "outside" if pointing == 0 else "partly inside"


def _blend(image: npt.NDArray[np.uint8], heat: FloatArray) -> npt.NDArray[np.uint8]:
    """The grey image under the map's positive part, the denser the nearer to the maximum."""
    highest = float(heat.max())
    share = np.clip(heat / highest, 0.0, 1.0) if highest > 0 else np.zeros_like(heat)
    size = (image.shape[1], image.shape[0])
    cover = np.asarray(Image.fromarray(share.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    weight = (THICKEST * cover)[..., np.newaxis]
    return np.asarray(np.rint(image[..., np.newaxis] * (1 - weight) + HEAT * weight), dtype=np.uint8)


def _uri(picture: npt.NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _shapes(truth: FloatArray, detected: FloatArray, heat: FloatArray) -> Markup:
    """True boxes, detected ones and the maxima in hundredths of the frame."""
    shapes = [
        Markup('<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>').format(
            kind, *(100 * value for value in (left, top, right - left, bottom - top))
        )
        for kind, boxes in (("detected", detected[:MOST_SHAPES]), ("truth", truth))
        for left, top, right, bottom in boxes
    ]
    rows, columns = np.nonzero(heat == heat.max())
    shapes += [
        Markup('<circle class="maximum" cx="{:.2f}" cy="{:.2f}" r="2"/>').format(
            100 * (column + 0.5) / heat.shape[1], 100 * (row + 0.5) / heat.shape[0]
        )
        for row, column in list(zip(rows, columns, strict=True))[:MOST_SHAPES]
    ]
    return Markup("").join(shapes)


MOST_SHAPES = 40
"""Of a map of noise: beyond so many boxes a picture shows nothing any more."""
