"""Predictions: one parquet table of probabilities, the only thing evaluation reads besides the cohort.

Columns: ``image_id``, ``split``, one float64 probability a label under the label's own name and, for a hierarchy,
``given:NODE``, the probability of each node of its tree given the node's parent. The label space and the tree are
in the file's metadata, so that no column is ever read under a wrong name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from chestxpert.cohort.table import Cohort
from chestxpert.errors import ChestXpertError, PredictionsError
from chestxpert.evaluation.metrics import FloatArray
from chestxpert.evaluation.table_checks import check_columns, check_range, check_rows
from chestxpert.files import replace_when_whole
from chestxpert.labels import LabelSpace
from chestxpert.taxonomy import Taxonomy

SCHEMA = 1
GIVEN = "given:"
_METADATA = b"chestxpert.predictions"


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of every label for a set of images.

    Parameters
    ----------
    frame : pandas.DataFrame
        The columns named at the top of this module.
    label_space : LabelSpace
    taxonomy : Taxonomy, optional
        The tree of the ``given:`` columns.
    partial : bool
        Whether images may be missing, and labels, whose columns are NaN throughout then: another tool predicts what it
        predicts. What is missing is not measured.

    Raises
    ------
    PredictionsError
        If a column is missing or foreign, an image stands twice, or a probability is not in [0, 1].
    """

    frame: pd.DataFrame
    label_space: LabelSpace
    taxonomy: Taxonomy | None = None
    partial: bool = False

    def __post_init__(self) -> None:
        if self.taxonomy is not None and self.taxonomy.label_space.labels != self.label_space.labels:
            raise PredictionsError(
                f"The tree '{self.taxonomy.name}' is over other labels than label space '{self.label_space.name}'."
            )
        check_columns(self.frame, [*self._label_columns, *self._given_columns])
        check_rows(self.frame)
        absent = self.absent
        check_range(self.frame, [name for name in (*self._label_columns, *self._given_columns) if name not in absent])

    @property
    def _label_columns(self) -> list[str]:
        return list(self.label_space.labels)

    @property
    def _given_columns(self) -> list[str]:
        return [] if self.taxonomy is None else [GIVEN + node for node in self.taxonomy.nodes]

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def absent(self) -> tuple[str, ...]:
        """Labels that were not predicted, in label order; none unless `partial`."""
        if not self.partial:
            return ()
        return tuple(name for name in self._label_columns if self.frame[name].isna().all())

    def has(self, split: str) -> bool:
        """Whether any image of a split was predicted."""
        return bool((self.frame["split"] == split).any())

    @property
    def probs(self) -> FloatArray:
        """(N, K) float64 probabilities in label order and row order."""
        return self.frame[self._label_columns].to_numpy(dtype=np.float64)

    @property
    def conditionals(self) -> FloatArray | None:
        """(N, M) float64 probabilities of each node given its parent, or None for a flat model."""
        return None if self.taxonomy is None else self.frame[self._given_columns].to_numpy(dtype=np.float64)

    @classmethod
    def from_arrays(
        cls,
        image_ids: Sequence[str] | npt.NDArray[Any],
        split: str | Sequence[str] | npt.NDArray[Any],
        probs: npt.ArrayLike,
        label_space: LabelSpace,
        conditionals: npt.ArrayLike | None = None,
        taxonomy: Taxonomy | None = None,
        partial: bool = False,
    ) -> Predictions:
        """Table from arrays.

        Parameters
        ----------
        image_ids : N strings
        split : str or N strings
            One of train, val, test; a single one stands for all rows.
        probs : (N, K) array in [0, 1]
        label_space : LabelSpace
        conditionals : (N, M) array in [0, 1], optional
            Given together with `taxonomy`, in its node order.
        taxonomy : Taxonomy, optional
        partial : bool
            Whether images and labels may be missing; a label's column is NaN throughout then.

        Returns
        -------
        Predictions

        Raises
        ------
        PredictionsError
            If shapes do not fit or a value is impossible.
        """
        if (conditionals is None) != (taxonomy is None):
            raise PredictionsError("Conditional probabilities and their tree come together, but only one was given.")
        rows = len(image_ids)
        parts = [_block(probs, rows, list(label_space.labels))]
        if conditionals is not None and taxonomy is not None:
            parts.append(_block(conditionals, rows, [GIVEN + node for node in taxonomy.nodes]))
        splits = [split] * rows if isinstance(split, str) else list(split)
        if len(splits) != rows:
            raise PredictionsError(f"There are {rows} image ids but {len(splits)} splits.")
        head = pd.DataFrame({"image_id": [str(name) for name in image_ids], "split": [str(name) for name in splits]})
        return cls(pd.concat([head, *parts], axis=1), label_space, taxonomy, partial)

    def in_memory(self) -> Predictions:
        """These predictions, for those who need their table more than once; see `stored`."""
        return self

    def aligned_once(self, cohort: Cohort) -> Predictions:
        """The same predictions, which align each split of this cohort once, for those who ask several times."""
        return _AlignedOnce(self.frame, self.label_space, self.taxonomy, self.partial, cohort)

    def save(self, path: str | Path) -> None:
        """Write the table to `path`: aside first, then renamed, so that no reader meets half a file."""
        target = Path(path)
        described = {
            "schema": SCHEMA,
            "label_space": self.label_space.to_dict(),
            "taxonomy": None if self.taxonomy is None else self.taxonomy.to_dict(),
        } | ({"partial": True} if self.partial else {})
        table = pa.Table.from_pandas(self.frame, preserve_index=False)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), _METADATA: json.dumps(described)})
        with replace_when_whole(target) as aside:
            pq.write_table(table, aside)

    @classmethod
    def load(cls, path: str | Path) -> Predictions:
        """Read a table that `save` wrote, checking all of it.

        Raises
        ------
        PredictionsError
            If the file is missing, damaged, or not one of ours.
        """
        with _readable(Path(path)) as source:
            table = pq.read_table(source)
            described = _described(table.schema)
        return cls(cast(pd.DataFrame, table.to_pandas()), *described)

    @classmethod
    def stored(cls, path: str | Path) -> Predictions:
        """A table that `save` wrote, read whenever it is asked for and not kept: for those who look at many in turn.

        Raises
        ------
        PredictionsError
            If the file is missing or not one of ours; what `load` finds besides is raised when the table is read.
        """
        with _readable(Path(path)) as source:
            return _Stored(source, *_described(pq.read_schema(source)))

    def align(self, cohort: Cohort, split: str) -> tuple[FloatArray, FloatArray | None]:
        """Probabilities in the order of a cohort's rows of one split.

        Parameters
        ----------
        cohort : Cohort
        split : {"train", "val", "test"}

        Returns
        -------
        probs : (n, K) float64 array
            NaN where `partial` predictions lack an image or a label.
        conditionals : (n, M) float64 array, or None for a flat model

        Raises
        ------
        PredictionsError
            If the cohort has other labels, or an image of the split has no prediction in that split.
        """
        if cohort.label_space.labels != self.label_space.labels:
            raise PredictionsError(
                f"The predictions are over label space '{self.label_space.name}' ({len(self.label_space)} labels), the "
                f"cohort is over '{cohort.label_space.name}' ({len(cohort.label_space)}). Use the cohort that they "
                "were made for."
            )
        wanted = cohort.table["image_id"].to_numpy()[cohort.rows(split)]
        mine = np.flatnonzero((self.frame["split"] == split).to_numpy())
        found = pd.Index(self.frame["image_id"].to_numpy()[mine]).get_indexer(pd.Index(wanted))
        if (found < 0).any() and self.partial:
            return _spread(self.probs, mine, found), _spread(self.conditionals, mine, found)
        if (found < 0).any():
            lost = [str(name) for name in wanted[found < 0]]
            raise PredictionsError(
                f"{len(lost)} of the cohort's {len(wanted)} {split} images have no {split} prediction, for example "
                f"{', '.join(lost[:3])}. Were these predictions made for another cohort or split?"
            )
        rows = mine[found]
        given = self.conditionals
        return self.probs[rows], None if given is None else given[rows]


