"""From what the columns of a table say to labels of a label space, with a mask of what is known.

A cell is one of four marks: holds, does not hold, uncertain, or nothing said. An uncertain finding and one of which
nothing is said are both unknown; neither is ever read as 'does not hold'. They differ in one respect: a row's own
'No Finding' settles what nothing is said of, but not what is called uncertain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from chestxpert.labels import LabelSpace

HOLDS, NOT, UNCERTAIN, SILENT = np.int8(1), np.int8(0), np.int8(-1), np.int8(-2)
Marks = npt.NDArray[np.int8]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rule:
    """What one column of a table (or one name in a list of findings) says of a label space's labels.

    Parameters
    ----------
    holds : tuple of str
        Labels that hold where the column says 1, do not where it says 0, and are unknown else.
    one_of : tuple of str
        Labels of which at least one holds where the column says 1, without saying which: they are unknown there.
        None of them holds where it says 0. For columns that merge findings.
    leaves_open : tuple of str
        Labels that are unknown where the column says 1; where it says 0, it says nothing of them. For what may come
        with a finding, or be another word for it.
    why : str
        The reason, for a person.
    """

    holds: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    leaves_open: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class LabelRules:
    """All columns of a data set that say something of a label space.

    Parameters
    ----------
    label_space : LabelSpace
    rules : mapping of str to Rule
        By column, or by name in a list of findings.
    unused : mapping of str to str
        Columns that stand for no label of the space, and why; for a person and for the documentation.
    complete : bool
        Whether 'No Finding' is false, by the table's own definition, only where one of the columns in `rules` holds.
        A data set's 'No Finding' also counts findings that the label space does not have, so there it is not.
    """

    label_space: LabelSpace
    rules: Mapping[str, Rule]
    unused: Mapping[str, str] = field(default_factory=dict)
    complete: bool = False

    @property
    def labelled(self) -> tuple[str, ...]:
        """Labels that some column can settle, in LabelSpace order."""
        named = {label for rule in self.rules.values() for label in (*rule.holds, *rule.one_of)}
        return tuple(label for label in self.label_space.labels if label in named)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labels of N rows.

    Parameters
    ----------
    labels, known : bool arrays of shape (N, K)
        In LabelSpace order; `labels` is False where not known.
    contradiction : bool array of shape (N,)
        Rows that say both No Finding and a finding.
    undecided : bool array of shape (N,)
        Rows that say 'No Finding does not hold' though none of the space's findings does: it is left unknown there.
    """

    labels: BoolArray
    known: BoolArray
    contradiction: BoolArray
    undecided: BoolArray


def apply_rules(rules: LabelRules, columns: Sequence[str], marks: Marks) -> Labelled:
    """Labels of every row.

    Parameters
    ----------
    rules : LabelRules
    columns : sequence of C str
        Keys of `rules.rules`, each once.
    marks : int8 array of shape (N, C)
        `HOLDS`, `NOT`, `UNCERTAIN` or `SILENT`.

    Returns
    -------
    Labelled
        For each finding: true if a column says so; else false if every column that asks for it says no and none leaves
        it open; else unknown. For No Finding, in this order: false if a finding (or one of a merged column) holds;
        true if the row says so and calls no finding uncertain, and then the findings that the data set labels are
        false, by the definition of No Finding; true if every finding of the space is known not to hold and the row
        does not deny it; false if the row denies it and the rules are `complete` and some finding is unknown; else
        unknown.
    """
    space = rules.label_space
    shape = (len(marks), len(space))
    yes, doubt = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    asked, denied = np.zeros(len(space), dtype=np.int64), np.zeros(shape, dtype=np.int64)
    merged = np.zeros(len(marks), dtype=np.bool_)
    for position, column in enumerate(columns):
        rule, mark = rules.rules[column], marks[:, position]
        unsure = (mark == HOLDS) | (mark == UNCERTAIN)
        for label in (space.index(name) for name in rule.holds):
            yes[:, label] |= mark == HOLDS
            doubt[:, label] |= mark == UNCERTAIN
        for label in (space.index(name) for name in (*rule.one_of, *rule.leaves_open)):
            doubt[:, label] |= unsure
        for label in (space.index(name) for name in (*rule.holds, *rule.one_of)):
            asked[label] += 1
            denied[:, label] += mark == NOT
        if rule.one_of:
            merged |= mark == HOLDS
    no = (denied == asked) & (asked > 0) & ~yes & ~doubt
    if space.no_finding is None:
        nothing = np.zeros(len(marks), dtype=np.bool_)
        return Labelled(yes, yes | no, nothing, nothing)
    return _with_no_finding(rules, yes, no, doubt, merged)


def _with_no_finding(rules: LabelRules, yes: BoolArray, no: BoolArray, doubt: BoolArray, merged: BoolArray) -> Labelled:
    """Settle No Finding, and through it the findings of which a row says nothing."""
    space = rules.label_space
    assert space.no_finding is not None
    none = space.index(space.no_finding)
    findings = [space.index(name) for name in space.findings]
    says_none, denies_none, unsure_of_none = yes[:, none].copy(), no[:, none].copy(), doubt[:, none].copy()
    some = yes[:, findings].any(axis=1) | merged
    contradiction = says_none & some
    clear = says_none & ~some & ~doubt[:, findings].any(axis=1)
    labelled = [index for index in findings if space.labels[index] in rules.labelled]
    yes, no = yes.copy(), no.copy()
    no[:, labelled] |= clear[:, None]
    all_absent = no[:, findings].all(axis=1)
    implied = all_absent & ~denies_none & ~unsure_of_none
    yes[:, none] = clear | implied
    no[:, none] = some | (denies_none & ~all_absent & rules.complete)
    undecided = denies_none & ~some & ~no[:, none]
    known = yes | no
    return Labelled(yes, known, contradiction, undecided)
