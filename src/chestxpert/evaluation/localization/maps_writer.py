"""Writing a folder of maps, map by map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.errors import RunError, UsageError
from chestxpert.evaluation.localization.maps import ABOUT, COVERS, DTYPES, INDEX, MAPS, SCHEMA, check_unique
from chestxpert.files import replace_when_whole, write_json


def write_maps(
    folder: str | Path,
    maps: Iterable[npt.ArrayLike],
    image_ids: Sequence[str],
    findings: Sequence[str],
    *,
    method: str,
    made_by: str,
    covers: str = "stored",
    dtype: str = "float32",
    more: Mapping[str, Any] | None = None,
) -> Path:
    """Write maps that `read_maps` and ``chestxpert localize`` read; whole or not at all.

    Parameters
    ----------
    folder : str or Path
        To make; never overwritten.
    maps : iterable of (h, w) arrays
        All of one shape, one for each of `image_ids`; may be a generator, since one map is in memory at a time.
    image_ids, findings : sequences of M str
        What each map is of.
    method : str
        How the maps were made, such as "Grad-CAM, last block".
    made_by : str
        With what: tool, version, model.
    covers : {"stored", "original"}
        What a map covers from edge to edge: the square image of the data set's store, or the image as its file has it.
    dtype : {"float32", "float16", "uint8"}
    more : mapping, optional
        Anything else for ``maps.json``; plain values.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        If counts, shapes, values or names do not fit.
    RunError
        If the folder is not empty.
    """
    folder = Path(folder)
    if covers not in COVERS or dtype not in DTYPES:
        raise UsageError(
            f"Maps cover {' or '.join(COVERS)} and are {', '.join(DTYPES)}, but got '{covers}' and '{dtype}'."
        )
    if len(image_ids) != len(findings) or not len(image_ids):
        raise UsageError(f"Each map is of one image and one finding: got {len(image_ids)} and {len(findings)} names.")
    index = pd.DataFrame({"image_id": list(image_ids), "finding": list(findings), "row": range(len(image_ids))})
    check_unique(index, "the maps to write")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} exists already and is never overwritten. Choose another folder.")
    shape = _write_array(folder / MAPS, maps, len(index), dtype)
    with replace_when_whole(folder / INDEX) as aside:
        index.to_parquet(aside, index=False)
    write_json(
        folder / ABOUT,
        {
            "schema": SCHEMA,
            "method": method,
            "made_by": made_by,
            "covers": covers,
            "count": len(index),
            "height": shape[0],
            "width": shape[1],
            **(more or {}),
        },
    )
    return folder


def _write_array(path: Path, maps: Iterable[npt.ArrayLike], count: int, dtype: str) -> tuple[int, int]:
    """Fill the array map by map; returns the shape of one."""
    array: npt.NDArray[Any] | None = None
    written = 0
    with replace_when_whole(path) as aside:
        for each in maps:
            values = np.asarray(each)
            if array is None and values.ndim == 2 and values.size:
                array = np.lib.format.open_memmap(aside, mode="w+", dtype=np.dtype(dtype), shape=(count, *values.shape))
            if array is None or values.shape != array.shape[1:] or written == count:
                raise UsageError(
                    f"Map {written} has the shape {values.shape}; {count} maps of one shape (height, width) are needed."
                )
            array[written] = _cast(values, dtype, written)
            written += 1
        if array is None or written != count:
            raise UsageError(f"There are {written} maps for {count} names. Give one map for each.")
        array.flush()  # type: ignore[attr-defined]
        height, width = array.shape[1:]
        del array
    return int(height), int(width)


def _cast(values: npt.NDArray[Any], dtype: str, number: int) -> npt.NDArray[Any]:
    """Values as they are stored; UsageError where that would make others of them."""
    if dtype == "uint8":
        if not np.array_equal(values, values.astype(np.uint8)):
            raise UsageError(f"Map {number} has values that are no whole numbers from 0 to 255: store float32 instead.")
        return values.astype(np.uint8)
    with np.errstate(over="ignore"):
        stored = values.astype(dtype)
    if not np.array_equal(np.isfinite(stored), np.isfinite(values)):
        raise UsageError(f"Map {number} has values too large for {dtype}: store float32, or scale the map.")
    return stored
