"""Many files: what is there is kept, the disk is looked at first, and one failure is not the failure of all."""

import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import namedtuple
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import Download, Handler, Noted, archive_bytes, cut, stall, status

from chestxpert.cli.progress import Lines
from chestxpert.download.catalogue import RemoteFile
from chestxpert.errors import DataError, DownloadError
from chestxpert.folders import locked
from chestxpert.progress import Progress

DATA = {f"images_{number:03d}.tar.gz": archive_bytes(number, 3_000 * number) for number in range(1, 6)}
LIST = "test_list.txt"
NAMES = b"00000001_000.png\n00000002_000.png\n"


@pytest.fixture
def five(net: Download) -> Download:
    for name, data in DATA.items():
        net.serve(name, data)
    net.serve(LIST, NAMES)
    return net


def assert_all_there(net: Download) -> None:
    assert net.names() == sorted([*DATA, LIST])
    for name, data in {**DATA, LIST: NAMES}.items():
        assert net.path(name).read_bytes() == data


def test_all_files_come_and_a_second_run_asks_for_nothing(five: Download) -> None:
    report = five.run()
    assert_all_there(five)
    assert (len(report.fetched), len(report.there_before)) == (6, 0)
    five.server.asked.clear()
    again = five.run()
    assert five.server.asked == []
    assert (len(again.fetched), len(again.there_before)) == (0, 6)
    assert list(again.files) == five.files


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


def test_one_that_fails_does_not_stop_the_others(five: Download) -> None:
    five.server.ways["images_001.tar.gz"] = [status(404)]
    five.server.ways["images_004.tar.gz"] = [status(500)] * 20
    five.server.ways[LIST] = [status(404)]
    with pytest.raises(DownloadError) as caught:
        five.run()
    text = str(caught.value)
    assert text.startswith(f"3 of 6 files could not be had; 3 are in {five.folder}, verified.\n")
    assert "  images_001.tar.gz: 127.0.0.1 answers 404 Not Found to http" in text
    assert "  images_004.tar.gz: 127.0.0.1 answers 500 Internal Server Error.\n" in text
    assert f"Or get {LIST} from https://nihcc.app.box.com/v/ChestXray-NIHCC with a browser" in text
    assert five.names() == ["images_002.tar.gz", "images_003.tar.gz", "images_005.tar.gz"]
    five.server.ways.clear()
    five.run()
    assert_all_there(five)


def test_as_many_at_once_as_asked_for(five: Download) -> None:
    now = most = 0

    def slowly(handler: Handler, body: bytes) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        time.sleep(0.05)
        now -= 1
        handler.begin(200, len(body))
        handler.wfile.write(body)

    for name in DATA:
        five.server.ways[name] = [slowly]
    five.run(workers=2)
    assert most == 2
    assert_all_there(five)


Usage = namedtuple("Usage", "total used free")


def test_the_disk_is_looked_at_before_anything_is_fetched(five: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = sum(map(len, DATA.values())) + len(NAMES)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 0, needed - 1_000))
    with pytest.raises(DownloadError) as caught:
        five.run()
    assert "has 44.0 kB free, and 45.0 kB are still to be fetched (6 files)" in str(caught.value)
    assert "Make 1.0 kB more room" in str(caught.value)
    assert five.server.asked == []
    assert not five.folder.exists()


def test_what_is_there_needs_no_room(five: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    five.run(five.files[0])
    five.server.ways["images_002.tar.gz"] = [cut(2_500)] + [cut(0)] * 3
    with pytest.raises(DownloadError):
        five.run(five.files[1])
    needed = sum(map(len, DATA.values())) + len(NAMES) - 3_000 - 2_500
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 0, needed))
    five.run()
    assert_all_there(five)


def test_two_downloads_to_one_folder_are_one_too_many(five: Download) -> None:
    five.folder.mkdir()
    with locked(five.folder, "never"), pytest.raises(DataError, match="Another process is downloading to"):
        five.run()
    assert five.server.asked == []


def test_a_file_in_place_of_the_folder(five: Download) -> None:
    five.folder.write_text("a file")
    with pytest.raises(DownloadError, match="is a file, and the download needs a folder"):
        five.run()


class Interrupted(Progress):
    """Progress that meets Ctrl-C when it is told something."""

    def note(self, text: str) -> None:
        raise KeyboardInterrupt


def test_ctrl_c_leaves_parts_to_go_on_from(five: Download) -> None:
    """One file has come in part and hangs, when the trouble of another is told."""

    part = five.path(".images_005.tar.gz.part")

    def trouble(handler: Handler, body: bytes) -> None:
        while not part.exists() or part.stat().st_size < 7_000:
            time.sleep(0.01)
        status(500)(handler, body)

    five.server.ways["images_005.tar.gz"] = [stall(7_000)]
    five.server.ways["images_001.tar.gz"] = [trouble]
    with pytest.raises(KeyboardInterrupt):
        five.run(five.files[4], five.files[0], progress=Interrupted(), stall=5)
    assert part.read_bytes() == DATA["images_005.tar.gz"][:7_000]
    five.run()
    assert_all_there(five)
    assert five.server.ranges("images_005.tar.gz") == [None, "bytes=7000-"]


KILLED = """
    import json, sys
    from pathlib import Path
    from chestxpert.download import RemoteFile, fetch_all
    url, folder, md5s = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    fetch_all([RemoteFile(name, (url + name,), (md5,), size) for name, md5, size in md5s], folder, workers=2)
"""


