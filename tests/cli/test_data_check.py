"""`chestxpert data check` on a small data set, through the real entry point."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestxpert.cli.main import main
from chestxpert.dataset import prepare


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def prepared(tiny_nih: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny folder with one test image under a training patient's name too, prepared; read only."""
    room = tmp_path_factory.mktemp("check")
    shutil.copytree(tiny_nih, room / "source")
    images = room / "source" / "images"
    shutil.copy(images / "00000035_000.png", images / "00000002_001.png")
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(images / "00000003_000.png")
    prepare(room / "source", room / "data", size=32, workers=1)
    return room / "data"


@pytest.fixture
def data(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "data"))


def test_it_shows_what_prepare_wrote(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (data / "quality.csv").read_bytes()
    assert main(["data", "check", str(data)]) == 0
    told = capsys.readouterr()
    assert "120 images checked, 2 remarks" in told.out
    assert "LEAK: 1 pair of images is the same radiograph in two splits" in told.out
    assert "00000002_001.png and 00000035_000.png: Two splits (val and test), patients 2 and 35" in told.out
    assert f"Each is listed in {data / 'quality.csv'}" in told.out
    assert told.err == ""
    assert (data / "quality.csv").read_bytes() == before


def test_an_older_data_set_is_checked_now(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (data / "quality.csv").read_bytes()
    (data / "quality.csv").unlink()
    assert main(["data", "check", str(data)]) == 0
    told = capsys.readouterr()
    assert "120 images checked, 2 remarks" in told.out
    assert "checking images: 120 images in" in told.err
    assert (data / "quality.csv").read_bytes() == before


def test_strict_fails_over_a_leak(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(data), "--strict"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "error: LEAK: 1 pair" in told.err


def test_strict_passes_without_one(tiny_nih: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(tiny_nih, tmp_path / "data", size=32, workers=1)
    assert main(["data", "check", str(tmp_path / "data"), "--strict"]) == 0
    assert "120 images checked, 0 remarks" in capsys.readouterr().out


def test_again_makes_the_checks_anew(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "quality.csv").write_text("spoilt")
    assert main(["data", "check", str(data)]) == 1
    assert "--again" in capsys.readouterr().err
    assert main(["data", "check", str(data), "--again"]) == 0
    assert "2 remarks" in capsys.readouterr().out


def test_what_is_no_data_set_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "is no data set" in capsys.readouterr().err
