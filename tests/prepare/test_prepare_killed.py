"""Killed by kill -9 at any moment and started again, a preparation ends with the bytes of an unbroken one."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import DataError

# Small tasks, and a journal that is written after each, so that a short run has as many moments as a long one.
SCRIPT = """
import sys
from chestxpert.dataset import prepare
from chestxpert.pixels import job, packing, pool
job._FLUSH_SECONDS, job._POOL_FROM, pool._TASK_IMAGES, packing._BATCH_BYTES = 0, 1, 4, 4 << 10
prepare(sys.argv[3:], sys.argv[2], size=64, workers=int(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def source(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Larger images in two archives and a folder; some stand twice, one is broken, one is missing, one unsafe."""
    folder = tmp_path_factory.mktemp("source")
    for path in tiny_nih.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    rng = np.random.default_rng(4)
    large = tmp_path_factory.mktemp("large")
    names = sorted(path.name for path in (tiny_nih / "images").iterdir())
    for name in names[1:]:
        Image.fromarray(rng.integers(0, 256, (300, 300), dtype=np.uint8)).save(large / name)
    (large / names[1]).write_bytes(b"no image")
    files = sorted(large.iterdir())
    (folder / "some").mkdir()
    for path in files[80:]:
        shutil.copy(path, folder / "some")
    with tarfile.open(folder / "images_001.tar.gz", "w:gz") as tar:
        for path in files[:50]:
            tar.add(path, f"images/{path.name}")
        tar.add(files[60], f"../{files[60].name}")
    with zipfile.ZipFile(folder / "images_002.zip", "w") as packed:
        for path in files[45:85]:
            packed.write(path, f"images/{path.name}")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def unbroken(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("unbroken") / "data"
    report = prepare(source, out, size=64, workers=1)
    assert sum(report.images.values()) == 118
    assert report.rejects == {"missing-image": 1, "duplicate-image": 10, "unsafe-member": 1, "undecodable": 1}
    return contents(out)


def start(source: Path, out: Path, workers: int = 2) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(workers), out, source])


def kill_when(process: "subprocess.Popen[bytes]", moment: Callable[[], bool]) -> bool:
    """Kill a process as soon as a moment has come; False if it ended before."""
    ends = time.monotonic() + 120
    while process.poll() is None and not moment():
        assert time.monotonic() < ends, "the moment never came"
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def check(source: Path, out: Path, unbroken: dict[str, bytes]) -> None:
    """Start again, and compare."""
    assert not out.exists() or contents(out) == unbroken
    if not out.exists():
        prepare(source, out, size=64, workers=1)
    assert contents(out) == unbroken
    assert not (out.parent / f".{out.name}.partial").exists()


@pytest.mark.parametrize("lines", [1, 8, 40, 90, 125])
def test_killed_when_the_journal_has_so_many_lines(
    lines: int, source: Path, unbroken: dict[str, bytes], tmp_path: Path
) -> None:
    out, journal = tmp_path / "data", tmp_path / ".data.partial" / "journal.jsonl"
    written = lines * 40
    assert kill_when(start(source, out), lambda: size_of(journal) > written)
    with pytest.raises(DataError, match="no data set"):
        Dataset.load(out)
    check(source, out, unbroken)


@pytest.mark.parametrize(
    "appears", ["packing.u8", "data/index.parquet", "data/store.json", "data/cohort.parquet", "data/dataset.json"]
)
def test_killed_when_a_file_appears(appears: str, source: Path, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "data"
    kill_when(start(source, out), lambda: (tmp_path / ".data.partial" / appears).exists() or out.exists())
    if out.exists():  # it was faster than we are
        shutil.rmtree(tmp_path / ".data.partial", ignore_errors=True)
    check(source, out, unbroken)


def test_killed_again_and_again_at_random(source: Path, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    out, chance = tmp_path / "data", random.Random(os.environ.get("PYTEST_XDIST_WORKER", "main"))
    journal = tmp_path / ".data.partial" / "journal.jsonl"
    for _ in range(4):
        due = size_of(journal) + chance.randrange(1, 4000)
        kill_when(start(source, out, chance.choice([1, 3])), lambda due=due: size_of(journal) > due or out.exists())
        if out.exists():  # it was faster than we are
            shutil.rmtree(journal.parent, ignore_errors=True)
            break
    check(source, out, unbroken)


def test_what_was_done_before_a_kill_is_not_done_again(
    source: Path, unbroken: dict[str, bytes], tmp_path: Path
) -> None:
    out, journal = tmp_path / "data", tmp_path / ".data.partial" / "journal.jsonl"
    assert kill_when(start(source, out), lambda: size_of(journal) > 5000)
    done: list[int] = []
    report = prepare(source, out, size=64, workers=1, progress=lambda count, _: done.append(count))
    taken_over = int(report.remarks[0].split()[0])
    assert taken_over > 30
    assert taken_over + done[-1] <= 119 + 10  # ten images stand twice, and may come in the wrong order
    assert contents(out) == unbroken


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_politely_the_command_says_that_it_goes_on(
    number: signal.Signals, source: Path, unbroken: dict[str, bytes], tmp_path: Path
) -> None:
    out, journal = tmp_path / "data", tmp_path / ".data.partial" / "journal.jsonl"
    words = [sys.executable, "-m", "chestxpert", "data", "prepare", source, "--out", out, "--size", "64"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts) as process:
        while not journal.exists():
            time.sleep(0.0005)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert told.endswith("chestxpert: interrupted. Go on where it stopped with the same command.\n")
    assert "Traceback" not in told
    assert not out.exists()
    check(source, out, unbroken)


def hear_interrupts() -> None:
    """Undo what a shell that starts the tests in the background hands down: deaf ears for Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_another_job_begins_anew_and_says_so(source: Path, unbroken: dict[str, bytes], tmp_path: Path) -> None:
    out, journal = tmp_path / "data", tmp_path / ".data.partial" / "journal.jsonl"
    assert kill_when(start(source, out), lambda: size_of(journal) > 3000)
    report = prepare(source, out, size=32, workers=1)
    assert "begun anew" in report.summary()
    assert Dataset.load(out).store.size == 32


def test_a_torn_journal_and_lost_pixels_after_a_power_cut(
    source: Path, unbroken: dict[str, bytes], tmp_path: Path
) -> None:
    out, aside = tmp_path / "data", tmp_path / ".data.partial"
    assert kill_when(start(source, out), lambda: size_of(aside / "journal.jsonl") > 5000)
    with (aside / "journal.jsonl").open("ab") as file:
        file.write(b'["image",1,"images/0000')
    kept = shutil.copytree(aside, tmp_path / "kept")
    check(source, out, unbroken)
    shutil.rmtree(out)
    shutil.copytree(kept, aside)
    (aside / "data" / "pixels.u8").unlink()
    check(source, out, unbroken)


def test_what_is_left_after_the_last_rename_is_cleared_up(
    source: Path, unbroken: dict[str, bytes], tmp_path: Path
) -> None:
    out, aside = tmp_path / "data", tmp_path / ".data.partial"
    prepare(source, out, size=64, workers=1)
    aside.mkdir()
    (aside / "journal.jsonl").touch()
    with pytest.raises(DataError, match="finished data set"):
        prepare(source, out, size=64, workers=1)
    assert not aside.exists()
    assert contents(out) == unbroken
