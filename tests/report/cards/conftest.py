"""A study of four recipes with everything that a card can tell, and ways to change what its comparison says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chestxpert.report.cards.choose import read_subject
from chestxpert.report.cards.subject import CardSubject
from chestxpert.report.results import Results

Change = Callable[..., CardSubject]


@pytest.fixture(scope="session")
def card_study(study_factory: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recipes of two seeds, of which three are measured in every respect; read only."""
    folder = tmp_path_factory.mktemp("carded") / "second"
    recipes = ("flat-basic", "flat-weighted", "flat-downsampled", "hierarchical-shared")
    return study_factory(folder, recipes=recipes, seeds=(0, 1), draws=60)


@pytest.fixture(scope="session")
def comparison(card_study: Path) -> dict[str, Any]:
    """What its comparison.json holds; read only."""
    values: dict[str, Any] = json.loads((card_study / "comparison.json").read_text(encoding="utf-8"))
    return values


@pytest.fixture(scope="session")
def subject(card_study: Path) -> CardSubject:
    """The best recipe of that study."""
    return read_subject(card_study)


@pytest.fixture
def changed(subject: CardSubject) -> Change:
    """The subject after a change to its comparison: a value under some keys, or without them where it is Ellipsis."""

    def change(*keys: str, to: Any = ..., at: CardSubject | None = None) -> CardSubject:
        before = at or subject
        values = copy.deepcopy(dict(before.results.comparison))
        place: Any = values
        for key in keys[:-1]:
            place = place[key]
        if to is ...:
            del place[keys[-1]]
        else:
            place[keys[-1]] = to
        return replace(before, study=replace(before.study, results=Results(values)))

    return change


@pytest.fixture
def with_table(subject: CardSubject) -> Change:
    """The subject after a change to the columns of its cohort's table."""

    def change(**columns: Any) -> CardSubject:
        cohort = subject.cohort
        made = {
            name: np.where(cohort.table["split"] == "train", value, cohort.table[name]) if name == "age" else value
            for name, value in columns.items()
        }
        return replace(subject, study=replace(subject.study, cohort=replace(cohort, table=cohort.table.assign(**made))))

    return change
