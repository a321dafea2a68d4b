import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.download.waiting import Patience


@given(failures=st.integers(1, 2000), seed=st.integers(0, 100), asked=st.one_of(st.none(), st.floats(-1e9, 1e9)))
def test_pauses_grow_and_stay_within_bounds(failures: int, seed: int, asked: float | None) -> None:
    patience = Patience(first=1, ceiling=60, longest=300)
    full = 60.0 if failures > 6 else 2.0 ** (failures - 1)
    pause = patience.pause(failures, random.Random(seed), asked)
    if asked is None or asked <= full / 2:
        assert full / 2 <= pause <= full
    else:
        assert min(asked, 300) <= pause <= max(full, min(asked, 300))


def test_pauses_of_several_downloads_are_not_the_same() -> None:
    rng = random.Random(0)
    pauses = [Patience().pause(5, rng) for _ in range(10)]
    assert len(set(pauses)) == 10
    assert pauses == [Patience().pause(5, again) for again in [random.Random(0)] for _ in range(10)]


def test_all_tries_together_take_minutes_not_hours() -> None:
    patience = Patience()
    longest = sum(min(patience.ceiling, patience.first * 2.0**n) for n in range(patience.tries - 1))
    assert longest == pytest.approx(123)
