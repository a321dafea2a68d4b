"""Closing the gaps that missing images leave in a pixel file, in place; a kill at any moment does no harm."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from chestxpert.errors import StoreError

FILE = "packing.u8"
_BATCH_BYTES = 64 << 20


def pack(pixels: Path, kept: npt.NDArray[np.int64], row_bytes: int, folder: Path) -> None:
    """Move rows to the front, in order, and cut the file behind them.

    A batch of rows is first written to a file of its own, then to where it goes. Killed in between, the batch is
    written once more; rows behind it have not been touched, since rows only ever move to the front.

    Parameters
    ----------
    pixels : Path
        Pixel file.
    kept : int array of shape (N,)
        Rows to keep, ascending.
    row_bytes : int
        Bytes of a row.
    folder : Path
        Holds the file that remembers how far this went.

    Raises
    ------
    StoreError
        If a packing that was interrupted had other rows to keep.
    """
    about = hashlib.sha256(kept.astype("<i8").tobytes()).hexdigest()
    with pixels.open("r+b") as file:
        first = _go_on(file, folder / FILE, about, row_bytes)
        if first is None:
            first = int(np.searchsorted(kept - np.arange(len(kept)), 1))  # rows before the first gap stay
        for start, rows in _batches(kept, first, max(1, _BATCH_BYTES // row_bytes)):
            data = b"".join(_row(file, int(row), row_bytes) for row in rows)
            _remember(folder / FILE, about, start, len(rows), data)
            _write(file, data, start * row_bytes)
        file.truncate(len(kept) * row_bytes)
        os.fsync(file.fileno())


def was_begun(folder: Path) -> bool:
    """Whether a packing was begun, so that rows are not where they were decoded to."""
    return (folder / FILE).exists()


def _batches(kept: npt.NDArray[np.int64], first: int, count: int) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    for start in range(first, len(kept), count):
        yield start, kept[start : start + count]


def _remember(path: Path, about: str, start: int, count: int, data: bytes) -> None:
    """Replace the file that says how far this went; what the batch before it wrote is on the disk by then."""
    aside = path.with_suffix(".new")
    with aside.open("wb") as file:
        file.write(json.dumps({"kept": about, "start": start, "count": count}).encode() + b"\n")
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _go_on(pixels: IO[bytes], path: Path, about: str, row_bytes: int) -> int | None:
    """Write the remembered batch once more; returns the first row after it, None if there is nothing to go on from."""
    try:
        with path.open("rb") as file:
            head, data = json.loads(file.readline()), file.read()
    except FileNotFoundError:
        return None
    if head["kept"] != about:
        raise StoreError(
            f"An interrupted run was about to finish other rows than those now asked for. Delete {path.parent}, and "
            "start again."
        )
    _write(pixels, data, head["start"] * row_bytes)
    return int(head["start"] + head["count"])


def _row(pixels: IO[bytes], row: int, row_bytes: int) -> bytes:
    pixels.seek(row * row_bytes)
    return pixels.read(row_bytes)


def _write(pixels: IO[bytes], data: bytes, place: int) -> None:
    pixels.seek(place)
    pixels.write(data)
    pixels.flush()
    os.fsync(pixels.fileno())
