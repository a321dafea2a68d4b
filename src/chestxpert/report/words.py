"""Words in a row, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from chestxpert.report.scales import grouped


def and_words(words: Sequence[str]) -> str:
    """The words as a list: ``A``, ``A and B``, ``A, B and C``; ``none`` without any."""
    if not words:
        return "none"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def times(number: int, what: str) -> str:
    """How many of it: ``1 seed``, ``3 seeds``."""
    return f"{grouped(number)} {what}{'' if number == 1 else 's'}"
