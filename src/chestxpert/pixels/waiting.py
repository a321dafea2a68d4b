"""Images between those who read and those who decode: a queue that never holds much."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from chestxpert.pixels.bodies import Body
from chestxpert.pixels.sources import Place

_QUEUE_BYTES = 64 << 20
_LEAST = 64 << 10  # what an image counts for whose bytes are not in the queue, so that their number is limited too


@dataclass(frozen=True)
class Item:
    """An image to be decoded into a row; `mark` is its file's stamp, empty for a member of an archive."""

    row: int
    place: Place
    body: Body
    mark: tuple[int, ...] = ()

    @property
    def cost(self) -> int:
        """Bytes it is counted for."""
        return max(_LEAST, len(self.body)) if isinstance(self.body, bytes) else _LEAST


class Queue:
    """Items between those who read and those who decode; whoever puts waits while it is full."""

    def __init__(self, limit: int = _QUEUE_BYTES) -> None:
        self._items: deque[Item] = deque()
        self._limit, self._held = limit, 0
        self._changed = threading.Condition()
        self._closed = self._stopped = False

    def put(self, item: Item) -> bool:
        """Append an item; False if nobody will take it any more."""
        with self._changed:
            while self._held and self._held + item.cost > self._limit and not self._stopped:
                self._changed.wait()
            if not self._stopped:
                self._items.append(item)
                self._held += item.cost
                self._changed.notify_all()
            return not self._stopped

    @property
    def ended(self) -> bool:
        """Whether there is nothing to take, and never will be."""
        with self._changed:
            return self._stopped or (self._closed and not self._items)

    def take(self, count: int, cost: int, *, wait: float | None = None) -> list[Item]:
        """Up to `count` items of up to `cost` together (but one at least), as many as are there.

        If there are none, it waits until there are or the end has come, but at most `wait` seconds if that is given.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed or self._stopped, wait)
            taken: list[Item] = []
            while self._items and not self._stopped and len(taken) < count and (cost > 0 or not taken):
                taken.append(self._items.popleft())
                cost -= taken[-1].cost
            self._held -= sum(item.cost for item in taken)
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Nothing more will be put."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Nothing more will be taken: whoever waits is let go."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()
