"""Heat maps on disk: one array, an index of what each map is of, and a note of where they come from."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.errors import DataError
from chestxpert.evaluation.metrics import FloatArray

SCHEMA = 1
MAPS, INDEX, ABOUT = "maps.npy", "index.parquet", "maps.json"
COVERS = ("stored", "original")
"""What a map covers from edge to edge: the square image of the store, or the image as it was decoded."""

DTYPES = ("uint8", "float16", "float32")
_HELP = "docs/localize.md says what a folder of maps holds; chestxpert.evaluation.localization.write_maps writes one."


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """Stored maps, each of one finding on one image.

    Parameters
    ----------
    name : str
        What results call them: the name of their folder.
    place : Path
    values : (M, h, w) array of uint8, float16 or float32
        Row 0 of a map is its top. More is more evidence; only the order and the ratios of values are read.
    index : pandas.DataFrame
        ``image_id``, ``finding`` and ``row`` of `values`. Several entries may share a row.
    about : dict
        Contents of ``maps.json``.
    """

    name: str
    place: Path
    values: npt.NDArray[Any]
    index: pd.DataFrame
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def covers(self) -> str:
        """One of `COVERS`."""
        return str(self.about.get("covers", COVERS[0]))

    @cached_property
    def rows(self) -> dict[tuple[str, str], int]:
        """Row of `values` by image id and finding, as the index spells it."""
        keys = zip(self.index["image_id"], self.index["finding"], strict=True)
        return dict(zip(keys, (int(row) for row in self.index["row"]), strict=True))

    def read(self, row: int) -> FloatArray:
        """One map, (h, w) float64."""
        return np.asarray(self.values[row], dtype=np.float64)


def read_maps(place: str | Path) -> HeatMaps:
    """Open a folder of maps, or an ``.npz`` file with the arrays ``maps``, ``image_id`` and ``finding``.

    Raises
    ------
    DataError
        If a file is missing or damaged, or its parts do not fit each other.
    """
    place = Path(place)
    if not place.exists():
        raise DataError(f"There are no maps at {place}. {_HELP}")
    values, index, about = _from_npz(place) if place.is_file() else _from_folder(place)
    if values.ndim != 3 or not values.size or str(values.dtype) not in (*DTYPES, "float64"):
        raise DataError(
            f"The maps in {place} are {values.dtype} of shape {values.shape}; (maps, height, width) of "
            f"{', '.join(DTYPES)} are needed. {_HELP}"
        )
    if about.get("schema") != SCHEMA or about.get("covers", COVERS[0]) not in COVERS:
        raise DataError(
            f"{place / ABOUT} has schema {about.get('schema')!r} and covers {about.get('covers')!r}; this version "
            f"reads schema {SCHEMA} and {' or '.join(COVERS)}. {_HELP}"
        )
    _check_index(index, len(values), place)
    return HeatMaps(place.resolve().name.removesuffix(".npz"), place, values, index, about)


def _from_folder(folder: Path) -> tuple[npt.NDArray[Any], pd.DataFrame, dict[str, Any]]:
    missing = [name for name in (MAPS, INDEX, ABOUT) if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder} is no folder of maps: it has no {', no '.join(missing)}. {_HELP}")
    try:
        values = np.load(folder / MAPS, mmap_mode="r", allow_pickle=False)
        index = pd.read_parquet(folder / INDEX)
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"The maps in {folder} cannot be read ({error}). Write them again.") from error
    if not isinstance(about, dict):
        raise DataError(f"{folder / ABOUT} holds no object of names and values. {_HELP}")
    return values, index, about


def _from_npz(path: Path) -> tuple[npt.NDArray[Any], pd.DataFrame, dict[str, Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            values, names, findings = (file[name] for name in ("maps", "image_id", "finding"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is no .npz file with the arrays maps, image_id and finding ({error}). {_HELP}"
        ) from None
    if names.shape != findings.shape or names.shape != values.shape[:1]:
        raise DataError(
            f"{path} has {names.size} image ids, {findings.size} findings and maps of {values.shape}. {_HELP}"
        )
    index = pd.DataFrame({"image_id": names.astype(str), "finding": findings.astype(str), "row": np.arange(len(names))})
    return values, index, {"schema": SCHEMA, "covers": COVERS[0]}


def _check_index(index: pd.DataFrame, count: int, place: Path) -> None:
    missing = [name for name in ("image_id", "finding", "row") if name not in index.columns]
    if missing:
        raise DataError(f"{place / INDEX} has no column {', no '.join(missing)}. {_HELP}")
    for name in ("image_id", "finding"):
        empty = int(index[name].isna().sum())
        if empty:
            raise DataError(f"{place / INDEX} has {empty} entries without {name}. {_HELP}")
    rows = index["row"].to_numpy()
    if not np.issubdtype(rows.dtype, np.integer) or (len(rows) and (rows.min() < 0 or rows.max() >= count)):
        raise DataError(f"{place / INDEX} names rows that {MAPS} lacks: it has rows 0 to {count - 1}. {_HELP}")
    check_unique(index, str(place))


def check_unique(index: pd.DataFrame, place: str) -> None:
    """DataError if two maps are of one finding on one image."""
    twice = index[index.duplicated(["image_id", "finding"])]
    if len(twice):
        first = twice.iloc[0]
        raise DataError(
            f"In {place} {len(twice)} maps stand twice, for example {first['finding']} on {first['image_id']}. "
            "Keep one map of each finding on each image."
        )
