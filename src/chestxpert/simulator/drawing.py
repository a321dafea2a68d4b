"""Drawing many images, in this process or in several, with the same bytes either way."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from chestxpert.errors import DataError
from chestxpert.simulator.canvas import Box
from chestxpert.simulator.render import Scene, render

Progress = Callable[[int, int], None]
NOTICE = "SIMULATED by ChestXpert's simulator: a drawing, not a radiograph, and of no person."
_CHUNK = 32  # images a task: large enough that sending it costs nothing, small enough for a smooth bar
_ALONE = 250 * 224 * 224  # pixels below which starting another process costs more than it saves


@dataclass(frozen=True)
class Job:
    """A few images to draw and where to put them."""

    scenes: tuple[Scene, ...]
    folder: Path
    size: int
    difficulty: float
    seed: int


def image_id(scene: Scene) -> str:
    """File name in NIH's pattern, PPPPPPPP_FFF.png."""
    return f"{scene.patient:08d}_{scene.follow_up:03d}.png"


def draw_job(job: Job) -> list[tuple[str, str, Box]]:
    """Draw a job's images and write them as 8-bit grey PNG.

    Parameters
    ----------
    job : Job
        What to draw.

    Returns
    -------
    list of tuple
        image_id, finding, and box in fractions of the side, for every sign drawn.
    """
    boxes = []
    for scene in job.scenes:
        drawing = render(scene, job.size, job.difficulty, job.seed)
        info = PngInfo()
        info.add_text("Comment", NOTICE)
        image = Image.fromarray(drawing.pixels)
        # run lengths only: a search for repeats in noise takes longer and finds nothing
        image.save(job.folder / image_id(scene), format="PNG", compress_type=zlib.Z_RLE, pnginfo=info)
        boxes += [(image_id(scene), finding, box) for finding, box in drawing.boxes]
    return boxes


def draw_all(
    scenes: Sequence[Scene],
    folder: Path,
    *,
    size: int,
    difficulty: float,
    seed: int,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[tuple[str, str, Box]]:
    """Draw all scenes into `folder`, which exists; boxes come back in the scenes' order.

    Raises
    ------
    DataError
        If the worker processes died.
    """
    jobs = [
        Job(tuple(scenes[start : start + _CHUNK]), folder, size, difficulty, seed)
        for start in range(0, len(scenes), _CHUNK)
    ]
    boxes: list[tuple[str, str, Box]] = []
    done = 0
    for job, found in zip(jobs, _results(jobs, workers or _useful_workers(len(scenes), size)), strict=True):
        boxes += found
        done += len(job.scenes)
        if progress is not None:
            progress(done, len(scenes))
    return boxes


def _useful_workers(images: int, size: int) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(images * size * size / _ALONE)))


def _results(jobs: Sequence[Job], workers: int) -> Iterator[list[tuple[str, str, Box]]]:
    if workers == 1:
        yield from map(draw_job, jobs)
        return
    # spawn: forking a process that runs threads, as a caller with torch loaded does, can lock up
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts_to_parent)
    try:
        yield from pool.map(draw_job, jobs)
    except BrokenProcessPool as error:
        raise DataError(
            "A drawing process ended before its work was done. If this is a script of your own, put the call "
            "under `if __name__ == '__main__':`, or ask for workers=1; otherwise memory may have run out."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
