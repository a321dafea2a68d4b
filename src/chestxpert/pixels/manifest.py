"""Files of an image store: how they are written, and what makes them whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chestxpert.errors import StoreError
from chestxpert.files import write_json
from chestxpert.pixels.preprocess import Preprocess

PIXELS, INDEX, MANIFEST = "pixels.u8", "index.parquet", "store.json"
SCHEMA = 1

REMEDY = "Prepare the data set again into a new folder."


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``store.json``; StoreError if it is missing or not one this version reads."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(
            f"{folder} holds no image store. Make one with 'chestxpert data prepare SOURCE --out FOLDER'."
        ) from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder / MANIFEST} cannot be read ({error}). {REMEDY}") from error
    kinds = {"schema": int, "size": int, "count": int, "preprocess": dict, "sha256": str, "source": str}
    if not isinstance(manifest, dict) or any(not isinstance(manifest.get(key), kind) for key, kind in kinds.items()):
        raise StoreError(f"{folder / MANIFEST} is not the manifest of an image store. {REMEDY}")
    if manifest["schema"] != SCHEMA or manifest["size"] < 1 or manifest["count"] < 1:
        raise StoreError(f"{folder / MANIFEST} has schema {manifest['schema']}; this version reads {SCHEMA}. {REMEDY}")
    return manifest


def check_room(folder: Path, count: int, size: int) -> None:
    """StoreError if the disk of a folder is too small for `count` images."""
    need, free = count * size * size, shutil.disk_usage(folder).free
    if need > free:
        raise StoreError(
            f"The images need {need / 1e9:.1f} GB, but {folder} has only {free / 1e9:.1f} GB left. Free some, choose "
            "another place, or a smaller '--size'."
        )


def create_pixels(folder: Path, count: int, size: int) -> np.memmap[Any, np.dtype[np.uint8]]:
    """Create ``pixels.u8`` for `count` images, all black, open for writing.

    Raises
    ------
    StoreError
        If the disk is too small for it.
    """
    check_room(folder, count, size)
    return np.memmap(folder / PIXELS, dtype=np.uint8, mode="w+", shape=(count, size, size))


def write_manifest(folder: Path, index: pd.DataFrame, preprocess: Preprocess, source: str) -> None:
    """Write ``index.parquet`` and, last of all, ``store.json`` for pixels that are already there."""
    index.to_parquet(folder / INDEX, index=False)
    manifest = {
        "schema": SCHEMA,
        "size": preprocess.size,
        "count": len(index),
        "preprocess": preprocess.to_dict(),
        "sha256": checksum(folder / PIXELS),
        "source": source,
    }
    write_json(folder / MANIFEST, manifest)


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
