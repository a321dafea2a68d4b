"""Cutting the rows of an epoch into batches, and batches into the shares of several processes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chestxpert.errors import UsageError

IntArray = npt.NDArray[np.int64]


def batch_count(rows: int, size: int) -> int:
    """Batches that `rows` rows are cut into: of at most `size` rows, but never of a single one if that can be helped.

    Batch norm cannot learn from one row, so with `size` 2 an odd number of rows has one batch of three.
    """
    return max(1, min(-(-rows // size), rows // 2))


def batches_of(rows: IntArray, size: int) -> list[IntArray]:
    """`rows` cut into `batch_count` batches of nearly equal length; none is dropped."""
    return np.array_split(rows, batch_count(len(rows), size))


def share_of(batch: IntArray, rank: int, world_size: int) -> IntArray:
    """Rows of one batch that process `rank` of `world_size` takes.

    The shares of all processes, one after the other, are the batch: no row is lost or doubled. Their lengths differ by
    at most one; those of a batch with fewer rows than processes are empty at the end.

    Parameters
    ----------
    batch : (B,) int array, the same in every process
    rank : int in [0, world_size)
    world_size : int, at least 1

    Raises
    ------
    UsageError
        If there is no such process.
    """
    if not 0 <= rank < world_size:
        raise UsageError(f"Of {world_size} processes, a rank is 0 to {world_size - 1}, but got {rank}.")
    return np.array_split(batch, world_size)[rank]
