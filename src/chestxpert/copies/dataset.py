"""A dataset folder with augmented copies as further training rows, for recipes to be trained on unchanged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chestxpert.cohort.table import SPLITS, Cohort
from chestxpert.copies.images import Progress
from chestxpert.copies.table import IMAGES, RECORD, CopyTable, read_copies
from chestxpert.dataset import Dataset
from chestxpert.errors import DataError
from chestxpert.files import write_json
from chestxpert.folders import check_free, made_aside
from chestxpert.pixels.decode import decode
from chestxpert.pixels.manifest import INDEX, MANIFEST, PIXELS, create_pixels, write_manifest
from chestxpert.pixels.store import ImageStore
from chestxpert.prepare import COHORT, INFO

_MADE_ANEW = (COHORT, INFO, PIXELS, INDEX, MANIFEST)
_AS_DECODED = {"bits": 8, "mode": "grey", "format": "png"}


def add_copies(
    dataset: str | Path | Dataset, copies: str | Path, out: str | Path, progress: Progress | None = None
) -> Cohort:
    """Make a dataset folder that has all images of another, and augmented copies as further training rows.

    The rows of the other come first and keep their labels, their place and their pixels, byte for byte, validation
    and test among them. A copy has patient, labels (known and unknown), view, sex, age and source of its origin.
    Boxes are those of the originals: a copy's would lie elsewhere.

    Parameters
    ----------
    dataset : str, Path or Dataset
        The data set that the copies were made from.
    copies : str or Path
        Folder made by `oversample_to_disk`.
    out : str or Path
        Folder to make; must not exist, or be empty. Written aside and renamed when whole.
    progress : callable, optional
        Called as progress(done, total) while the copies are read.

    Returns
    -------
    Cohort
        Of the new folder.

    Raises
    ------
    DataError
        If the copies were made from another data set, one of them cannot be read, or `out` is in the way.
    """
    data = dataset if isinstance(dataset, Dataset) else Dataset.load(dataset)
    copies, out = Path(copies), Path(out)
    check_free(out)
    table, record = read_copies(copies), _read_record(copies)
    _check_same_data(data, record, copies)
    cohort = _with_copies(data.cohort, table)
    with made_aside(out) as folder:
        _write_store(data.store, table, copies / IMAGES, folder, progress)
        for path in data.folder.iterdir():  # boxes, rejects and whatever else is said about the originals
            if path.is_file() and path.name not in _MADE_ANEW and not path.name.startswith("."):
                shutil.copyfile(path, folder / path.name)
        cohort.save(folder / COHORT)
        write_json(folder / INFO, _info(data, cohort, record, folder))
    return cohort


def _read_record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        record["dataset"]["cohort"], record["dataset"]["store"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / RECORD} does not say what the copies were made from ({error!r}). Write them again with "
            "'chestxpert data oversample'."
        ) from error
    return dict(record)


def _check_same_data(data: Dataset, record: dict[str, Any], copies: Path) -> None:
    now = {"cohort": data.cohort.fingerprint, "store": data.store.fingerprint}
    other = [what for what, fingerprint in now.items() if record["dataset"][what] != fingerprint]
    if other:
        raise DataError(
            f"The copies in {copies} were made from a data set with another {' and '.join(other)} than {data.folder}. "
            "Write copies of this one."
        )


def _with_copies(cohort: Cohort, table: CopyTable) -> Cohort:
    """Cohort with a row for each copy at its end; CohortError if an origin is not in train."""
    places = pd.Index(cohort.image_ids).get_indexer(pd.Index(table.origins))
    if (places < 0).any():
        missing = table.origins[int(np.flatnonzero(places < 0)[0])]
        raise DataError(f"The copies name the origin '{missing}', which is not in the data set. Write them again.")
    rows = cohort.table.iloc[places].copy()
    rows["image_id"], rows["origin"] = list(table.ids), list(table.origins)
    return Cohort(pd.concat([cohort.table, rows], ignore_index=True), cohort.label_space)


def _write_store(store: ImageStore, table: CopyTable, images: Path, folder: Path, progress: Progress | None) -> None:
    """Write the pixels of `store` byte for byte, those of the copies behind them, the index and the manifest."""
    size = store.size
    create_pixels(folder, len(store) + len(table), size)  # refuses a disk that is too small
    with (folder / PIXELS).open("r+b") as file:
        with (store.folder / PIXELS).open("rb") as before:
            shutil.copyfileobj(before, file, 1 << 20)
        for done, name in enumerate(table.ids, start=1):
            image = decode(images / name)
            if image.shape != (size, size):
                raise DataError(f"{images / name} has {image.shape} pixels, not {size} x {size}. Write it again.")
            file.write(image.tobytes())
            if progress is not None:
                progress(done, len(table))
    added = pd.DataFrame({"image_id": list(table.ids), "width": size, "height": size, **_AS_DECODED})
    index = pd.concat([store.index, added.reindex(columns=store.index.columns)], ignore_index=True)
    write_manifest(folder, index, store.preprocess, str(store.manifest["source"]))


def _info(data: Dataset, cohort: Cohort, record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Contents of ``dataset.json``: what it said, the new counts, and how the copies were made."""
    return {
        **data.info,
        "images": {split: len(cohort.rows(split)) for split in SPLITS},
        "fingerprints": {"cohort": cohort.fingerprint, "store": ImageStore.open(folder).fingerprint},
        "oversample": record,
    }
