"""Progress: how long work tells whoever is waiting, without knowing whether that is a terminal or nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

Tick = Callable[[int], None]


class Progress:
    """Silent progress, and the interface of those that speak."""

    @contextlib.contextmanager
    def bar(self, label: str, total: int, unit: str = "image") -> Iterator[Tick]:
        """Context around work of `total` units; the function it gives is called with the units just done."""
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
