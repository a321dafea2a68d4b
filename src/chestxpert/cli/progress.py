"""Progress on stderr: bars with time left on a terminal, now and then a line anywhere else."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from tqdm import tqdm

from chestxpert.progress import BYTES, Progress, Tick, size_text

EVERY = 15.0
"""Seconds between two lines about the same work where there is no terminal."""


def progress_on_stderr() -> Progress:
    """Bars if stderr is a terminal, else lines."""
    return Bars(sys.stderr) if sys.stderr.isatty() else Lines(sys.stderr)


@contextlib.contextmanager
def bar_when_known(progress: Progress, label: str, unit: str = "image") -> Iterator[Callable[[int, int], None]]:
    """Context for work that learns its size on the way: gives a function to be called with (done so far, total)."""
    with contextlib.ExitStack() as stack:
        tick: Tick | None = None
        before = 0

        def report(done: int, total: int) -> None:
            nonlocal tick, before
            if tick is None:
                tick = stack.enter_context(progress.bar(label, total, unit))
            tick(done - before)
            before = done

        yield report


class Bars(Progress):
    """Bars, one below the other where work is inside other work; inner ones vanish when they are done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._open: list[tqdm[Any]] = []

    @contextlib.contextmanager
    def bar(self, label: str, total: int, unit: str = "image", *, before: int = 0) -> Iterator[Tick]:
        """See `Progress.bar`."""
        counted = "{n_fmt}B/{total_fmt}B, {rate_fmt}" if unit == BYTES else "{n_fmt}/{total_fmt} {unit}s"
        bar: tqdm[Any] = tqdm(
            desc=f"{label:<38}",
            total=total,
            initial=before,
            unit=unit,
            unit_scale=unit == BYTES,
            file=self._stream,
            leave=not self._open,
            dynamic_ncols=True,
            bar_format="{desc} {percentage:3.0f} %|{bar}| " + counted + ", {remaining} left",
        )
        self._open.append(bar)
        try:
            yield self._tick(bar, total)
        finally:
            self._open.remove(bar)
            bar.close()

    def _tick(self, bar: tqdm[Any], total: int) -> Tick:
        def tick(done: int) -> None:
            bar.total = max(total, bar.n + done)  # the total may have been an estimate
            bar.update(done)

        return tick

    def note(self, text: str) -> None:
        """See `Progress.note`."""
        tqdm.write(text, file=self._stream)


class Lines(Progress):
    """A line at the end of each work, and for long work one every `EVERY` seconds; never a flood in a log.

    Short work inside other work (one of many networks, say) has no line of its own.
    """

    def __init__(self, stream: TextIO, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._every, self._clock = stream, every, clock
        self._depth = 0

    @contextlib.contextmanager
    def bar(self, label: str, total: int, unit: str = "image", *, before: int = 0) -> Iterator[Tick]:
        """See `Progress.bar`."""
        started = told = self._clock()
        so_far = before

        def tick(done: int) -> None:
            nonlocal so_far, told
            so_far += done
            now = self._clock()
            if now - told >= self._every and before < so_far < total:
                told = now
                rate = (so_far - before) / (now - started)
                counted = _counted(unit, so_far, total) + _rate(unit, rate)
                self.note(f"{label}: {counted}, {_clock_time((total - so_far) / rate)} left")

        self._depth += 1
        try:
            yield tick
        finally:
            self._depth -= 1
        taken = self._clock() - started
        if self._depth == 0 or taken >= self._every:
            rate = _rate(unit, (so_far - before) / taken if taken > 0 else 0)
            self.note(f"{label}: {_counted(unit, so_far)} in {_clock_time(taken)}{rate}")

    def note(self, text: str) -> None:
        """See `Progress.note`."""
        # Whoever reads the log may leave; that must not stop hours of training.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(f"{text}\n")
            self._stream.flush()


def _counted(unit: str, done: int, total: int | None = None) -> str:
    """'29 of 100 images', '1.2 GB of 45.1 GB'; without a total '100 images', '45.1 GB'."""
    if unit == BYTES:
        return size_text(done) if total is None else f"{size_text(done)} of {size_text(total)}"
    return f"{done} {unit}s" if total is None else f"{done} of {total} {unit}s"


def _rate(unit: str, per_second: float) -> str:
    """', 24.1 MB/s' for bytes; nothing for what is better told in the time that is left."""
    return f", {size_text(per_second)}/s" if unit == BYTES and per_second > 0 else ""


def _clock_time(seconds: float) -> str:
    """'0:07', '12:30', '1:02:03'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
