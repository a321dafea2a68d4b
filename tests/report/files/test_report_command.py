"""`chestxpert report --redraw`: the page and its files from the comparison as it stands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from chestxpert.cli.main import main
from chestxpert.errors import RunError
from chestxpert.study.stored import stored_comparison


@pytest.fixture
def study(study_copy: Path) -> Path:
    """A study folder with a study.yaml such as `compare` writes."""
    plan = yaml.safe_load((study_copy / "study.yaml").read_text(encoding="utf-8"))
    cohort = json.loads((study_copy / "comparison.json").read_text(encoding="utf-8"))["cohort"]["fingerprint"]
    told = plan | {"cohort_fingerprint": cohort, "start": {}}
    (study_copy / "study.yaml").write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    return study_copy


def test_redraw_leaves_the_comparison_as_it_is_and_writes_what_is_asked_for(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (study / "comparison.json").read_bytes()
    (study / "report.html").unlink()
    asked = ["--redraw", "--format", "md", "csv", "--format", "latex", "--figures", "svg"]
    assert main(["report", str(study), *asked]) == 0
    assert (study / "comparison.json").read_bytes() == before
    told = capsys.readouterr().out.splitlines()
    assert told[-3:] == [
        f"Tables: {study / 'tables' / 'index.md'}", f"Figures: {study / 'figures'}", f"Report: {study / 'report.html'}"
    ]  # fmt: skip
    assert {path.suffix for path in (study / "tables").iterdir()} == {".md", ".csv", ".tex"}
    assert (study / "figures" / "fig-recipes.svg").is_file()
    assert (study / "report.html").is_file()


def test_redraw_writes_no_files_unasked(study: Path) -> None:
    assert main(["report", str(study), "--redraw"]) == 0
    assert not (study / "tables").exists()
    assert not (study / "figures").exists()


@pytest.mark.parametrize(
    "asked", [["--draws", "50"], ["--threshold", "youden"], ["--posthoc", "platt"], ["--subgroups", "sex"],
              ["--margin", "0.01"]]
)  # fmt: skip
def test_redraw_and_another_comparison_contradict_each_other(
    study: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(study), "--redraw", *asked]) == 2
    assert f"{asked[0]} asks for another" in capsys.readouterr().err


def test_what_cannot_be_made_is_said_before_the_long_part(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    before = (study / "comparison.json").read_bytes()
    assert main(["report", str(study), "--figures", "png"]) == 2
    assert "chestxpert[figures]" in capsys.readouterr().err
    assert (study / "comparison.json").read_bytes() == before


def test_a_comparison_of_other_recipes_or_seeds_is_not_drawn(study: Path) -> None:
    assert stored_comparison(study)["schema"] == 1
    plan = yaml.safe_load((study / "study.yaml").read_text(encoding="utf-8"))
    for change in ({"seeds": [0, 1, 2, 3]}, {"recipes": {**plan["recipes"], "flat-tuned": None}}):
        (study / "study.yaml").write_text(yaml.safe_dump({**plan, **change}), encoding="utf-8")
        with pytest.raises(RunError, match=r"compares flat-basic \(seeds 0, 1, 2\).*Leave --redraw out"):
            stored_comparison(study)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"schema": 1}'])
def test_without_a_readable_comparison_it_is_to_be_made(study: Path, content: str | None) -> None:
    (study / "comparison.json").unlink()
    if content is not None:
        (study / "comparison.json").write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=r"cannot be read .* Leave --redraw out"):
        stored_comparison(study)
