"""`chestxpert localize` through the entry point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chestxpert.cli.main import main
from chestxpert.dataset import Dataset
from chestxpert.evaluation.localization import write_maps
from chestxpert.evaluation.localization.cases import Cases


@pytest.fixture
def maps(drawn_boxes: Path, tmp_path: Path) -> Path:
    cases = Cases.of(Dataset.load(drawn_boxes), "test", "stored").measured
    ids, findings = [case.image_id for case in cases], [case.finding for case in cases]
    return write_maps(tmp_path / "eye", [np.eye(6)] * len(cases), ids, findings, method="a diagonal", made_by="a test")


def test_from_maps_to_a_page(drawn_boxes: Path, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "where"
    words = ["localize", str(maps), "--data", str(drawn_boxes), "--out", str(out), "--draws", "20", "--no-images"]
    assert main([*words, "--rule", "wang-2017", "--tolerance", "15", "--side", "24"]) == 0
    printed = capsys.readouterr().out
    assert "| finding | cases | eye | chance | centre | usual place |" in printed
    assert f"Report: {out / 'localization.html'}" in printed
    assert "boxes by wang-2017" in printed
    assert sorted(path.name for path in out.iterdir()) == ["cases.parquet", "localization.html", "localization.json"]
    assert "<img" not in (out / "localization.html").read_text()
    assert main(words) == 1
    assert "never overwritten" in capsys.readouterr().err


def test_what_is_wrong_is_said_on_stderr(
    drawn_boxes: Path, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["localize", str(maps), "--data", str(drawn_boxes), "--out", str(tmp_path / "where")]
    assert main([*words, "--rule", "half"]) == 2
    assert "share=T" in capsys.readouterr().err
    assert main(["localize", str(tmp_path / "nothing"), "--data", str(drawn_boxes)]) == 1
    assert "There are no maps at" in capsys.readouterr().err
    assert main([*words, "--tolerance", "nan"]) == 2
    assert "tolerance of 0 to 1024" in capsys.readouterr().err
