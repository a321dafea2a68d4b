"""One reading of all pixels, from which every check of images takes what it needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chestxpert.pixels.store import ImageStore
from chestxpert.progress import SILENT, Progress
from chestxpert.quality.areas import area_averages, pieces, read_images
from chestxpert.quality.phash import phash

GRID, POSE_GRID = 32, 16
_SAMPLES = 28  # along a side: enough to see whether one grey level fills an image


@dataclass(frozen=True, eq=False)
class Scan:
    """What is kept of N images: some 320 bytes each, whatever their size.

    Parameters
    ----------
    digests : bytes array of shape (N,)
        SHA-256 of the stored pixels.
    deviations : float32 array of shape (N,)
        Standard deviation over the means of 32 x 32 areas, in grey levels: noise does not count.
    level_shares : float32 array of shape (N,)
        Share of the most frequent grey level among some 800 pixels on a grid.
    hashes : uint8 array of shape (N, 32)
        Perceptual hash, see `chestxpert.quality.phash.phash`.
    thumbs : uint8 array of shape (N, 16, 16)
        Area averages.
    """

    digests: npt.NDArray[np.bytes_]
    deviations: npt.NDArray[np.float32]
    level_shares: npt.NDArray[np.float32]
    hashes: npt.NDArray[np.uint8]
    thumbs: npt.NDArray[np.uint8]


def scan(store: ImageStore, rows: npt.NDArray[np.int64], progress: Progress = SILENT) -> Scan:
    """Read the given rows of a store once, a few megabytes at a time."""
    count = len(rows)
    digests = np.empty(count, dtype="V32")
    deviations, shares = np.empty(count, np.float32), np.empty(count, np.float32)
    hashes, thumbs = np.empty((count, 32), np.uint8), np.empty((count, POSE_GRID, POSE_GRID), np.uint8)
    with progress.bar("checking images", count) as tick:
        for part in pieces(count, store.size):
            images = read_images(store, rows[part])
            areas = area_averages(images, GRID)
            digests[part] = [np.void(hashlib.sha256(image).digest()) for image in images]
            deviations[part] = areas.std(axis=(1, 2))
            shares[part] = _level_shares(images)
            hashes[part] = phash(areas)
            thumbs[part] = area_averages(areas, POSE_GRID).round()
            tick(len(images))
    return Scan(digests, deviations, shares, hashes, thumbs)


def _level_shares(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Share of the most frequent of 256 grey levels among pixels on a grid, for each image."""
    step = max(1, images.shape[1] // _SAMPLES)
    levels = images[:, ::step, ::step].reshape(len(images), -1).astype(np.int64)
    levels += 256 * np.arange(len(images))[:, None]
    counts = np.bincount(levels.ravel(), minlength=256 * len(images)).reshape(len(images), 256)
    return np.asarray(counts.max(axis=1) / levels.shape[1], dtype=np.float32)
