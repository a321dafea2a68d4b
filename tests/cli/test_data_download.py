import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from chestxpert.cli.main import main
from chestxpert.download import RemoteFile, catalogue

SMALL = {
    "images_001.tar.gz": b"\x1f\x8bone",
    "images_002.tar.gz": b"\x1f\x8btwo",
    "test_list.txt": b"00000001_000.png\n",
}


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which everything of a small catalogue is; nobody listens where it could be fetched."""
    folder = tmp_path / "nih"
    folder.mkdir()
    files = []
    for name, data in SMALL.items():
        (folder / name).write_bytes(data)
        files.append(RemoteFile(name, ("http://127.0.0.1:9/x",), (hashlib.md5(data).hexdigest(),), len(data)))
    monkeypatch.setattr(catalogue, "ARCHIVES", tuple(files[:2]))
    monkeypatch.setattr(catalogue, "LABELS", tuple(files[2:]))
    return folder


def test_a_complete_folder_is_verified_and_the_next_command_named(
    complete: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "download", str(complete)]) == 0
    told = capsys.readouterr()
    assert "2 archives and 1 label file (27 B), all verified: 0 fetched now, 3 there before." in told.out
    assert f"Next: chestxpert data prepare {complete} --out data/nih" in told.out
    assert "verifying: 27 B in 0:00" in told.err
    assert "fetching" not in told.err


def test_parts_of_it(complete: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "download", str(complete), "--only", "labels"]) == 0
    assert "0 archives and 1 label file" in capsys.readouterr().out
    assert main(["data", "download", str(complete), "--only", "images", "--archives", "2,2"]) == 0
    assert "1 archive and 0 label files" in capsys.readouterr().out
    assert main(["data", "download", str(complete), "--archives", "1-2"]) == 0
    assert "2 archives and 1 label file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--archives 3", "archives are numbered 1 to 2, lower number first, but got '3'"),
        ("--archives 2-1", "lower number first, but got '2-1'"),
        ("--archives one", "takes numbers such as 1,2 or 3-5, but got 'one'"),
        ("--only boxes", "There is: labels, images."),
        ("--workers 0", "is at least 1, but got 0"),
        ("--only labels --archives 1", "Leave one of both out."),
        (
            "--mirror ftp://example.org",
            "A mirror is a URL such as https://example.org/nih, but got 'ftp://example.org'",
        ),
    ],
)
def test_wrong_use(line: str, words: str, complete: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "download", str(complete), *line.split()]) == 2
    assert words in capsys.readouterr().err


def test_a_mirror_that_nobody_serves(tmp_path: Path) -> None:
    """The real command and catalogue."""
    ended = subprocess.run(
        [sys.executable, "-m", "chestxpert", "data", "download", tmp_path / "nih", "--only", "labels",
         "--mirror", "http://127.0.0.1:9/nih"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "4 of 4 files could not be had" in ended.stderr
    assert "127.0.0.1 cannot be reached" in ended.stderr
    assert "Or get Data_Entry_2017_v2020.csv, train_val_list.txt" in ended.stderr
    assert not (tmp_path / "nih").exists()


def test_ctrl_c_says_how_to_go_on(
    complete: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **keywords: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chestxpert.download.download", interrupted)
    assert main(["data", "download", str(complete)]) == 130
    assert "Go on where it stopped with the same command." in capsys.readouterr().err