def test_a_process_that_is_killed_is_gone_on_from(five: Download) -> None:
    for name in DATA:
        five.server.ways[name] = [stall(2_900)]
    wanted = json.dumps([(file.name, file.md5s[0], file.size) for file in five.files])
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED), five.server.url(), five.folder, wanted])
    part = five.path(".images_001.tar.gz.part")
    until = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size == 2_900) and time.monotonic() < until:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not set(five.names()) & set(DATA), "a half file has its final name"
    five.server.ways.clear()
    five.run()
    assert_all_there(five)
    assert five.server.ranges("images_001.tar.gz") == [None, "bytes=2900-"]


def test_a_half_archive_of_another_program_is_gone_on_from(five: Download) -> None:
    five.folder.mkdir()
    five.path("images_05.tar.gz").write_bytes(DATA["images_005.tar.gz"][:8_000])  # as NIH's own script names it
    named = replace(five.files[4], also=("images_05.tar.gz",))
    progress = Noted()
    five.run(named, progress=progress)
    assert five.names() == ["images_005.tar.gz"]
    assert five.path("images_005.tar.gz").read_bytes() == DATA["images_005.tar.gz"]
    assert five.server.ranges("images_005.tar.gz") == ["bytes=8000-"]
    assert progress.notes[0].endswith("It is taken as the first 8.0 kB of 15.0 kB.")


def test_a_short_file_that_is_no_beginning_costs_one_fetch(five: Download) -> None:
    five.folder.mkdir()
    five.path("images_005.tar.gz").write_bytes(b"<html>not found</html>")
    five.run(five.files[4])
    assert five.path("images_005.tar.gz").read_bytes() == DATA["images_005.tar.gz"]
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


def test_the_summary_says_what_is_there_and_what_is_next(five: Download) -> None:
    labels, images = five.files[5:], five.files[:2]
    only_labels = five.run(*labels).summary()
    assert "0 archives and 1 label file (34 B), all verified: 1 fetched now, 0 there before." in only_labels
    assert only_labels.endswith(f"Next: chestxpert data download {five.folder} --only images")
    only_images = five.run(*images).summary()
    assert "2 archives and 0 label files (9.0 kB)" in only_images
    assert only_images.endswith(f"Next: chestxpert data download {five.folder} --only labels")
    both = five.run(*labels, *images).summary()
    assert "0 fetched now, 3 there before" in both
    assert f"Next: chestxpert data prepare {five.folder} --out data/nih" in both


def test_progress_counts_bytes_and_begins_where_the_last_run_ended(five: Download) -> None:
    five.server.ways["images_005.tar.gz"] = [cut(10_000)] + [cut(0)] * 3
    with pytest.raises(DownloadError):
        five.run(five.files[4])
    five.path(LIST).write_bytes(NAMES)
    stream = io.StringIO()
    five.run(five.files[4], five.files[5], progress=Lines(stream, every=0, clock=iter(range(10**6)).__next__))
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("verifying: 34 B in 0:0")
    assert lines[1].startswith("fetching: ")
    assert float(lines[1].split()[1]) > 10.0  # kB, of which 10.0 are of the run before
    assert lines[-1].startswith("fetching: 15.0 kB in 0:0")


def test_progress_takes_back_what_was_thrown_away(five: Download) -> None:
    told: list[tuple[int, int]] = []

    class Counted(Progress):
        @contextmanager
        def bar(self, label: str, total: int, unit: str = "image", *, before: int = 0):  # type: ignore[no-untyped-def]
            ticks: list[int] = [before]
            yield ticks.append
            told.append((total, sum(ticks)))

    def other_file(handler: Handler, body: bytes) -> None:
        handler.begin(200, len(body), ETag='"other"')
        handler.wfile.write(body)

    five.files[2] = replace(five.files[2], urls=(five.server.url("first"), *five.files[2].urls))
    five.server.files["first"] = DATA["images_003.tar.gz"]
    five.server.ways["first"] = [cut(5_000), status(404)]
    five.server.ways["images_004.tar.gz"] = [cut(5_000), other_file]
    five.server.ways["images_005.tar.gz"] = [lambda handler, body: cut(15_000)(handler, body[:-1] + b"?"), stall(3_000)]
    five.run(progress=Counted())
    total = sum(map(len, DATA.values())) + len(NAMES)
    assert told == [(total, total)]


def test_the_catalogue_is_looked_for_under_the_mirror(five: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    from chestxpert.download import catalogue, download

    elsewhere = [replace(file, urls=("http://127.0.0.1:9/never",)) for file in five.files]
    monkeypatch.setattr(catalogue, "ARCHIVES", tuple(elsewhere[:5]))
    monkeypatch.setattr(catalogue, "LABELS", tuple(elsewhere[5:]))
    report = download(five.folder, mirror=five.server.url().rstrip("/"))
    assert_all_there(five)
    assert [file.name for file in report.files] == [LIST, *DATA]


def test_a_remote_file_is_found_under_its_own_name_first(tmp_path: Path) -> None:
    file = RemoteFile("a.csv", (), (), 0, also=("a.csv.gz",))
    assert file.find(tmp_path) is None
    (tmp_path / "a.csv.gz").write_bytes(b"")
    assert file.find(tmp_path) == tmp_path / "a.csv.gz"
    (tmp_path / "a.csv").write_bytes(b"")
    assert file.find(tmp_path) == tmp_path / "a.csv"
