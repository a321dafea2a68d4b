"""The page on other tools' predictions does what it says: its code is run as it stands, on invented tables."""

import re
from pathlib import Path

import numpy as np
import pytest

from chestxpert.cohort.table import Cohort, make_table
from chestxpert.labels import NIH15

PAGE = Path(__file__).parents[1] / "docs" / "evaluate.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_code_is_as_short_as_its_heading_says() -> None:
    assert "### In ten lines of Python" in PAGE.read_text(encoding="utf-8")
    (block,) = BLOCKS
    assert len([line for line in block.splitlines() if line.strip()]) == 10


def test_it_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    split = np.array(["train", "val", "test", "test"])[np.arange(200) % 4]
    labels = np.column_stack([rng.random((200, 14)) < 0.3, np.zeros(200, dtype=bool)])
    labels[:, -1] = ~labels.any(axis=1)
    names = [f"{number:08d}_000.png" for number in range(200)]
    cohort = Cohort(make_table(names, names, labels, NIH15, split=split, source="nih"), NIH15)
    cohort.save(tmp_path / "data" / "simulated" / "cohort.parquet")
    for name, skill in (("old", 0.5), ("new", 2.0)):
        noisy = 1 / (1 + np.exp(-(skill * labels + rng.normal(size=labels.shape))))
        frame = cohort.table[["image_id"]].assign(**dict(zip(NIH15.labels, noisy.T, strict=True)))
        frame.drop(columns=["No Finding"] if name == "old" else []).to_csv(tmp_path / f"{name}.csv", index=False)
    monkeypatch.chdir(tmp_path)
    names_in_page: dict[str, object] = {"__name__": "page"}
    exec(compile(BLOCKS[0], PAGE.name, "exec"), names_in_page)
    told = capsys.readouterr().out
    assert re.search(r"theirs macro AUROC over the findings 0\.[56]", told)
    assert re.search(r"mine macro AUROC over the findings 0\.[89]", told)
    assert "not measured: {'No Finding': 'no column of that name'}" in told
    assert "macro average precision of mine was higher than that of theirs" in told
