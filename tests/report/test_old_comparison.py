"""A comparison.json from before intervals of several kinds, permutation tests, seeds and margins is still reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chestxpert.report import build_report, summary_text

NEW = {
    "permutations", "margin", "bca", "sd_patients", "variance", "over_seeds", "obuchowski", "error",
    "p_bh", "p_permutation", "p_permutation_adjusted", "mdd", "equivalence",
}  # fmt: skip


def without_new_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_new_keys(item) for key, item in value.items() if key not in NEW}
    return [without_new_keys(item) for item in value] if isinstance(value, list) else value


def test_an_older_comparison_has_its_report(tmp_path: Path, study_factory: Callable[..., Path]) -> None:
    study = study_factory(tmp_path, recipes=("flat-basic", "hierarchical-shared"), seeds=(0, 1), draws=20)
    file = study / "comparison.json"
    old = without_new_keys(json.loads(file.read_text(encoding="utf-8")))
    for contrast in old["contrasts"]:
        del contrast["seeds"]
    assert not NEW & set(old["contrasts"][0])
    file.write_text(json.dumps(old), encoding="utf-8")
    page = build_report(study).read_text(encoding="utf-8")
    assert "no difference shown" in page or "was higher" in page or "was lower" in page
    assert "flat-basic" in summary_text(old)
