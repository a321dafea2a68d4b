"""The main job through the real entry point, on a small simulated cohort; every test uses the same folders."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chestxpert.cli.main import main

TINY = [
    "backbone=test_resnet", "weights=none", "size=32", "batch_size=16", "precision=float32", "views=1",
    "head.hidden=[8]", "head.dropout=[0.1]", "epochs=6", "patience=6",
]  # fmt: skip
OPTIONS = [word for item in TINY for word in ("--set", item)]
RECIPES = ["flat-basic", "hierarchical-cascade"]
COMPARE = ["--recipes", *RECIPES, *OPTIONS, "--draws", "50"]


def chestxpert(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "chestxpert", *words], capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("end-to-end")


@pytest.fixture(scope="module")
def drawn(room: Path) -> Path:
    ended = chestxpert("data", "simulate", "--out", room / "drawn", "--images", "90", "--size", "64", "--workers", "1")
    assert ended.returncode == 0, ended.stderr
    assert "Simulated 90 images" in ended.stdout
    assert "drawing: 90 images in" in ended.stderr
    return room / "drawn"


@pytest.fixture(scope="module")
def data(room: Path, drawn: Path) -> Path:
    ended = chestxpert("data", "prepare", drawn, "--out", room / "data", "--size", "32", "--workers", "1")
    assert ended.returncode == 0, ended.stderr
    assert "90 simulated images (not radiographs)" in ended.stdout
    assert "decoding: 90 images in" in ended.stderr
    return room / "data"


@pytest.fixture(scope="module")
def unbroken(room: Path, data: Path) -> Path:
    """A study that was never interrupted."""
    assert main(["compare", "--data", str(data), "--out", str(room / "unbroken"), *COMPARE]) == 0
    return room / "unbroken"


def hear_interrupts() -> None:
    """Undo what a shell that starts the tests in the background hands down: deaf ears for Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def broken(room: Path, data: Path) -> tuple[Path, int, str, str]:
    """A study that was interrupted in its second run, and how that ended."""
    out = room / "broken"
    first = out / "runs" / RECIPES[0] / "seed-0" / "evaluation.json"
    command = [sys.executable, "-m", "chestxpert", "compare", "--data", str(data), "--out", str(out), *COMPARE]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts
    ) as process:
        while not first.exists() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        told_out, told_err = process.communicate(timeout=60)
    return out, process.returncode, told_out, told_err


def without_times(study: Path) -> dict[str, Any]:
    comparison: dict[str, Any] = json.loads((study / "comparison.json").read_text(encoding="utf-8"))
    for recipe in comparison["recipes"].values():
        for key in ("train_seconds", "ms_per_image", "early_exit_ms_per_image"):
            del recipe["cost"][key]
    return comparison


def test_an_interrupted_study_ends_with_130_and_says_how_to_go_on(broken: tuple[Path, int, str, str]) -> None:
    out, code, told_out, told_err = broken
    assert code == 130, told_err
    assert told_out == ""
    assert "--resume" in told_err
    assert "Traceback" not in told_err
    assert not (out / "comparison.json").exists()
    assert not list(out.glob("runs/hierarchical-cascade/*/evaluation.json")), "it came too late to interrupt anything"


