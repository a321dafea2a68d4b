"""Cohort: the table of a study, one row per image, without pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from chestxpert.cohort.invariants import boolean_array, check_table, missing_array
from chestxpert.errors import CohortError, LabelError
from chestxpert.files import replace_when_whole
from chestxpert.labels import LabelSpace

SPLITS = ("train", "val", "test")
SIMULATED = "simulated"

TEXT_COLUMNS = ("image_id", "patient_id", "view", "sex", "split", "source", "origin")
COLUMNS = ("image_id", "patient_id", "view", "sex", "age", "split", "source", "origin")

_METADATA_KEY = b"chestxpert"
_SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Cohort:
    """One row per image: who, how, which findings, and on which side of the split.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``image_id``, ``patient_id``, ``view`` ("PA", "AP" or ""), ``sex`` ("M", "F" or ""), ``age``
        (years as float, NaN where unknown), ``split`` ("train", "val" or "test"), ``source`` (such as "nih" or
        "simulated"), ``origin`` (the image an augmented copy was made from, else ""), then one column per label in
        the order of `label_space`: bool where every image's label is known, else pandas' nullable "boolean", missing
        where the label is unknown (uncertain, or never asked for).
    label_space : LabelSpace
        The findings and their order.

    Raises
    ------
    CohortError
        If the table breaks an invariant: image ids unique; no patient in two splits; "No Finding" true exactly
        where no other finding is, as far as labels are known (a finding that is there makes it false, never unknown);
        an augmented row and its origin in train only.
    """

    table: pd.DataFrame
    label_space: LabelSpace

    def __post_init__(self) -> None:
        check_table(self.table, self.label_space, COLUMNS, SPLITS)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def image_ids(self) -> npt.NDArray[np.object_]:
        """Image id of every row, shape (N,)."""
        return self.table["image_id"].to_numpy(dtype=object)

    @property
    def patients(self) -> npt.NDArray[np.object_]:
        """Patient id of every row, shape (N,); a patient with several images stands several times."""
        return self.table["patient_id"].to_numpy(dtype=object)

    @property
    def simulated(self) -> bool:
        """True if any image was drawn by the simulator."""
        return bool((self.table["source"] == SIMULATED).any())

    def labels(self, rows: npt.ArrayLike | None = None) -> npt.NDArray[np.bool_]:
        """Labels of the given row positions (all rows if None), shape (N, K), in LabelSpace order.

        False where a label is unknown: whoever counts on False meaning "not there" reads `known` too.
        """
        return self._labels.copy() if rows is None else self._labels[np.asarray(rows)]

    def known(self, rows: npt.ArrayLike | None = None) -> npt.NDArray[np.bool_]:
        """Whether each of those labels is known, shape (N, K): all True in a cohort without unknown labels."""
        return self._known.copy() if rows is None else self._known[np.asarray(rows)]

    @cached_property
    def _labels(self) -> npt.NDArray[np.bool_]:
        return label_array(self.table, self.label_space)

    @cached_property
    def _known(self) -> npt.NDArray[np.bool_]:
        return ~missing_array(self.table[list(self.label_space.labels)])

    @cached_property
    def all_known(self) -> bool:
        """Whether every label of every image is known."""
        return bool(self._known.all())

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Positions of the rows of `split`, ascending; CohortError if there is no such split."""
        if split not in SPLITS:
            raise CohortError(f"There is no split '{split}'. A cohort has {', '.join(SPLITS)}.")
        return self._rows[split].copy()

    @cached_property
    def _rows(self) -> dict[str, npt.NDArray[np.int64]]:
        column = self.table["split"]
        return {split: np.flatnonzero((column == split).to_numpy()).astype(np.int64) for split in SPLITS}

    def select(self, split: str) -> Cohort:
        """Cohort of the rows of one split, in the same order."""
        part = self.table.iloc[self.rows(split)].reset_index(drop=True)
        return Cohort(_with_plain_labels(part, self.label_space), self.label_space)

    def counts(self, split: str) -> dict[str, int]:
        """Number of images of `split` that are known to carry each label."""
        totals = self.labels(self.rows(split)).sum(axis=0)
        return {label: int(total) for label, total in zip(self.label_space.labels, totals, strict=True)}

    def known_counts(self, split: str) -> dict[str, int]:
        """Number of images of `split` whose label is known, for each label: what `counts` is a share of."""
        totals = self.known(self.rows(split)).sum(axis=0)
        return {label: int(total) for label, total in zip(self.label_space.labels, totals, strict=True)}

    def n_patients(self, split: str | None = None) -> int:
        """Number of different patients, of one split or of all."""
        patients = self.table["patient_id"]
        return int((patients if split is None else patients.iloc[self.rows(split)]).nunique())

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits over ids, patients, splits, labels and label space, in row order.

        What is unknown is part of it; a cohort in which nothing is has the digits it had before there were unknowns.
        """
        digest = hashlib.sha256(self.label_space.fingerprint.encode())
        for column in ("image_id", "patient_id", "split", "origin"):
            digest.update("\x1f".join(self.table[column].tolist()).encode())
        digest.update(np.packbits(self.labels()).tobytes())
        if not self.all_known:
            digest.update(b"known" + np.packbits(self.known()).tobytes())
        return digest.hexdigest()[:12]

    def save(self, path: str | Path) -> Path:
        """Write the cohort as parquet, label space in its metadata; whole or not at all."""
        path = Path(path)
        plain = _with_plain_labels(self.table, self.label_space)
        table = pa.Table.from_pandas(plain, preserve_index=False)
        about = {"schema": _SCHEMA, "label_space": self.label_space.to_dict()}
        metadata = {**(table.schema.metadata or {}), _METADATA_KEY: json.dumps(about).encode()}
        with replace_when_whole(path) as aside:
            pq.write_table(table.replace_schema_metadata(metadata), aside, compression="zstd")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Cohort:
        """Read a cohort written by `save` and check every invariant.

        Raises
        ------
        CohortError
            If the file is missing, is no cohort, or breaks an invariant.
        """
        path = Path(path)
        try:
            stored = pq.read_table(path)
        except FileNotFoundError:
            raise CohortError(
                f"There is no cohort at {path}. Make one with 'chestxpert data prepare SOURCE --out FOLDER'."
            ) from None
        except (OSError, pa.ArrowException) as error:
            raise CohortError(f"{path} is no readable cohort ({error}). Prepare the data set again.") from error
        return cls(stored.to_pandas(), _stored_label_space(stored.schema.metadata, path))


def _stored_label_space(metadata: dict[bytes, bytes] | None, path: Path) -> LabelSpace:
    """Label space in the parquet metadata; CohortError if there is none this version reads."""
    try:
        about: Any = json.loads((metadata or {})[_METADATA_KEY])
        if about["schema"] != _SCHEMA:
            raise CohortError(
                f"{path} has cohort schema {about['schema']}; this version reads {_SCHEMA}. Prepare it again."
            )
        return LabelSpace.from_dict(about["label_space"])
    except (KeyError, TypeError, ValueError, LabelError) as error:
        raise CohortError(
            f"{path} is a parquet file, but no cohort: it names no label space. Was it made by another tool?"
        ) from error


def label_array(table: pd.DataFrame, label_space: LabelSpace) -> npt.NDArray[np.bool_]:
    """Label columns of a cohort's table, shape (N, K), in LabelSpace order; False where a label is unknown."""
    return boolean_array(table[list(label_space.labels)])


