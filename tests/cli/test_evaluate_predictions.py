"""From a table of anybody's to a report through the real entry point, on a small simulated cohort."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from chestxpert.cli.main import main
from chestxpert.dataset import Dataset


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = tmp_path_factory.mktemp("predictions")
    drawn, data = str(room / "drawn"), str(room / "data")
    assert main(["data", "simulate", "--out", drawn, "--images", "90", "--size", "64", "--workers", "1"]) == 0
    assert main(["data", "prepare", drawn, "--out", data, "--size", "32", "--workers", "1"]) == 0
    return Path(data)


def regressed(data: Path, size: int) -> pd.DataFrame:
    """What scikit-learn makes of pictures shrunk to `size`, for every image; findings it never saw have no column."""
    dataset = Dataset.load(data)
    cohort, step = dataset.cohort, 32 // size
    pixels = dataset.store.pixels[dataset.pixel_rows()].astype(float) / 255
    small = pixels.reshape(len(pixels), size, step, size, step).mean(axis=(2, 4)).reshape(len(pixels), -1)
    train, labels = cohort.rows("train"), cohort.labels()
    columns = {"Image Index": [f"scans/{name}" for name in cohort.image_ids]}
    for label in cohort.label_space.findings:
        truth = labels[train, cohort.label_space.index(label)]
        if truth.any() and not truth.all():
            model = LogisticRegression(max_iter=1000).fit(small[train], truth)
            columns[label.upper()] = model.predict_proba(small)[:, 1]
    return pd.DataFrame(columns)


def test_from_a_table_to_a_report(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    regressed(data, 2).to_csv(tmp_path / "coarse.csv", index=False)
    fine = regressed(data, 8)
    findings = list(fine.columns[1:])
    fine[findings] = np.log(fine[findings] / (1 - fine[findings]))
    fine.to_parquet(tmp_path / "fine.parquet")
    out, coarse = tmp_path / "study", str(tmp_path / "coarse.csv")
    words = ["evaluate", "--predictions", coarse, "--data", str(data), "--out", str(out), "--draws", "20"]
    assert main([*words, "--threshold", "youden", "--subgroups", "sex", "--taxonomy", "study"]) == 0
    told = capsys.readouterr().out
    comparison = json.loads((out / "comparison.json").read_text())
    record = comparison["recipes"]["coarse"]["external"]
    counts = comparison["cohort"]["images"]
    assert record["training_rows"] == counts["train"]
    assert "No Finding" in record["not_measured"]
    assert comparison["operating"]["rule"] == "youden"
    assert comparison["subgroups"]["by"] == ["sex"]
    assert "On simulated images" in " ".join(told.split())
    assert f"Left out: {counts['train']} rows of training images" in " ".join(told.split())
    assert f"Report: {out / 'report.html'}" in told
    page = (out / "report.html").read_text(encoding="utf-8")
    assert f"chestxpert evaluate --predictions {coarse}" in page
    assert "--out studies/again" in page
    assert main(["report", str(out), "--draws", "20"]) == 0
    assert (out / "report.html").read_text(encoding="utf-8") == page
    fine_file = f"fine={tmp_path / 'fine.parquet'}"
    assert main(["evaluate", "--predictions", fine_file, "--study", str(out), "--logits", "--draws", "20"]) == 0
    told = capsys.readouterr().out
    assert "fine - coarse" in told
    assert "Probabilities were made of its logits" in " ".join(told.split())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("evaluate", "takes one of RUN and --predictions"),
        ("evaluate runs/a --predictions p.csv --data d", "one of RUN and --predictions, and got both"),
        ("evaluate runs/a", "evaluate RUN needs --data"),
        ("evaluate runs/a --data d --logits", "--logits is not understood without --predictions"),
        ("evaluate runs/a --data d --study s", "--study is not understood without --predictions"),
        ("evaluate runs/a --data d --margin 0.1", "--margin is not understood without --predictions"),
        ("evaluate --predictions p.csv --data d --out o --split all", "--split is not understood with --predictions"),
        ("evaluate --predictions p.csv --data d --out o --posthoc em", "--posthoc is not understood with"),
        ("evaluate --predictions p.csv", "--predictions needs one of --data and --study"),
        ("evaluate --predictions p.csv --data d --study s", "--predictions needs one of --data and --study"),
        ("evaluate --predictions p.csv --data d", "--predictions with --data needs --out"),
        ("evaluate --predictions p.csv --study s --out o", "--out is not understood with --study"),
        ("evaluate --predictions p.csv --study s --taxonomy t", "--taxonomy is not understood with --study"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_use(
    line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert len(told.err.splitlines()) == 1
    assert "--help" in told.err


def test_wrong_predictions_end_with_a_sentence(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, row = regressed(data, 2), int(Dataset.load(data).cohort.rows("test")[0])
    table.iloc[row, 1] = 1.5
    table.to_csv(tmp_path / "wrong.csv", index=False)
    words = [
        "evaluate",
        "--predictions",
        str(tmp_path / "wrong.csv"),
        "--data",
        str(data),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(words) == 1
    told = capsys.readouterr()
    assert f"values outside 0 to 1, for example 1.5 in line {row + 2} of wrong.csv" in told.err
    assert not (tmp_path / "o").exists()
