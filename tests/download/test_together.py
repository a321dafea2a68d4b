"""Many files: what is there is kept, the disk is looked at first, and one failure is not the failure of all."""

import io
import json
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import namedtuple
from contextlib import contextmanager
from dataclasses import replace

import pytest
from loopback import ARCHIVES, LIST, NAMES, Download, Handler, assert_all_there, cut, stall, status

from chestxpert.cli.progress import Lines
from chestxpert.errors import DataError, DownloadError
from chestxpert.folders import locked
from chestxpert.progress import Progress


def test_all_files_come_and_a_second_run_asks_for_nothing(five: Download) -> None:
    report = five.run()
    assert_all_there(five)
    assert (len(report.fetched), len(report.there_before)) == (6, 0)
    five.server.asked.clear()
    again = five.run()
    assert five.server.asked == []
    assert (len(again.fetched), len(again.there_before)) == (0, 6)
    assert list(again.files) == five.files


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

    for name in ARCHIVES:
        five.server.ways[name] = [slowly]
    five.run(workers=2)
    assert most == 2
    assert_all_there(five)


Usage = namedtuple("Usage", "total used free")


def test_the_disk_is_looked_at_before_anything_is_fetched(five: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = sum(map(len, ARCHIVES.values())) + len(NAMES)
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
    needed = sum(map(len, ARCHIVES.values())) + len(NAMES) - 3_000 - 2_500
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
    assert part.read_bytes() == ARCHIVES["images_005.tar.gz"][:7_000]
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
    for name in ARCHIVES:
        five.server.ways[name] = [stall(2_900)]
    wanted = json.dumps([(file.name, file.md5s[0], file.size) for file in five.files])
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED), five.server.url(), five.folder, wanted])
    part = five.path(".images_001.tar.gz.part")
    until = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size == 2_900) and time.monotonic() < until:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not set(five.names()) & set(ARCHIVES), "a half file has its final name"
    five.server.ways.clear()
    five.run()
    assert_all_there(five)
    assert five.server.ranges("images_001.tar.gz") == [None, "bytes=2900-"]


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
    five.server.files["first"] = ARCHIVES["images_003.tar.gz"]
    five.server.ways["first"] = [cut(5_000), status(404)]
    five.server.ways["images_004.tar.gz"] = [cut(5_000), other_file]
    five.server.ways["images_005.tar.gz"] = [lambda handler, body: cut(15_000)(handler, body[:-1] + b"?"), stall(3_000)]
    five.run(progress=Counted())
    total = sum(map(len, ARCHIVES.values())) + len(NAMES)
    assert told == [(total, total)]


def test_the_catalogue_is_looked_for_under_the_mirror(five: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    from chestxpert.download import catalogue, download

    elsewhere = [replace(file, urls=("http://127.0.0.1:9/never",)) for file in five.files]
    monkeypatch.setattr(catalogue, "ARCHIVES", tuple(elsewhere[:5]))
    monkeypatch.setattr(catalogue, "LABELS", tuple(elsewhere[5:]))
    report = download(five.folder, mirror=five.server.url().rstrip("/"))
    assert_all_there(five)
    assert [file.name for file in report.files] == [LIST, *ARCHIVES]
