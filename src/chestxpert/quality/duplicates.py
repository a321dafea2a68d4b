"""The same radiograph twice: within a patient, across patients, across splits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.table import Cohort
from chestxpert.pixels.store import ImageStore
from chestxpert.progress import SILENT, Progress
from chestxpert.quality.areas import area_averages, pieces, read_images
from chestxpert.quality.phash import BITS, close_pairs
from chestxpert.quality.remarks import about_check, remarks
from chestxpert.quality.same_picture import SIDE, agreement, details
from chestxpert.quality.scan import Scan

RADIUS = 56
"""Bits of 255 in which the hashes of one radiograph may differ; a crop of 2 % changes up to 60, JPEG up to 18."""
WHOLE, MOST = 0.9, 0.97
"""Share of detail that two copies explain of each other: of all of it, or without the twentieth that fits worst.

Two exposures of one patient reach 0.80 and 0.90."""

_LIMIT = 30_000  # pairs that are compared in detail, the closest first
_AT_ONCE = 64
_KEPT = 300  # images whose details are kept, of 72 kB each

Pairs = npt.NDArray[np.int64]


def exact_duplicates(cohort: Cohort, scan: Scan, usable: npt.NDArray[np.bool_]) -> tuple[pd.DataFrame, Pairs]:
    """Remarks on images with the same stored pixels, and their pairs; every later one is paired with the first.

    Parameters
    ----------
    cohort : Cohort
        N images.
    scan : Scan
        Of the same images, in the same order.
    usable : bool array of shape (N,)
        Images to be compared; blank ones are all alike and are not.
    """
    rows = np.flatnonzero(usable)
    _, first, group = np.unique(scan.digests[rows].view("S32"), return_index=True, return_inverse=True)
    partner = first[group.ravel()]
    later = partner != np.arange(len(rows))
    pairs = np.stack([rows[partner[later]], rows[later]], axis=1)
    size = "their stored pixels are the same"
    return _remarks("exact-duplicate", cohort, pairs, np.ones(len(pairs)), [size] * len(pairs)), pairs


def near_duplicates(
    cohort: Cohort,
    store: ImageStore,
    scan: Scan,
    usable: npt.NDArray[np.bool_],
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """Remarks on pairs that are one radiograph but for compression, exposure or a slight crop.

    Pairs whose hashes are close are looked at in detail; of images with the same pixels, only the first takes part.

    Parameters
    ----------
    cohort, store, scan, usable, progress
        See `exact_duplicates`; the store holds every image of the cohort.
    """
    if store.size < SIDE:
        return about_check(
            "near-duplicate", f"Not made: the stored images are {store.size} px, and telling copies needs {SIDE}."
        )
    rows = np.flatnonzero(usable)
    pairs, distances = close_pairs(scan.hashes[rows], RADIUS, _LIMIT)
    places = store.rows(cohort.image_ids)[rows]
    values = _agreements(store, places, pairs, progress)
    same = (values >= (WHOLE, MOST)).any(axis=1)
    sentences = [
        f"they agree in {whole:.3f} of their detail, {most:.3f} but for the twentieth that fits worst, and in "
        f"{BITS - distance} of {BITS} bits of their hashes"
        for (whole, most), distance in zip(values[same], distances[same], strict=True)
    ]
    found = _remarks("near-duplicate", cohort, rows[pairs[same]], values[same, 1], sentences)
    if len(pairs) < _LIMIT:
        return found
    cut = about_check(
        "near-duplicate", f"Not in full: of many similar pairs only the closest {_LIMIT:,} were compared."
    )
    return pd.concat([cut, found], ignore_index=True)


def _agreements(
    store: ImageStore, places: npt.NDArray[np.int64], pairs: Pairs, progress: Progress
) -> npt.NDArray[np.float32]:
    values = np.empty((len(pairs), 2), dtype=np.float32)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))  # pairs of one image together, so that it is read once
    kept: dict[int, npt.NDArray[np.float32]] = {}
    with progress.bar("comparing similar images", len(pairs), "pair") as tick:
        for start in range(0, len(pairs), _AT_ONCE):
            part = order[start : start + _AT_ONCE]
            _keep_details(kept, np.unique(pairs[part]), store, places)
            values[part] = [agreement(kept[first], kept[second]) for first, second in pairs[part].tolist()]
            tick(len(part))
    return values


def _keep_details(
    kept: dict[int, npt.NDArray[np.float32]],
    images: npt.NDArray[np.int64],
    store: ImageStore,
    places: npt.NDArray[np.int64],
) -> None:
    """Add the details of images to those kept; if these become too many, forget those that are not needed now."""
    new = np.array([image for image in images.tolist() if image not in kept], dtype=np.int64)
    if len(kept) + len(new) > _KEPT:
        for image in kept.keys() - set(images.tolist()):
            del kept[image]
    for part in pieces(len(new), store.size):
        averages = area_averages(read_images(store, places[new[part]]), SIDE)
        for image, found in zip(new[part].tolist(), details(averages), strict=True):
            kept[image] = found.copy()  # a view would hold on to those of all the others


def _remarks(
    check: str, cohort: Cohort, pairs: Pairs, values: npt.NDArray[np.floating], details: Iterable[str]
) -> pd.DataFrame:
    """Remarks on pairs, leaks first, then two patients, then one."""
    table, labels = cohort.table, cohort.labels()
    patients, splits = table["patient_id"].to_numpy(dtype=object), table["split"].to_numpy(dtype=object)
    first, second = pairs[:, 0], pairs[:, 1]
    where = [_where(patients[i], patients[j], splits[i], splits[j]) for i, j in pairs]
    differ = (labels[first] != labels[second]).any(axis=1)
    rank = np.array([rank for rank, _ in where], dtype=np.int64)
    sentences = [
        f"{place}: {detail}{'; their findings differ' if other else ''}."
        for (_, place), detail, other in zip(where, details, differ, strict=True)
    ]
    ids = cohort.image_ids
    found = remarks(check, ids[first], sentences, other=ids[second], value=values)
    return found.iloc[np.lexsort((second, first, rank))].reset_index(drop=True)


def _where(patient: str, other: str, split: str, other_split: str) -> tuple[int, str]:
    if split != other_split:
        return 0, f"Two splits ({split} and {other_split}), patients {patient} and {other}"
    if patient != other:
        return 1, f"Two patients ({patient} and {other}), both in {split}"
    return 2, f"One patient ({patient}), in {split}"
