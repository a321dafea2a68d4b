"""Work that falls into independent parts: done here one part after the other, or however the caller has it done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

S = TypeVar("S")
P = TypeVar("P")
R = TypeVar("R")


class Each(Protocol):
    """How a function is applied to each of several parts, as `one_by_one` does.

    Another way may do so in processes of their own (`chestxpert.study.pool`): the function is one of a module, it and
    its arguments can be pickled, and its result depends on nothing else.
    """

    def __call__(self, function: Callable[[S, P], R], shared: S, parts: Iterable[P]) -> Iterator[R]:
        """Results in the order of the parts; `shared` is what all parts need besides."""


def one_by_one(function: Callable[[S, P], R], shared: S, parts: Iterable[P]) -> Iterator[R]:
    """Apply ``function(shared, part)`` in this process, part by part as results are asked for."""
    for part in parts:
        yield function(shared, part)
