"""What is in the folder already: right files are kept, half ones gone on with, and nobody's work is lost."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import ARCHIVES, LIST, NAMES, Download, Noted, assert_all_there

from chestxpert.download.catalogue import RemoteFile
from chestxpert.errors import DownloadError


def test_a_second_run_verifies_byte_by_byte(five: Download) -> None:
    """Same size, same time of change: only the bytes tell."""
    five.run()
    path = five.path("images_003.tar.gz")
    times = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    os.utime(path, ns=(times, times))
    five.server.asked.clear()
    progress = Noted()
    five.run(progress=progress)
    assert_all_there(five)
    assert [name for name, _ in five.server.asked] == ["images_003.tar.gz"]
    [note] = progress.notes
    assert note.startswith("images_003.tar.gz was there, but its MD5 is ")
    assert note.endswith("It is fetched anew.")


def test_a_half_archive_of_another_program_is_gone_on_from(five: Download) -> None:
    five.folder.mkdir()
    five.path("images_05.tar.gz").write_bytes(ARCHIVES["images_005.tar.gz"][:8_000])  # as NIH's own script names it
    named = replace(five.files[4], also=("images_05.tar.gz",))
    progress = Noted()
    five.run(named, progress=progress)
    assert five.names() == ["images_005.tar.gz"]
    assert five.path("images_005.tar.gz").read_bytes() == ARCHIVES["images_005.tar.gz"]
    assert five.server.ranges("images_005.tar.gz") == ["bytes=8000-"]
    assert progress.notes[0].endswith("It is taken as the first 8.0 kB of 15.0 kB.")


def test_a_short_file_that_is_no_beginning_costs_one_fetch(five: Download) -> None:
    five.folder.mkdir()
    five.path("images_005.tar.gz").write_bytes(b"<html>not found</html>")
    five.run(five.files[4])
    assert five.path("images_005.tar.gz").read_bytes() == ARCHIVES["images_005.tar.gz"]
    assert five.server.ranges("images_005.tar.gz") == ["bytes=22-", None]


def test_somebodys_own_label_file_is_kept(five: Download) -> None:
    five.folder.mkdir()
    for text in ("mine", "mine too"):
        five.path(LIST).write_text(text)
        five.run(five.files[5])
    assert five.names() == [LIST, f"{LIST}.wrong", f"{LIST}.wrong1"]
    assert five.path(f"{LIST}.wrong").read_text() == "mine"
    assert five.path(f"{LIST}.wrong1").read_text() == "mine too"
    assert five.path(LIST).read_bytes() == NAMES


def test_a_gzipped_label_file_counts_as_there(five: Download) -> None:
    five.folder.mkdir()
    file = replace(five.files[5], also=(f"{LIST}.gz",))
    zipped = five.path(f"{LIST}.gz")
    zipped.write_bytes(gzip.compress(NAMES))
    assert list(five.run(file).there_before) == [file]
    assert five.server.asked == []
    zipped.write_bytes(gzip.compress(NAMES)[:-3])
    assert list(five.run(file).fetched) == [file]
    assert five.names() == [LIST, f"{LIST}.gz.wrong"]


def test_a_label_file_of_unknown_sum_is_accepted_for_its_contents_and_that_is_said(net: Download) -> None:
    def problem(text: str) -> str | None:
        return None if text.split() == NAMES.decode().split() else "it has other names"

    file = net.serve(LIST, NAMES, problem)
    net.server.files[LIST] = b"\xef\xbb\xbf" + NAMES.replace(b"\n", b"\r\n")
    for report in (net.run(), net.run()):
        assert report.files[file].by_contents
        assert f"{LIST} has an MD5 that nobody has recorded" in report.summary()
    net.path(LIST).unlink()
    net.server.files[LIST] = b"00000003_000.png\n"
    with pytest.raises(DownloadError, match=r"expected .*, and it has other names"):
        net.run()
    net.server.files[LIST] = b"\xff\xfe"
    with pytest.raises(DownloadError, match="and it is no text"):
        net.run()


def test_a_file_that_cannot_be_read_is_not_thrown_away(five: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    five.run()

    def unreadable(self: Path, mode: str = "r", **keywords: object) -> object:
        raise OSError(5, "Input/output error", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", unreadable)
        with pytest.raises(DownloadError, match=r"cannot be read .*Input/output error"):
            five.run()
    assert_all_there(five)


def test_a_remote_file_is_found_under_its_own_name_first(tmp_path: Path) -> None:
    file = RemoteFile("a.csv", (), (), 0, also=("a.csv.gz",))
    assert file.find(tmp_path) is None
    (tmp_path / "a.csv.gz").write_bytes(b"")
    assert file.find(tmp_path) == tmp_path / "a.csv.gz"
    (tmp_path / "a.csv").write_bytes(b"")
    assert file.find(tmp_path) == tmp_path / "a.csv"
