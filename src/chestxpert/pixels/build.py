"""Build an ImageStore from image files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.rejects import Reject
from chestxpert.errors import DataError
from chestxpert.pixels.manifest import PIXELS, create_pixels, write_manifest
from chestxpert.pixels.pool import Progress, decode_into
from chestxpert.pixels.preprocess import Preprocess

SUFFIXES = (".png", ".jpg", ".jpeg")


def find_images(folder: Path) -> tuple[dict[str, Path], list[Reject]]:
    """Image files at any depth below a folder, by file name.

    Returns
    -------
    images : dict of str to Path
        Sorted by name. Of several files with one name, the first by path.
    rejects : list of Reject
        The others of that name.
    """
    images: dict[str, Path] = {}
    rejects: list[Reject] = []
    for path in sorted(_walk(folder)):
        if path.name in images:
            used = images[path.name].relative_to(folder)
            rejects.append(Reject(path.name, "duplicate-image", f"{path.relative_to(folder)}; {used} is used"))
        else:
            images[path.name] = path
    return dict(sorted(images.items())), rejects


def _walk(folder: Path) -> Iterator[Path]:
    """Files with the name of an image, through linked folders too, each real folder once."""
    seen: set[str] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(root, name) for name in names if name.lower().endswith(SUFFIXES))


def walk_images(folder: Path) -> list[Path]:
    """Image files at any depth below a folder, in the order of their paths; names may repeat."""
    return sorted(_walk(folder.absolute()))


def build_store(
    images: Mapping[str, Path],
    folder: Path,
    preprocess: Preprocess,
    source: str,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Reject]:
    """Decode images into a store in an existing folder, in the order given.

    Parameters
    ----------
    images : mapping of str to Path
        Image id and file.
    folder : Path
        Where the store's three files are written; ``store.json`` last, so a folder without it is not whole.
    preprocess : Preprocess
        Size, and how to get there.
    source : str
        Where the images come from, for the manifest.
    workers, progress
        See `chestxpert.pixels.pool.decode_into`.

    Returns
    -------
    list of Reject
        Images that could not be decoded; the store does not have them.

    Raises
    ------
    DataError
        If no image could be decoded.
    StoreError
        If the store cannot be written.
    """
    ids = list(images)
    if not ids:
        raise DataError("There is no image to decode.")
    create_pixels(folder, len(ids), preprocess.size)
    results = decode_into(folder / PIXELS, list(images.values()), preprocess, workers, progress)
    sizes = {name: result for name, result in zip(ids, results, strict=True) if not isinstance(result, str)}
    rejects = [Reject(n, "undecodable", r) for n, r in zip(ids, results, strict=True) if isinstance(r, str)]
    if not sizes:
        raise DataError(f"None of the {len(ids)} images can be decoded. The first: {rejects[0].detail}")
    _close_gaps(folder / PIXELS, np.array([name in sizes for name in ids]), preprocess.size)
    index = pd.DataFrame(
        {"image_id": list(sizes), "width": [w for w, _ in sizes.values()], "height": [h for _, h in sizes.values()]}
    )
    write_manifest(folder, index, preprocess, source)
    return rejects


def _close_gaps(path: Path, filled: npt.NDArray[np.bool_], size: int) -> None:
    """Move the rows that were filled to the front, in order, and cut the file behind them."""
    kept = np.flatnonzero(filled)
    if len(kept) == len(filled):
        return
    pixels = np.memmap(path, dtype=np.uint8, mode="r+", shape=(len(filled), size, size))
    for new, old in enumerate(kept):
        if new != old:
            pixels[new] = pixels[old]
    pixels.flush()
    del pixels  # a file that is mapped should not be cut
    os.truncate(path, len(kept) * size * size)
