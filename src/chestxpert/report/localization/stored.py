"""What a localization folder holds, and how its lines are drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from chestxpert.errors import RunError
from chestxpert.evaluation.localization.localize import CASES, RESULT, SCHEMA
from chestxpert.report.results import finding_name
from chestxpert.report.scales import UNDEFINED, decimal

KINDS = ("flat", "hier", "plain", "muted")
"""Class names of the lines of maps, in their order: the page's first two colours, and two greys."""


@dataclass(frozen=True)
class Row:
    """What figures have a row of: its name, how many cases it has (None for the mean), and its lines' estimates."""

    label: str
    cases: int | None
    lines: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Stored:
    """A localization as stored."""

    folder: Path
    result: dict[str, Any]
    cases: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> Stored:
        """Read it; RunError if the folder holds none."""
        try:
            result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
            cases = pd.read_parquet(folder / CASES)
        except (OSError, ValueError) as error:
            raise RunError(
                f"{folder} holds no localization that can be read ({error}). Make one with 'chestxpert localize'."
            ) from error
        if not isinstance(result, dict) or result.get("schema") != SCHEMA:
            raise RunError(f"{folder / RESULT} is not of schema {SCHEMA}, which this version reads. Measure again.")
        return cls(folder, result, cases)

    @property
    def names(self) -> list[str]:
        """The folders of maps."""
        return list(self.result["lines"]["maps"])

    @property
    def rows(self) -> list[Row]:
        """The mean over findings, then each finding."""
        findings = self.result["findings"]
        return [
            Row(f"Mean of {len(self.result['macro_findings'])}", None, self.result["macro"]),
            *(Row(finding_name(name), entry["cases"], entry["lines"]) for name, entry in findings.items()),
        ]


def words(entry: Mapping[str, Any]) -> str:
    """An estimate with its interval, as a table has it."""
    if entry["mean"] is None:
        return UNDEFINED
    ends = "" if entry["low"] is None else f" [{decimal(entry['low'])}, {decimal(entry['high'])}]"
    return f"{decimal(entry['mean'])}{ends}"
