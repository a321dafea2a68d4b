"""Dataset: a folder with a cohort and its pixels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chestxpert.cohort.table import Cohort
from chestxpert.errors import DataError, StoreError
from chestxpert.pixels.store import ImageStore
from chestxpert.prepare import BOXES, COHORT, INFO, SCHEMA, PrepareReport, prepare

__all__ = ["Dataset", "PrepareReport", "prepare"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset folder as `prepare` makes it.

    Parameters
    ----------
    folder : Path
        Holds ``cohort.parquet``, the image store, ``boxes.parquet``, ``rejects.csv`` and ``dataset.json``.
    cohort : Cohort
        One row per image.
    store : ImageStore
        The pixels; every row of `cohort` has some.
    info : dict
        Contents of ``dataset.json``: where the data came from and what was left out.
    """

    folder: Path
    cohort: Cohort
    store: ImageStore
    info: dict[str, Any]

    @classmethod
    def load(cls, folder: str | Path) -> Dataset:
        """Open a dataset folder.

        Raises
        ------
        DataError
            If it is none, or not finished.
        CohortError
            If the cohort breaks an invariant.
        StoreError
            If the store is damaged, or lacks an image of the cohort.
        """
        folder = Path(folder)
        info = _read_info(folder)
        cohort, store = Cohort.load(folder / COHORT), ImageStore.open(folder)
        store.rows(cohort.image_ids)  # raises for the first image without pixels
        return cls(folder, cohort, store, info)

    def pixel_rows(self, image_ids: Iterable[str] | None = None) -> npt.NDArray[np.int64]:
        """Rows of `store.pixels` that hold these images, in this order; those of the whole cohort if None."""
        return self.store.rows(self.cohort.image_ids if image_ids is None else image_ids)

    @cached_property
    def boxes(self) -> pd.DataFrame:
        """Boxes: ``image_id``, ``finding``, ``x``, ``y``, ``w``, ``h`` in pixels of a 1024 x 1024 image; may be empty.

        Raises
        ------
        StoreError
            If ``boxes.parquet`` is missing or damaged.
        """
        try:
            return pd.read_parquet(self.folder / BOXES)
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.folder / BOXES} cannot be read ({error}). Prepare the data set again.") from error


def _read_info(folder: Path) -> dict[str, Any]:
    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"{folder} is no data set: it has no {INFO}. Make one with 'chestxpert data prepare SOURCE --out {folder}'."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / INFO} cannot be read ({error}). Prepare the data set again.") from error
    if not isinstance(info, dict) or info.get("schema") != SCHEMA:
        raise DataError(f"{folder / INFO} is not of schema {SCHEMA}, which this version reads. Prepare it again.")
    return info
