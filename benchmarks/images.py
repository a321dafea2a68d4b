"""Rates of drawing and of preparing images, each beside what it is measured against.

    python benchmarks/images.py [--images 2000] [--size 224] [--rounds 3] [--originals FOLDER] [--workers N]

Prints the median of the rounds, with its range:

- simulate: images a second of a whole `chestxpert data simulate`, files and tables included, on all cores.
- prepare from files, tar.gz, zip: time that Pillow takes on one core to decode the same images to grey, over that of a
  whole `chestxpert data prepare`. Cores that did nothing but decode as Pillow does would reach their number. The same
  of processors' time, which other work on the machine disturbs less. And the time all of ChestX-ray14 would take.
- memory: the largest peak of a process that decodes.

Images are 1024 px. With a folder of NIH's own files each of these is used many times, told apart by a text chunk, so
that they stay encoded as NIH encoded them; without one, they are drawn.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import struct
import tarfile
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from chestxpert.dataset import prepare
from chestxpert.processes import available_cores
from chestxpert.simulator import simulate

NIH_IMAGES = 112_120
KINDS = ("files", "tar.gz", "zip")
ARCHIVES = 2
FINDINGS = ("No Finding", "Effusion", "Mass", "Effusion|Mass")
ORIGINALS = Path(__file__).resolve().parents[2] / "shared" / "data" / "nih-originals"


def seconds(work: Callable[[], object]) -> float:
    """Time that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Taken(NamedTuple):
    """Seconds on the clock, and of processors: those of this process and of the ones it started."""

    clock: float
    processors: float


def measured(work: Callable[[], object]) -> Taken:
    """What `work` takes."""
    before = os.times()
    clock = seconds(work)
    after = os.times()
    return Taken(clock, sum(after[:4]) - sum(before[:4]))


def decode_all(folder: Path) -> None:
    """Decode every PNG below `folder` to grey, as plainly as can be."""
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            np.asarray(image.convert("L"))


def with_text(png: bytes, text: str) -> bytes:
    """Put a text chunk before the last chunk (IEND, 12 bytes) of a PNG."""
    body = b"tEXtComment\0" + text.encode()
    return png[:-12] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + png[-12:]


def make_files(folder: Path, originals: Path | None, count: int) -> None:
    """Make a folder in NIH's layout with `count` images of 1024 px."""
    if originals is None:
        simulate(folder, images=count, size=1024)
        return
    sources = [path.read_bytes() for path in sorted(originals.glob("*.png"))]
    (folder / "images").mkdir(parents=True)
    with (folder / "Data_Entry_2017_v2020.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Image Index", "Finding Labels", "Patient ID"])
        for number in range(count):
            name = f"{number:08d}_000.png"
            table.writerow([name, FINDINGS[number % len(FINDINGS)], number])
            (folder / "images" / name).write_bytes(with_text(sources[number % len(sources)], name))


def make_archives(files: Path, folder: Path, kind: str) -> None:
    """Pack the images of a folder into archives of one kind; the tables lie beside them."""
    folder.mkdir()
    for path in files.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    images = sorted((files / "images").iterdir())
    for number in range(ARCHIVES):
        path = folder / f"images_{number + 1:03d}.{kind}"
        part = images[number * len(images) // ARCHIVES : (number + 1) * len(images) // ARCHIVES]
        if kind == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
                for image in part:
                    packed.write(image, f"images/{image.name}")
        else:
            with tarfile.open(path, "w:gz", compresslevel=6) as tar:
                for image in part:
                    tar.add(image, f"images/{image.name}")


class ChildrenPeak:
    """Watches the processes that this one starts: the largest peak of memory of any (Linux only, else 0)."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> ChildrenPeak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            for status in Path("/proc").glob("[0-9]*/status"):
                try:
                    facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
                except OSError:  # it has ended
                    continue
                if int(facts["PPid"]) == os.getpid() and "VmHWM" in facts:
                    self.megabytes = max(self.megabytes, int(facts["VmHWM"].split()[0]) / 1024)


def spread(values: list[float], digits: int = 2) -> str:
    """Median and range."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def simulate_rate(images: int, seed: int) -> float:
    """Images a second of simulating at 224 px."""
    with tempfile.TemporaryDirectory() as scratch:
        return images / seconds(lambda: simulate(Path(scratch) / "images", images=images, size=224, seed=seed))


def prepare_round(room: Path, size: int, workers: int | None) -> dict[str, Taken]:
    """What Pillow takes, and preparing from each kind of source."""
    taken = {"pillow": measured(lambda: decode_all(room / "files"))}
    for kind in KINDS:
        with tempfile.TemporaryDirectory(dir=room) as out:
            taken[kind] = measured(lambda: prepare(room / kind, Path(out) / "data", size=size, workers=workers))  # noqa: B023
    return taken


def main() -> None:
    """Make images, prepare, decode, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--originals", type=Path, default=ORIGINALS if ORIGINALS.is_dir() else None)
    arguments = parser.parse_args()
    cores = available_cores()
    kind = "drawn" if arguments.originals is None else "NIH's own"
    print(f"{arguments.images} images of 1024 px ({kind}) to {arguments.size} px, {cores} cores")
    with tempfile.TemporaryDirectory() as scratch:
        room = Path(scratch)
        make_files(room / "files", arguments.originals, arguments.images)
        for packed in KINDS[1:]:
            make_archives(room / "files", room / packed, packed)
        with ChildrenPeak() as peak:
            rounds = [prepare_round(room, arguments.size, arguments.workers) for _ in range(arguments.rounds)]
    alone = [1e3 * one["pillow"].clock / arguments.images for one in rounds]
    print(f"Pillow alone, one core: {spread(alone)} ms an image")
    for name in KINDS:
        ratios = [one["pillow"].clock / one[name].clock for one in rounds]
        shares = [one["pillow"].processors / one[name].processors for one in rounds]
        minutes = [one[name].clock / arguments.images * NIH_IMAGES / 60 for one in rounds]
        print(f"prepare from {name}: {spread(ratios)} x Pillow alone, {spread([r / cores for r in ratios])} a core")
        print(f"    of processors' time: {spread(shares)}; {NIH_IMAGES:,} images in {spread(minutes, 1)} minutes")
    print(f"memory: at most {peak.megabytes:.0f} MB a process that decodes")
    rates = [simulate_rate(min(arguments.images, 1000), turn) for turn in range(arguments.rounds)]
    print(f"simulate: {spread(rates)} images/s")


if __name__ == "__main__":
    main()
