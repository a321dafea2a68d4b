"""Thumbnails of a study's images from the store of its data set: the one module of a study's page that reads pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from chestxpert.dataset import Dataset
from chestxpert.errors import ChestXpertError
from chestxpert.quality.thumbnail import thumbnail
from chestxpert.report.read import StudyFolder

SIDE = 112
QUALITY = 72
BUDGET = 1_400_000
"""Bytes of all pictures of a page together, as they stand in it; those beyond are left out."""


@dataclass(frozen=True)
class Pictures:
    """Data URIs by image id, or why there are none, or not all."""

    uris: dict[str, str] = field(default_factory=dict)
    note: str = ""


def pictures(study: StudyFolder, image_ids: Iterable[str]) -> Pictures:
    """Thumbnails of some images, grey JPEG of at most `SIDE` pixels.

    Parameters
    ----------
    study : StudyFolder
    image_ids : iterable of str
        The first come first, until `BUDGET` is used up.

    Returns
    -------
    Pictures
        Without any where the data set has gone, cannot be read, or is not the one that the study was run on.
    """
    named = str(study.settings.get("dataset") or "")
    if not named:
        return Pictures(note="The study does not say where its data set lies, so there are no pictures.")
    folder = Path(named)
    if not folder.is_dir():
        return Pictures(note=f"The data set {named} is not here any more, so there are no pictures.")
    try:
        dataset = Dataset.load(folder)
        if dataset.cohort.fingerprint != study.cohort.fingerprint or _other_pixels(study, dataset):
            return Pictures(note=f"{named} now holds another data set than this study was run on, so nothing is shown.")
        return _thumbnails(dataset, image_ids)
    except (ChestXpertError, OSError) as error:
        return Pictures(note=f"The data set {named} cannot be read, so there are no pictures: {error}")


def _other_pixels(study: StudyFolder, dataset: Dataset) -> bool:
    """Whether a run was made on pixels with another fingerprint; some runs do not record it."""
    runs = (run for seeds in study.runs.values() for run in seeds.values())
    told = {str(run.environment["pixels_fingerprint"]) for run in runs if run.environment.get("pixels_fingerprint")}
    return bool(told) and dataset.store.fingerprint not in told


def _thumbnails(dataset: Dataset, image_ids: Iterable[str]) -> Pictures:
    uris: dict[str, str] = {}
    used = 0
    for image_id in dict.fromkeys(image_ids):
        uri = _uri(dataset, image_id)
        if used + len(uri) > BUDGET:
            return Pictures(uris, "Some pictures are left out, so that the page stays small.")
        uris[image_id], used = uri, used + len(uri)
    return Pictures(uris)


def _uri(dataset: Dataset, image_id: str) -> str:
    row = int(dataset.store.rows([image_id])[0])
    file = io.BytesIO()
    Image.fromarray(thumbnail(dataset.store, row, SIDE)).save(file, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
