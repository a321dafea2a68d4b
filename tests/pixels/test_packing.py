"""Gaps are closed in place, and a kill at any step leaves what the next call completes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestxpert.errors import StoreError
from chestxpert.pixels import packing

ROW = 16


def _pixels(folder: Path, rows: int) -> tuple[Path, np.ndarray]:
    array = np.random.default_rng(rows).integers(0, 256, (rows, ROW), dtype=np.uint8)
    path = folder / "pixels.u8"
    path.write_bytes(array.tobytes())
    return path, array


class Killed(BaseException):
    pass


def _pack_with_kills(
    path: Path, kept: np.ndarray, folder: Path, fatal: set[int], monkeypatch: pytest.MonkeyPatch
) -> int:
    """Pack, killed at these steps; a step is what reaches the disk. Returns the number of steps."""
    step = 0

    def dying(real: object) -> object:
        def call(*arguments: object) -> object:
            nonlocal step
            step += 1
            if step in fatal:
                if real is packing._write:
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2], arguments[2])
                raise Killed
            return real(*arguments)

        return call

    with monkeypatch.context() as patch:
        for name in ("_write", "_remember"):
            patch.setattr(packing, name, dying(getattr(packing, name)))
        for _ in range(len(fatal) + 1):
            try:
                packing.pack(path, kept, ROW, folder)
            except Killed:
                continue
    return step


@pytest.mark.parametrize(
    "kept", [[0, 1, 2], [1, 2], [0, 2], [2], [0], [0, 1, 5, 6, 7, 9, 13, 14], list(range(0, 15, 2))]
)
@pytest.mark.parametrize("batch", [ROW, 3 * ROW, 100 * ROW])
def test_any_kill_is_made_good(kept: list[int], batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_BATCH_BYTES", batch)
    rows = np.array(kept, dtype=np.int64)
    fatal = 0
    while True:
        folder = tmp_path / str(fatal)
        folder.mkdir()
        path, array = _pixels(folder, 15)
        steps = _pack_with_kills(path, rows, folder, {fatal}, monkeypatch)
        assert path.read_bytes() == array[rows].tobytes()
        if fatal > steps:
            break
        fatal += 1
    assert packing.was_begun(tmp_path / "0") == (kept != list(range(len(kept))))


@settings(max_examples=40)
@given(
    kept=st.sets(st.integers(0, 30), min_size=1), batch=st.integers(1, 8), fatal=st.sets(st.integers(1, 20), max_size=4)
)
def test_any_kills_of_any_rows(
    kept: set[int], batch: int, fatal: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, rows = tmp_path_factory.mktemp("packing"), np.array(sorted(kept), dtype=np.int64)
    path, array = _pixels(folder, 31)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_BATCH_BYTES", batch * ROW)
        _pack_with_kills(path, rows, folder, fatal, patch)
    assert path.read_bytes() == array[rows].tobytes()


def test_packing_again_after_it_was_done_changes_nothing(tmp_path: Path) -> None:
    path, array = _pixels(tmp_path, 9)
    rows = np.array([0, 3, 4, 8])
    for _ in range(2):
        packing.pack(path, rows, ROW, tmp_path)
        assert path.read_bytes() == array[rows].tobytes()
        path.write_bytes(path.read_bytes() + bytes(5 * ROW))  # as a build makes room again when it goes on


def test_other_rows_after_an_interrupted_packing_are_refused(tmp_path: Path) -> None:
    path, _ = _pixels(tmp_path, 9)
    packing.pack(path, np.array([0, 3]), ROW, tmp_path)
    with pytest.raises(StoreError, match="Delete"):
        packing.pack(path, np.array([0, 4]), ROW, tmp_path)
