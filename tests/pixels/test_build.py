"""Images end in the store in order, whatever happens to some of them and however many processes work."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestxpert.errors import DataError, StoreError
from chestxpert.pixels import pool
from chestxpert.pixels.build import build_store, find_images
from chestxpert.pixels.pool import decode_into
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.store import ImageStore


def _images(folder: Path, count: int, size: int = 20) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = {f"{i:03d}.png": folder / f"{i:03d}.png" for i in range(count)}
    for i, path in enumerate(paths.values()):
        Image.fromarray(np.full((size, size), i % 256, np.uint8)).save(path)
    return paths


def test_every_image_has_its_row(tmp_path: Path) -> None:
    images = _images(tmp_path / "in", 40)
    out = tmp_path / "out"
    out.mkdir()
    steps: list[tuple[int, int]] = []
    assert build_store(images, out, Preprocess(16), "nih: in", 1, lambda done, total: steps.append((done, total))) == []
    store = ImageStore.open(out)
    assert store.pixels.shape == (40, 16, 16)
    assert [int(row[3, 3]) for row in store.pixels] == list(range(40))
    assert store.index[["width", "height"]].drop_duplicates().to_numpy().tolist() == [[20, 20]]
    assert steps[-1] == (40, 40)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


@pytest.mark.parametrize("broken", [[0], [39], [0, 1, 17, 18, 38], list(range(39))])
def test_gaps_of_undecodable_images_are_closed(tmp_path: Path, broken: list[int]) -> None:
    images = _images(tmp_path / "in", 40)
    names = list(images)
    for i in broken:
        images[names[i]].write_text("no image")
    out = tmp_path / "out"
    out.mkdir()
    rejects = build_store(images, out, Preprocess(16), "nih: in", 1)
    assert [(reject.image_id, reject.reason) for reject in rejects] == [(names[i], "undecodable") for i in broken]
    store = ImageStore.open(out)
    store.verify()
    left = [i for i in range(40) if i not in broken]
    assert store.image_ids.tolist() == [names[i] for i in left]
    assert [int(row[3, 3]) for row in store.pixels] == left


def test_nothing_decodable_is_an_error_with_an_example(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(DataError, match=r"None of the 1 images .*a\.png cannot be decoded"):
        build_store({"a.png": tmp_path / "a.png"}, tmp_path, Preprocess(16), "nih", 1)
    with pytest.raises(DataError, match="no image to decode"):
        build_store({}, tmp_path, Preprocess(16), "nih", 1)


def test_several_processes_write_the_same_bytes_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_POOL_FROM", 1)
    images = _images(tmp_path / "in", 70)
    images["013.png"].write_text("no image")
    sums = set()
    for workers in (1, 2):
        out = tmp_path / str(workers)
        out.mkdir()
        assert [r.image_id for r in build_store(images, out, Preprocess(16), "nih", workers)] == ["013.png"]
        sums.add((ImageStore.open(out).fingerprint, (out / "store.json").read_text()))
    assert len(sums) == 1


def test_an_interrupt_reaches_the_caller_and_ends_the_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_POOL_FROM", 1)
    images = _images(tmp_path / "in", 80)
    (tmp_path / "pixels.u8").write_bytes(b"\0" * (80 * 256))
    calls = []

    def interrupt(done: int, total: int) -> None:
        calls.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_into(tmp_path / "pixels.u8", list(images.values()), Preprocess(16), 2, interrupt)
    assert len(calls) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from chestxpert.pixels import pool
from chestxpert.pixels.preprocess import Preprocess
pool._POOL_FROM = 1
folder = Path(sys.argv[1])
def die(done, total):
    Path(folder, "workers").write_text(" ".join(str(p) for p in pids))
    os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    import multiprocessing
    real, pids = pool.ProcessPoolExecutor.submit, []
    def submit(self, *args):
        future = real(self, *args)
        pids[:] = list(self._processes)
        return future
    pool.ProcessPoolExecutor.submit = submit
    pool.decode_into(folder / "pixels.u8", sorted((folder / "in").iterdir()), Preprocess(16), 2, die)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    _images(tmp_path / "in", 80)
    (tmp_path / "pixels.u8").write_bytes(b"\0" * (80 * 256))
    (tmp_path / "killed.py").write_text(KILLED)
    ended = subprocess.run([sys.executable, tmp_path / "killed.py", tmp_path], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    workers = (tmp_path / "workers").read_text().split()
    assert len(workers) >= 1
    for worker in workers:
        _wait_until_gone(worker)


def _wait_until_gone(pid: str) -> None:
    """Return when no process has this id, or only a zombie that nobody has collected; fail after 10 s."""
    for _ in range(200):
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        subprocess.run(["sleep", "0.05"], check=True)
    pytest.fail(f"worker {pid} outlives its parent")


def test_a_worker_that_dies_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_POOL_FROM", 1)
    monkeypatch.setattr(pool, "_start_worker", os.abort)
    images = _images(tmp_path / "in", 40)
    (tmp_path / "pixels.u8").write_bytes(b"\0" * (40 * 256))
    with pytest.raises(StoreError, match="--workers 1"):
        decode_into(tmp_path / "pixels.u8", list(images.values()), Preprocess(16), 2)


def test_images_are_found_at_any_depth_and_through_links(tmp_path: Path) -> None:
    _images(tmp_path / "elsewhere", 2)
    source = tmp_path / "source"
    _images(source / "images_001" / "images", 1)
    (source / "linked").symlink_to(tmp_path / "elsewhere")
    (source / "linked" / "round").symlink_to(source)  # a circle
    (source / "Z.JPG").touch()
    (source / "notes.txt").touch()
    images, rejects = find_images(source)
    assert list(images) == ["000.png", "001.png", "Z.JPG"]
    assert images["000.png"] == source / "images_001" / "images" / "000.png"
    assert [(r.image_id, r.reason, r.detail) for r in rejects] == [
        ("000.png", "duplicate-image", "linked/000.png; images_001/images/000.png is used")
    ]
