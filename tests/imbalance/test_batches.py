import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.errors import UsageError
from chestxpert.imbalance.batches import batches_of, share_of


@given(st.integers(1, 300), st.integers(2, 64))
def test_batches_drop_nothing_and_leave_none_tiny(count: int, size: int) -> None:
    parts = batches_of(np.arange(count), size)
    assert np.array_equal(np.concatenate(parts), np.arange(count))
    assert max(map(len, parts)) <= max(size, 3)
    assert min(map(len, parts)) >= min(2, count)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(st.integers(0, 70), st.integers(1, 12))
def test_shares_are_the_batch_cut_evenly(count: int, world_size: int) -> None:
    batch = np.arange(100, 100 + count)
    shares = [share_of(batch, rank, world_size) for rank in range(world_size)]
    assert [row for share in shares for row in share] == batch.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("rank", [-1, 2])
def test_a_process_that_there_is_not_is_refused(rank: int) -> None:
    with pytest.raises(UsageError, match=f"Of 2 processes, a rank is 0 to 1, but got {rank}"):
        share_of(np.arange(4), rank, 2)
