"""Where the images of samples come from: an image store, image files, or several of these."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from chestxpert.errors import DataError, StoreError
from chestxpert.pixels.decode import decode
from chestxpert.pixels.manifest import PIXELS
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.store import ImageStore
from chestxpert.torch_data.rows import IntArray

GreyImage = npt.NDArray[np.uint8]


class Images(Protocol):
    """Images of one size, by position. Can be pickled, as worker processes that are spawned need it."""

    @property
    def size(self) -> int:
        """Side in pixels."""

    def __len__(self) -> int:
        """How many there are."""

    def read(self, position: int) -> GreyImage:
        """Image (size, size), uint8 in C order, that the caller may change."""


class StoreImages:
    """Images of a dataset folder's memory-mapped array.

    The array is mapped when the first image is read, and anew in each worker process: what is pickled is where it
    lies, not what it holds.

    Parameters
    ----------
    store : ImageStore
    rows : (N,) int array
        Row of the store that each image lies in.
    """

    def __init__(self, store: ImageStore, rows: IntArray) -> None:
        self._path, self._shape, self._rows = store.folder.absolute() / PIXELS, store.pixels.shape, rows
        self._pixels: npt.NDArray[np.uint8] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pixels": None}

    @property
    def size(self) -> int:
        """Side in pixels."""
        return int(self._shape[1])

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, position: int) -> GreyImage:
        """See `Images.read`; StoreError if the array has gone since."""
        if self._pixels is None:
            try:
                self._pixels = np.memmap(self._path, dtype=np.uint8, mode="r", shape=self._shape)
            except (OSError, ValueError) as error:
                raise StoreError(f"{self._path} cannot be read any more ({error}). Was it moved or deleted?") from error
        return np.array(self._pixels[self._rows[position]])


class FileImages:
    """Image files, decoded and brought to one size each time one is read, as `prepare` does it once.

    Parameters
    ----------
    paths : sequence of Path
    preprocess : Preprocess
    """

    def __init__(self, paths: Sequence[Path], preprocess: Preprocess) -> None:
        self._paths, self._preprocess = [path.absolute() for path in paths], preprocess

    @property
    def size(self) -> int:
        """Side in pixels."""
        return self._preprocess.size

    def __len__(self) -> int:
        return len(self._paths)

    def read(self, position: int) -> GreyImage:
        """See `Images.read`; DataError names a file that is missing or cannot be decoded."""
        return np.require(self._preprocess.apply(decode(self._paths[position])), requirements=["C", "W"])


class JoinedImages:
    """Images of several sources, one behind the other.

    Parameters
    ----------
    parts : sequence of Images

    Raises
    ------
    DataError
        If they are not of one size.
    """

    def __init__(self, parts: Sequence[Images]) -> None:
        sizes = sorted({part.size for part in parts})
        if len(sizes) > 1:
            raise DataError(f"Images of {' and '.join(map(str, sizes))} px cannot go into one batch. Give a `size`.")
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in parts])

    @property
    def size(self) -> int:
        """Side in pixels."""
        return self._parts[0].size

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, position: int) -> GreyImage:
        """See `Images.read`."""
        part = int(np.searchsorted(self._ends, position, side="right"))
        return self._parts[part].read(position - (int(self._ends[part - 1]) if part else 0))


def find_files(image_ids: Sequence[str], folder: Path) -> list[Path]:
    """File of each image below a folder: at ``folder/IMAGE_ID``, or anywhere below it under that name.

    Raises
    ------
    DataError
        If the folder or a file is missing, or several files have the name of one image; the message names the first.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. Name the folder that the image files lie in.")
    paths = {name: folder / name for name in image_ids}
    elsewhere = [name for name, path in paths.items() if not path.is_file()]
    if elsewhere:
        paths |= _search(elsewhere, folder)
    return [paths[name] for name in image_ids]


def _search(wanted: Sequence[str], folder: Path) -> dict[str, Path]:
    from chestxpert.pixels.build import find_images

    found, doubled = find_images(folder)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DataError(
            f"{len(missing):,} of the images asked for have no file below {folder}, for example {missing[0]}. Is it "
            "the right folder, and is it complete?"
        )
    twice = next((reject for reject in doubled if reject.image_id in set(wanted)), None)
    if twice is not None:
        raise DataError(f"Several files below {folder} are called {twice.image_id}: {twice.detail}. Keep one of them.")
    return {name: found[name] for name in wanted}
