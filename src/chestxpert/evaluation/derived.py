"""Lines of a comparison that were not trained, but made of the stored predictions of recipes that were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, eq=False)
class Derived:
    """Where a line comes from.

    Parameters
    ----------
    kind : {"posthoc", "ensemble"}
    of : tuple of str
        The lines it was made of: one, or those whose runs are the ensemble's members.
    record : mapping
        What was done: as `posthoc.correct_run` says, or an ensemble's ``average`` and ``members``.
    """

    kind: Literal["posthoc", "ensemble"]
    of: tuple[str, ...]
    record: Mapping[str, Any]
