"""One decoding process, seen from outside."""

from __future__ import annotations

from pathlib import Path

from chestxpert import processes
from chestxpert.pixels.preprocess import Preprocess
from chestxpert.processes import DiedError as DiedError

_START = processes.main_of("chestxpert.pixels.worker")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Process(processes.Process):
    """A process that decodes into `pixels`."""

    def __init__(self, pixels: Path, preprocess: Preprocess) -> None:
        super().__init__(_START, _ONE_THREAD)
        self.send((pixels, preprocess))
