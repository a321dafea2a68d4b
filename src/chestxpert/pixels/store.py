"""ImageStore: the pixels of a data set as one memory-mapped array."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.errors import StoreError
from chestxpert.pixels.manifest import INDEX, PIXELS, REMEDY, check_room, checksum, read_manifest, write_manifest
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.shrink import shrink


@dataclass(frozen=True, eq=False)
class ImageStore:
    """Images of one size, in the order of their index.

    Parameters
    ----------
    folder : Path
        Holds ``pixels.u8``, ``index.parquet`` and ``store.json``.
    manifest : dict
        ``schema``, ``size``, ``count``, ``preprocess``, ``sha256`` (of the pixels) and ``source``.
    index : pandas.DataFrame
        One row per image: ``image_id``, ``width`` and ``height`` as it was decoded, and how it was stored: ``bits``,
        ``mode`` and ``format`` (`chestxpert.pixels.decode.Decoded`). Older stores lack the last three.
    pixels : numpy.memmap
        uint8 of shape (N, H, W), C order, read only; 0 is black. Nothing is in memory until it is read.
    """

    folder: Path
    manifest: dict[str, Any]
    index: pd.DataFrame
    pixels: npt.NDArray[np.uint8]

    @classmethod
    def open(cls, folder: str | Path) -> ImageStore:
        """Open the store of a folder.

        Sizes and counts are compared with the manifest; `verify` compares the pixels too.

        Raises
        ------
        StoreError
            If a file is missing, or sizes and counts do not agree.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        try:
            index = pd.read_parquet(folder / INDEX)
            found = (folder / PIXELS).stat().st_size
        except (OSError, ValueError) as error:
            raise StoreError(f"The image store in {folder} is not whole ({error}). {REMEDY}") from error
        count, size = manifest["count"], manifest["size"]
        if found != count * size * size or len(index) != count or not index["image_id"].is_unique:
            raise StoreError(
                f"The image store in {folder} is damaged: its manifest says {count} images of {size} px "
                f"({count * size * size} bytes), but there are {len(index)} in the index and {found} bytes. {REMEDY}"
            )
        pixels = np.memmap(folder / PIXELS, dtype=np.uint8, mode="r", shape=(count, size, size))
        return cls(folder, manifest, index, pixels)

    def __len__(self) -> int:
        return int(self.manifest["count"])

    @property
    def size(self) -> int:
        """Side of every image in pixels."""
        return int(self.manifest["size"])

    @property
    def preprocess(self) -> Preprocess:
        """What was done to every image."""
        return Preprocess.from_dict(self.manifest["preprocess"])

    @property
    def image_ids(self) -> npt.NDArray[np.object_]:
        """Image id of every row, shape (N,)."""
        return self.index["image_id"].to_numpy(dtype=object)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits over pixels (by their stored checksum), ids and preprocessing."""
        parts = [self.manifest["sha256"], json.dumps(self.manifest["preprocess"], sort_keys=True), *self.image_ids]
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]

    @cached_property
    def _positions(self) -> pd.Index:
        return pd.Index(self.image_ids, dtype=object)

    def row(self, image_id: str) -> int:
        """Row of one image; StoreError if the store does not have it."""
        return int(self.rows([image_id])[0])

    def rows(self, image_ids: Iterable[str]) -> npt.NDArray[np.int64]:
        """Rows of many images, in the order asked for; StoreError names the first that are missing."""
        wanted = np.array(list(image_ids), dtype=object)
        rows = self._positions.get_indexer(pd.Index(wanted, dtype=object)).astype(np.int64)
        missing = wanted[rows < 0]
        if len(missing):
            raise StoreError(
                f"The image store in {self.folder} lacks {len(missing)} of the {len(wanted)} images asked for, for "
                f"example {missing[0]}. Does it belong to this cohort?"
            )
        return rows

    def verify(self) -> None:
        """Compare the checksum of the pixels with the manifest; StoreError if a byte has changed."""
        found = checksum(self.folder / PIXELS)
        if found != self.manifest["sha256"]:
            raise StoreError(f"The pixels in {self.folder} have changed since they were written. {REMEDY}")

    def at_size(self, size: int) -> ImageStore:
        """Return the same images at a smaller size, area-averaged; made once and kept in ``pixels-SIZE``.

        Parameters
        ----------
        size : int
            Side in pixels, at most the store's own (which gives the store itself).

        Raises
        ------
        StoreError
            If `size` is larger than the store's own: detail that was averaged away cannot come back.
        """
        if size == self.size:
            return self
        preprocess = replace(self.preprocess, size=size)
        if size > self.size:
            raise StoreError(
                f"The images in {self.folder} are {self.size} px, but {size} px were asked for. Prepare the data set "
                f"with '--size {size}', or ask for at most {self.size}."
            )
        sibling = self.folder / f"pixels-{size}"
        if not _is_made_from(sibling, self.manifest["sha256"]):
            self._write_sibling(sibling, preprocess)
        return ImageStore.open(sibling)

    def _write_sibling(self, sibling: Path, preprocess: Preprocess) -> None:
        """Write the smaller store aside and rename it; whoever makes the same one at the same time does no harm."""
        aside = sibling.with_name(f".{sibling.name}.{os.getpid()}")
        try:
            aside.mkdir()
            self._write_smaller(aside, preprocess.size)
            write_manifest(aside, self.index, preprocess, source=self.manifest["sha256"])
            if sibling.exists() and not _is_made_from(sibling, self.manifest["sha256"]):
                shutil.rmtree(sibling)
            if not sibling.exists():
                aside.rename(sibling)
        except OSError as error:
            if not _is_made_from(sibling, self.manifest["sha256"]):
                raise StoreError(f"The smaller images cannot be written beside {self.folder}: {error}.") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _write_smaller(self, folder: Path, size: int) -> None:
        """Write all images smaller. They are read and not mapped: a map of the store would count as memory."""
        check_room(folder, len(self), size)
        with (self.folder / PIXELS).open("rb") as images, (folder / PIXELS).open("wb") as smaller:
            for _ in range(len(self)):
                image = np.frombuffer(images.read(self.size**2), dtype=np.uint8).reshape(self.size, self.size)
                smaller.write(shrink(image, (size, size)).tobytes())


def _is_made_from(folder: Path, sha256: str) -> bool:
    """Whether `folder` is a whole store made from pixels with this checksum."""
    try:
        return bool(read_manifest(folder)["source"] == sha256)
    except StoreError:
        return False
