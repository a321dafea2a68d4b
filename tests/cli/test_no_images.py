"""Whoever draws a study's report can leave the pictures of patients out of it."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

import chestxpert.evaluation.agreement_text
import chestxpert.report
import chestxpert.study.join
import chestxpert.study.other_labels
import chestxpert.study.run
import chestxpert.study.stored
from chestxpert.cli.main import main

COMMANDS = {
    "compare": ["--data", "d", "--out", "study", "--recipes", "flat-basic"],
    "report": ["study"],
    "ensemble": ["study"],
    "agree": ["study", "labels.csv", "--image-column", "image", "--label-columns", "Edema"],
}


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_draws_a_report_can_leave_pictures_out(
    command: str, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Path, bool]] = []

    def build_report(study: Path, images: bool = True) -> Path:
        drawn.append((study, images))
        return study / "report.html"

    def no_comparison(*_: object, **__: object) -> Mapping[str, object]:
        return {"agreement": {}}

    labels = SimpleNamespace(cohort=[], strangers=0, unclear=0, refused=0)
    monkeypatch.setattr(chestxpert.report, "build_report", build_report)
    monkeypatch.setattr(chestxpert.report, "summary_text", lambda _: "")
    monkeypatch.setattr(chestxpert.study.run, "run_study", no_comparison)
    monkeypatch.setattr(chestxpert.study.stored, "write_comparison", no_comparison)
    monkeypatch.setattr(chestxpert.study.join, "ensemble_study", lambda *_, **__: "all-x2")
    monkeypatch.setattr(chestxpert.study.other_labels, "add_other_labels", lambda *_: labels)
    monkeypatch.setattr(chestxpert.evaluation.agreement_text, "agreement_table", lambda _: "")
    assert main([command, *COMMANDS[command], *(["--no-images"] if asked else [])]) == 0
    assert drawn == [(Path("study"), not asked)]
