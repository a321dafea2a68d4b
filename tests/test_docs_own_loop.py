"""The page on loops of one's own does what it says: its code is run as it stands, on images of noise."""

import re
from pathlib import Path

import numpy as np
import pytest

from chestxpert.copies import oversample_to_disk
from chestxpert.dataset import Dataset, prepare
from chestxpert.evaluation.predictions import Predictions

PAGE = Path(__file__).parents[1] / "docs" / "own-loop.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_loop_is_as_short_as_its_heading_says() -> None:
    assert "## In 25 lines" in PAGE.read_text(encoding="utf-8")
    assert len([line for line in BLOCKS[0].splitlines() if line.strip()]) == 25


def test_every_block_runs_in_order(
    tiny_nih: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tiny_nih, tmp_path / "data" / "nih", size=32, workers=1)
    oversample_to_disk(tmp_path / "data" / "nih", tmp_path / "data" / "copies", target=0.4)
    (tmp_path / "nih").symlink_to(tiny_nih)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)
    told = capsys.readouterr().out
    cohort = Dataset.load(tmp_path / "data" / "nih").cohort
    assert re.search(r"epoch 1: validation macro average precision 0\.\d{3}", told)
    assert "augmented copies" in told
    predictions = Predictions.load(tmp_path / "val.parquet")
    probs, _ = predictions.align(cohort, "val")
    assert np.array_equal(probs, np.asarray(names["probs"], dtype=np.float64))
