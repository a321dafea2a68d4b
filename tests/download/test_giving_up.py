"""When to try again, when to give up, and what is said then."""

import errno
import hashlib
import re
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from loopback import (
    Download,
    archive_bytes,
    cut,
    page,
    status,
)

from chestxpert.download import part as part_module
from chestxpert.errors import DownloadError

NAME = "images_001.tar.gz"
DATA = archive_bytes(1, 20_000)


def test_bytes_that_stay_wrong_are_an_error_with_both_sums(net: Download) -> None:
    net.serve(NAME, DATA)
    wrong = archive_bytes(9, 20_000)
    net.server.files[NAME] = wrong
    with pytest.raises(DownloadError) as caught:
        net.run(anew=2)
    assert f"its MD5 is {hashlib.md5(wrong).hexdigest()}, expected {hashlib.md5(DATA).hexdigest()}" in str(caught.value)
    assert "fetched 3 times" in str(caught.value)
    assert "--mirror URL" in str(caught.value)
    assert len(net.server.asked) == 3
    assert not net.folder.exists()  # it was made for this, and nothing is in it


def test_a_web_page_in_place_of_the_file_is_called_one(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [page("Box | Too much traffic")] * 10
    with pytest.raises(DownloadError, match=re.escape("sends a web page ('Box | Too much traffic')")):
        net.run()
    assert not net.folder.exists()


def test_a_label_file_sent_compressed_is_refused(net: Download) -> None:
    net.serve("test_list.txt", b"00000001_000.png\n")
    net.server.files["test_list.txt"] = archive_bytes(0, 100)
    with pytest.raises(DownloadError, match="compressed, though it was asked not to"):
        net.run()


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_file_that_is_not_there_is_asked_for_once(code: int, net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [status(code)]
    with pytest.raises(DownloadError) as caught:
        net.run()
    assert f"answers {code}" in str(caught.value)
    assert net.server.url(NAME) in str(caught.value)
    assert "Look at https://nihcc.app.box.com/v/ChestXray-NIHCC" in str(caught.value)
    assert len(net.server.asked) == 1
    assert net.waits == []


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(code: int, net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [status(code)] * 3
    net.run()
    assert net.path(NAME).read_bytes() == DATA
    assert len(net.waits) == 3
    for wait, most in zip(net.waits, (1, 2, 4), strict=True):
        assert most / 2 <= wait <= most


def test_a_server_that_says_when_is_asked_then(net: Download) -> None:
    net.serve(NAME, DATA)
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    net.server.ways[NAME] = [
        status(503, Retry_After="17"),
        status(429, Retry_After="86400"),
        status(503, Retry_After=soon),
    ]
    net.run(longest=250)
    assert net.waits[:2] == [17, 250]
    assert 60 < net.waits[2] <= 100


def test_redirections_in_circles_end(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [status(302, Location=net.server.url(NAME))] * 1000
    with pytest.raises(DownloadError, match="redirects"):
        net.run()


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_a_server_that_cannot_be_reached_is_waited_for_once_and_not_by_each_file(net: Download) -> None:
    nowhere = f"http://127.0.0.1:{closed_port()}/"
    files = [replace(net.serve(f"images_{n:03d}.tar.gz", DATA), urls=(nowhere + str(n),)) for n in range(1, 13)]
    with pytest.raises(DownloadError) as caught:
        net.run(*files, workers=1)
    assert "12 of 12 files could not be had" in str(caught.value)
    assert str(caught.value).count("127.0.0.1 cannot be reached") == 1  # said once for all of them
    assert "HTTPS_PROXY" in str(caught.value)
    assert "--mirror URL" in str(caught.value)
    assert len(net.waits) == 1


def test_a_server_that_has_answered_before_is_waited_for_longer(net: Download) -> None:
    file = net.serve(NAME, DATA)
    net.server.ways[NAME] = [status(302, Location=f"http://127.0.0.1:{closed_port()}/")] * 10
    with pytest.raises(DownloadError, match="cannot be reached"):
        net.run(file, tries=5, unheard=2)
    assert len(net.server.asked) == 5


def test_progress_that_is_slow_does_not_use_up_the_tries(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [cut(1_000)] * 19
    net.run(tries=2)
    assert net.path(NAME).read_bytes() == DATA
    assert len(net.server.asked) == 20


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_an_error_that_keeps_what_has_come(
    code: int, net: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    net.serve(NAME, DATA)
    room = 9_000

    def write(stream: object, data: bytes) -> None:
        nonlocal room
        stream.write(data[:room])  # type: ignore[attr-defined]
        if len(data) > room:
            raise OSError(code, "No space left on device")
        room -= len(data)

    with monkeypatch.context() as patch:
        patch.setattr(part_module, "_write_all", write)
        with pytest.raises(DownloadError) as caught:
            net.run()
    assert f"there is no room left in {net.folder} (No space left on device)" in str(caught.value)
    assert "Make room, and run the same command again" in str(caught.value)
    assert net.path(f".{NAME}.part").stat().st_size == 9_000
    net.run()
    assert net.path(NAME).read_bytes() == DATA
    assert net.server.ranges(NAME) == [None, "bytes=9000-"]


def test_a_disk_that_takes_less_than_it_is_given_gets_the_rest(tmp_path: Path) -> None:
    class Slow:
        taken = b""

        def write(self, data: memoryview) -> int:
            self.taken += bytes(data[:7])
            return len(data[:7])

    slow = Slow()
    part_module._write_all(slow, DATA)  # type: ignore[arg-type]
    assert slow.taken == DATA


def test_the_next_place_is_tried_when_one_has_the_wrong_file(net: Download) -> None:
    file = net.serve("test_list.txt", b"00000001_000.png\n" * 50)
    net.server.files["old"] = b"00000002_000.png\n" * 50
    there = replace(file, urls=(net.server.url("gone"), net.server.url("old"), net.server.url("test_list.txt")))
    net.run(there)
    assert net.path("test_list.txt").read_bytes() == net.server.files["test_list.txt"]
    assert [path for path, _ in net.server.asked] == ["gone", "old", "old", "old", "test_list.txt"]


def test_settings_of_the_environment_that_cannot_be_used(net: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    net.serve(NAME, DATA)
    monkeypatch.setenv("HTTPS_PROXY", "bogus://proxy")
    with pytest.raises(DownloadError, match="proxy or certificate settings of the environment cannot be used"):
        net.run()


def test_a_password_in_the_address_is_not_told(net: Download) -> None:
    file = net.serve(NAME, DATA)
    address = net.server.url(NAME).replace("http://", "http://someone:secret@")
    net.server.ways[NAME] = [status(404)]
    with pytest.raises(DownloadError) as caught:
        net.run(replace(file, urls=(address,)))
    assert "secret" not in str(caught.value)
    assert net.server.url(NAME) in str(caught.value)
