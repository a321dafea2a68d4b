"""The images of augmented copies: made one by one, each from a random stream of its own, and written as PNG."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from chestxpert.copies.table import CopyTable
from chestxpert.pixels.augment import augment
from chestxpert.processes import available_cores
from chestxpert.recipe import Augment
from chestxpert.simulator.drawing import NOTICE
from chestxpert.streams import stream_seed

Progress = Callable[[int, int], None]
"""Called as progress(done, total) from the thread that writes copies."""

_CHUNK = 16  # copies a task: some 50 ms of work


def changed_copy(image: npt.NDArray[np.uint8], settings: Augment, seed: int, copy_id: str) -> npt.NDArray[np.uint8]:
    """One augmented copy of an image.

    Parameters
    ----------
    image : (H, W) uint8 array
    settings : Augment
        Largest change of each kind. None of them turns a chest upside down.
    seed : int
    copy_id : str
        Names the random stream, so that a copy is the same whatever is made before, beside or after it.

    Returns
    -------
    (H, W) uint8 array
    """
    generator = torch.Generator().manual_seed(stream_seed(seed, "copy", copy_id))
    batch = torch.from_numpy(np.array(image))[None, None]
    return augment(batch, settings, generator)[0, 0].round().to(torch.uint8).numpy()


@dataclass(frozen=True, eq=False)
class CopyWriter:
    """Writes copies as 8-bit grey PNG files.

    Parameters
    ----------
    folder : Path
        Receives ``ID`` for each copy.
    pixels : (N, H, W) uint8 array
        Where the images that are copied lie.
    settings : Augment
    seed : int
    simulated : bool
        Whether they are drawings, which each file then says.
    """

    folder: Path
    pixels: npt.NDArray[np.uint8]
    settings: Augment
    seed: int
    simulated: bool

    def write_all(
        self, table: CopyTable, rows: Sequence[int], workers: int | None = None, progress: Progress | None = None
    ) -> None:
        """Write the image of each copy of `table`, made from the row of `pixels` that stands at its place in `rows`.

        The files are the same whatever the number of `workers`. They are threads: PyTorch and zlib work outside the
        interpreter's lock, and processes would each import PyTorch first.
        """
        for folder in {(self.folder / name).parent for name in table.ids}:
            folder.mkdir(parents=True, exist_ok=True)
        chunks = [slice(start, start + _CHUNK) for start in range(0, len(table), _CHUNK)]
        pool = ThreadPoolExecutor(min(workers or available_cores(), len(chunks)))
        done = 0
        with one_torch_thread():
            try:
                for count in pool.map(lambda part: self._write(table, rows, part), chunks):
                    done += count
                    if progress is not None:
                        progress(done, len(table))
            finally:  # on Ctrl-C what has not begun is dropped
                pool.shutdown(wait=True, cancel_futures=True)

    def _write(self, table: CopyTable, rows: Sequence[int], part: slice) -> int:
        for copy_id, origin, row in zip(table.ids[part], table.origins[part], rows[part], strict=True):
            image = changed_copy(self.pixels[row], self.settings, self.seed, copy_id)
            about = PngInfo()
            about.add_text("Comment", f"{NOTICE} " * self.simulated + f"Augmented copy of {origin}.")
            # Run lengths only: half the time of zlib's default search for repeats, and no larger files.
            Image.fromarray(image).save(self.folder / copy_id, format="PNG", compress_type=zlib.Z_RLE, pnginfo=about)
        return len(table.ids[part])


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Context in which an operation stays in its thread: with several at once, more would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