def _with_plain_labels(table: pd.DataFrame, label_space: LabelSpace) -> pd.DataFrame:
    """`table` with the label columns that miss nothing as bool, whatever rows were left out since it was made."""
    complete = {
        label: np.bool_
        for label in label_space.labels
        if table[label].dtype != np.bool_ and not table[label].isna().any()
    }
    return table.astype(complete) if complete else table


def make_table(
    image_ids: Iterable[str], patients: Iterable[str], labels: npt.NDArray[np.bool_], label_space: LabelSpace,
    *, known: npt.NDArray[np.bool_] | None = None, **columns: Any,
) -> pd.DataFrame:  # fmt: skip
    """Cohort table from arrays; columns not given are empty ("" or NaN) and ``split`` must be given.

    Parameters
    ----------
    image_ids, patients : iterable of str
        N ids.
    labels : bool array of shape (N, K)
        In LabelSpace order.
    label_space : LabelSpace
        Names the label columns.
    known : bool array of shape (N, K), optional
        Where the labels are known; everywhere by default. What `labels` holds elsewhere is not kept.
    **columns
        Any of ``view``, ``sex``, ``age``, ``split``, ``source``, ``origin``: N values or one for all.
    """
    front: dict[str, Any] = {"image_id": list(image_ids), "patient_id": list(patients)}
    front |= {name: columns.get(name, np.nan if name == "age" else "") for name in COLUMNS[2:]}
    frame = pd.DataFrame(front)
    frame["age"] = frame["age"].astype(np.float64)
    findings = pd.DataFrame(labels, columns=list(label_space.labels), index=frame.index, dtype=np.bool_)
    if known is not None:
        for column in np.flatnonzero(~known.all(axis=0)):
            label = label_space.labels[column]
            findings[label] = findings[label].astype("boolean").mask(~known[:, column])
    return pd.concat([frame, findings], axis=1)