def test_resumed_it_ends_with_the_same_comparison_as_an_unbroken_one(
    broken: tuple[Path, int, str, str], unbroken: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = broken[0]
    first = out / "runs" / RECIPES[0] / "seed-0" / "predictions.parquet"
    before = first.stat().st_mtime_ns
    assert main(["compare", "--data", str(data), "--out", str(out), *COMPARE, "--resume"]) == 0
    told = capsys.readouterr()
    assert "1 of 2 runs are complete" in told.err
    assert first.stat().st_mtime_ns == before
    assert without_times(out) == without_times(unbroken)


def test_a_study_prints_its_verdict_and_where_the_report_is(
    unbroken: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Complete already: resuming it trains nothing, compares again, and prints what the first call printed.
    assert main(["compare", "--data", str(data), "--out", str(unbroken), *COMPARE, "--resume"]) == 0
    told = capsys.readouterr()
    comparison = without_times(unbroken)
    assert f"Verdict: {comparison['verdict']}" in " ".join(told.out.split())
    assert told.out.splitlines()[-1] == f"Report: {unbroken / 'report.html'}"
    assert all(recipe in told.out for recipe in RECIPES)
    assert "SIMULATED" in told.out
    assert "Verdict" not in told.err
    page = (unbroken / "report.html").read_text(encoding="utf-8")
    assert comparison["verdict"][:40] in page
    command = f"chestxpert compare --data {data} --out {unbroken}"
    assert command in (unbroken / "study.yaml").read_text(encoding="utf-8").replace("\n  ", " ")


def test_report_draws_again_from_stored_predictions_alone(unbroken: Path, room: Path) -> None:
    before = without_times(unbroken)
    moved = room / "moved"
    unbroken.rename(moved)
    try:
        (moved / "report.html").unlink()
        ended = chestxpert("report", moved, "--draws", "50")
    finally:
        moved.rename(unbroken)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == f"Report: {moved / 'report.html'}"
    assert (unbroken / "report.html").is_file()
    assert without_times(unbroken) == before


@pytest.fixture(scope="module")
def run(room: Path, data: Path) -> Path:
    """A single run of a recipe from a file of one's own."""
    mine = room / "mine.yaml"
    mine.write_text("name: mine\narchitecture: shared\nloss: {pos_weight: balanced}\n", encoding="utf-8")
    assert main(["train", str(mine), "--data", str(data), "--out", str(room / "run"), *OPTIONS, "--freeze"]) == 0
    return room / "run"


def test_train_prints_metrics_and_where_the_run_is(
    run: Path, data: Path, room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(room / "mine.yaml"), "--data", str(data), "--out", str(run), *OPTIONS, "--freeze"]
    assert main([*words, "--resume"]) == 0  # complete: prints what it holds
    lines = capsys.readouterr().out.splitlines()
    evaluation = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    row = next(line.split() for line in lines if line.startswith("macro_auroc"))
    assert row[1:] == [f"{evaluation[side]['metrics']['macro_auroc']:.3f}" for side in ("val", "test")]
    assert lines[-1] == f"Run: {run}"
    assert "freeze: true" in (run / "recipe.yaml").read_text(encoding="utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("command", ["data simulate", "data prepare", "compare", "train"])
def test_nothing_is_ever_overwritten(
    command: str, drawn: Path, data: Path, unbroken: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {
        "data simulate": ["--out", drawn, "--images", "90", "--size", "64"],
        "data prepare": [drawn, "--out", data],
        "compare": ["--data", data, "--out", unbroken, *COMPARE],
        "train": ["flat-basic", "--data", data, "--out", run, *OPTIONS],
    }[command]
    out = Path(words[words.index("--out") + 1])
    before = contents(out)
    assert main([*command.split(), *map(str, words)]) in (1, 2)
    assert contents(out) == before
    assert str(out) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["compare", "--out", "{room}/new", "--data", "{room}/nowhere"], 1, "chestxpert data prepare"),
        (["compare", "--out", "{room}/new", "--data", "{data}", "--recipes", "flat-basik"], 2, "'flat-basic'"),
        (["compare", "--out", "{room}/new", "--data", "{data}", "--set", "sise=64"], 2, "Did you mean 'size'"),
        (
            ["compare", "--out", "{room}/new", "--data", "{data}", "--recipes", "flat-basic", "flat-basic"],
            2,
            "different",
        ),
        (
            ["train", "flat-basic", "--out", "{room}/new", "--data", "{data}", "--set", "backbone=resnet19"],
            2,
            "resnet1",
        ),
        (["train", "flat-basic", "--out", "{data}/dataset.json/new", "--data", "{data}", *OPTIONS], 1, "dataset.json"),
        (["train", "flat-basic", "--out", "{run}", "--data", "{data}", *OPTIONS, "--resume"], 1, "different recipe"),
        (["report", "{room}"], 1, "holds no study"),
        (["data", "prepare", "{room}/nowhere", "--out", "{room}/new"], 1, "no folder"),
        (["data", "prepare", "{drawn}", "--out", "{room}/new", "--labels", "cxrlt20"], 1, "cxrlt20|NIH-CXR-LT|LT"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing_behind(
    words: list[str], code: int, told: str, room: Path, drawn: Path, data: Path, run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    places = {"room": room, "drawn": drawn, "data": data, "run": run}
    assert main([word.format(**places) if "{" in word else word for word in words]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1].startswith("chestxpert: error: ")
    assert any(part in said.err for part in told.split("|")), said.err
    assert not (room / "new").exists()
