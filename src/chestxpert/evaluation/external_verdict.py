"""The verdict where no recipe was trained: of what other tools predicted, and of no side or best recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chestxpert.evaluation.external_lines import Ground, Line, best_other
from chestxpert.evaluation.verdict import Setting, alone_words, find_contrast, pair_words

UNKNOWN = "what these tools learnt from is not known"


def external_verdict(
    lines: Mapping[str, Line],
    contrasts: Sequence[Mapping[str, Any]],
    primary: str,
    setting: Setting,
    ground: Ground,
) -> str:
    """One sentence on the primary metric: the first line against the best of the others, or against the second.

    Parameters
    ----------
    lines : mapping of Line
        In the order in which they were named; the first is the baseline.
    contrasts : sequence of dict
        As `external_lines.external_contrasts` gives them.
    primary : str
    setting : Setting
        Of all test images; the sentence begins with those that it speaks of.
    ground : Ground
    """
    first, *others = lines
    if not others:
        coverage = ground.coverage(lines[first]).describe(ground.cohort)
        words = alone_words(first, lines[first].values, primary, coverage["patients"])
        alone = "it stands alone, so nothing is compared, and what it learnt from is not known"
        return f"{_begin(setting, coverage)}, {words}{_labels(coverage)}; {alone}."
    best = best_other(lines, ground)
    rival = best or others[0]
    contrast = find_contrast(contrasts, primary, rival, first)
    named = f"the best of the others on validation ({rival})" if best else rival
    baseline = f"the one named first ({first})" if len(others) > 1 else first
    words = pair_words(contrast, named, baseline, contrast["shared"]["patients"])
    why = "" if best or len(others) == 1 else "; the others are not ranked, for want of validation images that all have"
    return f"{_begin(setting, contrast['shared'])}, {words}{_labels(contrast['shared'])}{why}; {UNKNOWN}."


def _begin(setting: Setting, shared: Mapping[str, Any]) -> str:
    return replace(setting, images=shared["images"], patients=shared["patients"]).words


def _labels(shared: Mapping[str, Any]) -> str:
    """Over how many labels, where some are not predicted."""
    total = shared["labels"] + len(shared["absent"])
    return f"; over the {shared['labels']} of {total} labels that were predicted" if shared["absent"] else ""