class _Stored(Predictions):
    """Predictions that stay on the disk."""

    path: Path

    def __init__(self, path: Path, label_space: LabelSpace, taxonomy: Taxonomy | None, partial: bool) -> None:
        for name, value in {
            "path": path, "label_space": label_space, "taxonomy": taxonomy, "partial": partial,
        }.items():  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def frame(self) -> pd.DataFrame:
        """The table, read and checked anew."""
        return self.in_memory().frame

    def in_memory(self) -> Predictions:
        """Read and checked anew."""
        return Predictions.load(self.path)

    def align(self, cohort: Cohort, split: str) -> tuple[FloatArray, FloatArray | None]:
        """As `Predictions.align`, reading the table once."""
        return self.in_memory().align(cohort, split)


@contextmanager
def _readable(source: Path) -> Iterator[Path]:
    """Context in which a file of predictions is read; whatever makes it unreadable becomes a PredictionsError."""
    if not source.is_file():
        raise PredictionsError(f"There are no predictions at {source}. Has the run finished?")
    try:
        yield source
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, ChestXpertError) as error:
        raise PredictionsError(
            f"{source} is not a readable ChestXpert predictions file ({error!r}). Make it again with the run."
        ) from error


def _described(schema: pa.Schema) -> tuple[LabelSpace, Taxonomy | None, bool]:
    """Label space, tree, and whether the predictions are partial, from a file's metadata."""
    described = json.loads((schema.metadata or {})[_METADATA])
    space = LabelSpace.from_dict(described["label_space"])
    tree = None if described["taxonomy"] is None else Taxonomy.from_dict(described["taxonomy"])
    return space, tree, bool(described.get("partial", False))


@dataclass(frozen=True, eq=False)
class _AlignedOnce(Predictions):
    """Predictions that were checked already, and remember what they aligned with `cohort`."""

    cohort: Cohort | None = None
    _seen: dict[str, tuple[FloatArray, FloatArray | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Nothing is checked twice."""

    def align(self, cohort: Cohort, split: str) -> tuple[FloatArray, FloatArray | None]:
        """As `Predictions.align`; the arrays are shared by all who ask."""
        if cohort is not self.cohort:
            return super().align(cohort, split)
        if split not in self._seen:
            self._seen[split] = super().align(cohort, split)
        return self._seen[split]


def _spread(values: FloatArray | None, mine: npt.NDArray[np.intp], found: npt.NDArray[np.intp]) -> Any:
    """Rows of `values` in the order of `found` among the rows `mine`; NaN where one is missing."""
    if values is None:
        return None
    result = np.full((len(found), values.shape[1]), np.nan)
    result[found >= 0] = values[mine[found[found >= 0]]]
    return result


def _block(values: npt.ArrayLike, rows: int, columns: list[str]) -> pd.DataFrame:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (rows, len(columns)):
        raise PredictionsError(f"Expected probabilities of shape {(rows, len(columns))}, but got {array.shape}.")
    return pd.DataFrame(array, columns=columns)
