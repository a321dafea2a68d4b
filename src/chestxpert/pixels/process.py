"""One decoding process, seen from outside."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from chestxpert.pixels.preprocess import Preprocess

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_START = "import sys; sys.path[:] = sys.argv[1:]; from chestxpert.pixels.worker import main; main()"


class DiedError(Exception):
    """A process ended before it answered."""


class Process:
    """One process and the pipes to it."""

    def __init__(self, pixels: Path, preprocess: Preprocess) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | _ONE_THREAD,
            start_new_session=True,  # Ctrl-C is for the parent
        )
        self.send((pixels, preprocess))

    def send(self, task: object) -> None:
        """Hand over a task; that the process is gone shows when its answer is asked for."""
        assert self._process.stdin is not None
        with suppress(OSError):
            pickle.dump(task, self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()

    def receive(self) -> Any:
        """Its next answer."""
        assert self._process.stdout is not None
        try:
            return pickle.load(self._process.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise DiedError from error

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def end(self) -> None:
        """End it and close its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):  # of what was not sent any more
                pipe.close()
