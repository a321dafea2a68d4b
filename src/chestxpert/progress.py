"""Progress: how long work tells whoever is waiting, without knowing whether that is a terminal or nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

Tick = Callable[[int], None]

BYTES = "B"
"""Unit of work that is counted in bytes: it is told in kB, MB or GB, and at what rate."""


class Progress:
    """Silent progress, and the interface of those that speak."""

    @contextlib.contextmanager
    def bar(self, label: str, total: int, unit: str = "image", *, before: int = 0) -> Iterator[Tick]:
        """Context around work of `total` units; the function it gives is called with the units just done.

        `before` units were done in an earlier call, so they say nothing about how fast this one is. Work that has
        to be done again is taken back by a negative number.
        """
        yield lambda done: None

    def note(self, text: str) -> None:
        """Tell one line that is worth knowing."""


SILENT = Progress()


def counting(tick: Tick) -> Callable[[int, int], None]:
    """Adapter for work that reports (done so far, total): passes on the difference."""
    before = 0

    def report(done: int, total: int) -> None:
        nonlocal before
        tick(done - before)
        before = done

    return report


def size_text(count: float) -> str:
    """A number of bytes for people: '512 B', '9.0 MB', '45.1 GB'; a kB is 1000 bytes, as disks are sold.

    Examples
    --------
    >>> size_text(45_079_862_756)
    '45.1 GB'
    """
    for power, unit in enumerate(("B", "kB", "MB", "GB")):
        scaled = count / 1000**power
        if abs(scaled) < 999.95 or unit == "GB":
            return f"{scaled:.0f} {unit}" if unit == "B" else f"{scaled:.1f} {unit}"
    raise AssertionError("GB is the last")
