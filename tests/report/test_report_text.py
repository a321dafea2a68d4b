import json
from pathlib import Path

import pytest

from chestxpert.errors import RunError
from chestxpert.report import summary_text


@pytest.fixture
def comparison(study_folder: Path) -> dict[str, object]:
    values: dict[str, object] = json.loads((study_folder / "comparison.json").read_text())
    return values


def test_summary_has_recipes_contrasts_and_verdict_in_columns(comparison: dict) -> None:
    lines = summary_text(comparison).splitlines()
    recipes = [line for line in lines if line.startswith(("flat-", "hierarchical-")) and " - " not in line]
    assert [line.split()[0] for line in recipes] == list(comparison["recipes"])
    assert len({line.index("[") for line in recipes}) == 1
    mean = comparison["recipes"]["flat-basic"]["metrics"]["macro_auroc"]["mean"]
    assert f"{mean:.3f} [" in recipes[0]
    assert [line.split()[0] for line in recipes if " * " in line] == list(comparison["best"].values())
    assert sum(" - " in line for line in lines) == 6
    assert " ".join(lines[lines.index("") :]).endswith(comparison["verdict"])


def test_summary_says_undefined_and_simulated(comparison: dict) -> None:
    comparison["recipes"]["flat-basic"]["metrics"]["macro_ap"] = {"mean": None, "low": None, "high": None}
    comparison["contrasts"][0] |= {"difference": None, "low": None, "high": None, "p": None, "p_adjusted": None}
    comparison["cohort"]["simulated"] = True
    text = summary_text(comparison)
    assert text.startswith("SIMULATED IMAGES: drawings, no radiographs.")
    basic = next(line for line in text.splitlines() if line.startswith("flat-basic "))
    assert "not defined" in basic
    assert "0.000" not in basic


def test_summary_needs_only_what_the_contract_promises(comparison: dict) -> None:
    for key in ("primary", "best", "baseline", "bootstrap"):
        del comparison[key]
    assert "hierarchical-shared" in summary_text(comparison)
    with pytest.raises(RunError, match="This is no comparison"):
        summary_text({})
