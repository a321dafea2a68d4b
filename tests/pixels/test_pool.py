"""Processes decode each image once; one that dies loses nothing but the image it died over."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestxpert.errors import StoreError
from chestxpert.pixels import pool, process
from chestxpert.pixels.outcomes import Outcome, Picture, Refused
from chestxpert.pixels.pool import decode_here, decode_in_processes
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.pixels.sources import Place
from chestxpert.pixels.waiting import Item, Queue

DEADLY = b"deadly"

# Starts a worker whose decoder aborts, as a native decoder may, over one kind of image.
ABORTING = """
import sys; sys.path[:] = sys.argv[1:]
import os
from chestxpert.pixels import preprocess, worker
real = preprocess.read_image
preprocess.read_image = lambda data, grey: os.abort() if data == b"deadly" else real(data, grey=grey)
worker.main()
"""


@pytest.fixture
def pixels(tmp_path: Path) -> Path:
    (tmp_path / "pixels.u8").write_bytes(bytes(100 * 256))
    return tmp_path / "pixels.u8"


def _png(grey: int) -> bytes:
    import io

    file = io.BytesIO()
    Image.fromarray(np.full((20, 30), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def _full_queue(bodies: Sequence[bytes]) -> Queue:
    queue = Queue()
    for row, body in enumerate(bodies):
        queue.put(Item(row, Place(0, f"{row}.png", row), body))
    queue.close()
    return queue


def _all(bodies: Sequence[bytes], pixels: Path, workers: int) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {}
    with closing(decode_in_processes(_full_queue(bodies), pixels, Preprocess(16), workers)) as done:
        for items, results in done:
            for item, outcome in zip(items, results, strict=True):
                assert item.row not in outcomes
                outcomes[item.row] = outcome
    return outcomes


@pytest.mark.parametrize("workers", [1, 3])
def test_every_row_is_filled(workers: int, pixels: Path) -> None:
    outcomes = _all([_png(grey) for grey in range(100)], pixels, workers)
    assert outcomes == dict.fromkeys(range(100), Picture(30, 20, 8, "grey", "png"))
    assert [row[130] for row in np.frombuffer(pixels.read_bytes(), np.uint8).reshape(100, 256)] == list(range(100))


def test_here_and_in_processes_the_same_comes_out(pixels: Path) -> None:
    bodies = [_png(1), b"no image", _png(3)]
    outcomes = _all(bodies, pixels, 1)
    there = pixels.read_bytes()
    pixels.write_bytes(bytes(100 * 256))
    ((_, here),) = (done for done in decode_here(_full_queue(bodies), pixels, Preprocess(16)) if done[0])
    assert dict(enumerate(here)) == outcomes
    assert pixels.read_bytes() == there
    assert isinstance(here[1], Refused)
    assert here[1].certain


@pytest.mark.parametrize("deadly", [[0], [5, 6, 40], [99]])
def test_an_image_that_kills_takes_no_other_with_it(
    deadly: list[int], pixels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_START", ABORTING)
    outcomes = _all([DEADLY if row in deadly else _png(row) for row in range(100)], pixels, 2)
    assert [row for row in range(100) if isinstance(outcomes[row], Refused)] == deadly
    assert all(outcomes[row] == Refused("a process died while decoding it", certain=False) for row in deadly)
    greys = np.frombuffer(pixels.read_bytes(), np.uint8).reshape(100, 256)[:, 130]
    assert [int(grey) for grey in greys] == [0 if row in deadly else row for row in range(100)]


def test_deaths_without_end_are_an_error(pixels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_START", ABORTING)
    monkeypatch.setattr(pool, "_MOST_DEATHS", 2)
    with pytest.raises(StoreError, match=r"died over 3 of them.*--workers 1"):
        _all([DEADLY] * 20, pixels, 1)


def test_processes_that_cannot_start_are_an_error(pixels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_START", "import sys; sys.exit(1)")
    with pytest.raises(StoreError, match="cannot be started"):
        _all([_png(1)], pixels, 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error(pixels: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        _all([_png(1)], Path("/dev/full"), 1)
    with pytest.raises(StoreError, match="cannot be written"):
        list(decode_here(_full_queue([_png(1)]), Path("/dev/full"), Preprocess(16)))


def test_an_interrupt_reaches_the_caller_and_ends_everything(pixels: Path) -> None:
    queue = Queue()
    feeding = threading.Thread(target=lambda: all(queue.put(Item(0, Place(0, "", 0), _png(1))) for _ in range(10**9)))
    feeding.start()
    done = decode_in_processes(queue, pixels, Preprocess(16), 2)
    assert next(items for items, _ in done if items)
    done.close()
    feeding.join(timeout=20)
    assert not feeding.is_alive()
    assert queue.take(1, 1) == []


def test_a_queue_holds_little_and_gives_what_is_there() -> None:
    queue = Queue(limit=1 << 20)
    items = [Item(row, Place(0, "", row), bytes(300 << 10)) for row in range(7)]
    feeding = threading.Thread(target=lambda: [queue.put(item) for item in items] and queue.close())
    feeding.start()
    got = queue.take(1, 1)
    time.sleep(0.05)
    got += queue.take(100, 100 << 20)
    assert len(got) <= 4
    while taken := queue.take(2, 100 << 20):
        assert len(taken) <= 2
        got += taken
    feeding.join()
    assert got == items
    assert Queue().take(1, 1, wait=0) == []
    assert queue.ended
    assert not Queue().ended


def test_a_queue_gives_few_large_items_at_a_time_but_one_at_least() -> None:
    queue = Queue()
    for row in range(4):
        queue.put(Item(row, Place(0, "", row), bytes(1 << 20)))
    assert [len(queue.take(16, 2 << 20)), len(queue.take(16, 1))] == [2, 1]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_pool import _full_queue, _png
from chestxpert.pixels import pool
from chestxpert.pixels.preprocess import Preprocess
processes, real = [], pool.Process
class Noted(real):
    def __init__(self, *arguments):
        real.__init__(self, *arguments)
        processes.append(self._process.pid)
pool.Process = Noted
folder = Path(sys.argv[1])
for _ in pool.decode_in_processes(_full_queue([_png(1)] * 80), folder / "pixels.u8", Preprocess(16), 2):
    (folder / "workers").write_text(" ".join(map(str, processes)))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_end_when_their_parent_is_killed(pixels: Path, tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, tmp_path, Path(__file__).parent], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    workers = (tmp_path / "workers").read_text().split()
    assert len(workers) == 2
    for worker in workers:
        _wait_until_gone(worker)


def _wait_until_gone(pid: str) -> None:
    """Return when no process has this id, or only a zombie that nobody has collected; fail after 20 s."""
    for _ in range(400):
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} outlives its parent")


def test_processes_load_little(pixels: Path) -> None:
    """Each of them starts for itself: pandas or torch would cost a second and hundreds of megabytes."""
    code = "import sys; from chestxpert.pixels import worker; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"pandas", "pyarrow", "torch", "scipy", "pydicom"} & set(loaded)
