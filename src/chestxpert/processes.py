"""Processes of our own that work through tasks: both ends of the pipes between them and us.

They are plain subprocesses: a script that starts some needs no guard, and they end when whoever started them does,
even by kill -9.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import IO, Any


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class DiedError(Exception):
    """A process ended before it answered."""


def main_of(module: str) -> str:
    """Program of a process that does what ``main`` of a module does, with our ``sys.path``."""
    return f"import sys; sys.path[:] = sys.argv[1:]; from {module} import main; main()"


class Process:
    """One process, seen from outside.

    Parameters
    ----------
    program : str
        As `main_of` gives it, of a ``main`` that calls `tasks_from_parent`.
    environment : mapping of str to str, optional
        Variables that it has beside ours.
    """

    def __init__(self, program: str, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | dict(environment or {}),
            start_new_session=True,  # Ctrl-C is for the parent
        )

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

    def wait(self, seconds: float) -> None:
        """Give a process that is about to end the time to do so by itself."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def end(self) -> int:
        """End it and close its pipes; returns its exit status, negative for the signal that ended it."""
        self._process.kill()
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):  # of what was not sent any more
                pipe.close()
        return status


class Answers:
    """Where a process's answers go."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    def send(self, answer: object) -> None:
        """Answer the oldest task that has no answer yet."""
        pickle.dump(answer, self._pipe, protocol=pickle.HIGHEST_PROTOCOL)
        self._pipe.flush()


def tasks_from_parent() -> tuple[Iterator[Any], Answers]:
    """Inside a process: the tasks it is sent, and where its answers go.

    Tasks are read ahead while one is worked on. When the parent has gone, so does this process, at once and whatever
    it is doing. What a library prints goes to stderr, not among the answers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(source, tasks), daemon=True).start()
    return _forever(tasks), Answers(answers)


def _receive(source: IO[bytes], tasks: queue.SimpleQueue[Any]) -> None:
    with contextlib.suppress(Exception):
        while True:
            tasks.put(pickle.load(source))
    os._exit(0)


def _forever(tasks: queue.SimpleQueue[Any]) -> Iterator[Any]:
    while True:
        yield tasks.get()
