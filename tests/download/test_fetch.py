"""One file on bad lines: whatever the server does, the file is right under its name, or not there at all."""

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import (
    Download,
    Handler,
    Noted,
    archive_bytes,
    cut,
    page,
    sends,
    serving,
    stall,
    status,
    unmeasured,
    well,
    whole,
    whole_cut,
)

from chestxpert.errors import DownloadError

NAME = "images_001.tar.gz"
DATA = archive_bytes(1, 20_000)


def test_a_file_comes_whole_and_leaves_nothing_beside_it(net: Download) -> None:
    file = net.serve(NAME, DATA)
    report = net.run()
    assert net.path(NAME).read_bytes() == DATA
    assert net.names() == [NAME]
    assert list(report.fetched) == [file]
    [(_, headers)] = net.server.asked
    assert headers["accept-encoding"] == "identity"
    assert "range" not in headers


def test_after_a_cut_only_the_rest_is_asked_for(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [cut(7_000), cut(5_000)]
    net.run()
    assert net.path(NAME).read_bytes() == DATA
    assert net.server.ranges(NAME) == [None, "bytes=7000-", "bytes=12000-"]
    marks = {headers.get("if-range") for _, headers in net.server.asked[1:]}
    assert marks == {f'"{hashlib.sha256(DATA).hexdigest()}"'}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ways=st.lists(
        st.one_of(
            st.integers(0, 3000).map(cut),
            st.integers(0, 3000).map(whole_cut),
            st.sampled_from([status(503), page("busy"), sends(b"", 416), unmeasured(700)]),
        ),
        max_size=8,
    ),
    marks=st.booleans(),
)
def test_after_any_trouble_the_bytes_are_right(ways: list[object], marks: bool, tmp_path_factory: object) -> None:
    folder = tmp_path_factory.mktemp("any")  # type: ignore[attr-defined]
    with serving() as server:
        net = Download(server, folder / "nih")
        data = archive_bytes(2, 3_000)
        net.serve(NAME, data)
        server.marks = marks
        server.ways[NAME] = list(ways)  # type: ignore[arg-type]
        net.run(tries=20, anew=10)
        assert net.path(NAME).read_bytes() == data
        assert net.names() == [NAME]


def test_a_download_that_was_given_up_goes_on_in_the_next_run(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [cut(9_000)] + [cut(0)] * 3
    with pytest.raises(DownloadError, match="the same command goes on with it"):
        net.run()
    assert net.names() == [f".{NAME}.part", f".{NAME}.part.json"]
    assert net.path(f".{NAME}.part").read_bytes() == DATA[:9_000]
    net.run()
    assert net.path(NAME).read_bytes() == DATA
    assert net.server.ranges(NAME)[-1] == "bytes=9000-"
    assert net.names() == [NAME]


def test_a_file_that_has_changed_meanwhile_is_not_glued_to_its_old_half(net: Download) -> None:
    net.serve(NAME, DATA)
    newer = archive_bytes(3, 20_000)

    def cut_and_change(handler: Handler, body: bytes) -> None:
        cut(9_000)(handler, body)
        net.server.files[NAME] = newer

    net.server.ways[NAME] = [cut_and_change]
    changed = replace(net.files[0], md5s=(hashlib.md5(newer).hexdigest(),))
    net.run(changed)
    assert net.path(NAME).read_bytes() == newer
    assert net.server.ranges(NAME) == [None, "bytes=9000-"]


def test_without_marks_a_change_is_noticed_by_the_size(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.marks = False
    newer = archive_bytes(3, 21_000)

    def cut_and_change(handler: Handler, body: bytes) -> None:
        cut(9_000)(handler, body)
        net.server.files[NAME] = newer

    net.server.ways[NAME] = [cut_and_change]
    progress = Noted()
    net.run(replace(net.files[0], md5s=(hashlib.md5(newer).hexdigest(),)), progress=progress)
    assert net.path(NAME).read_bytes() == newer
    assert net.server.ranges(NAME) == [None, "bytes=9000-", None]
    assert "the file has changed on the server meanwhile" in progress.notes[-1]


def test_a_server_that_ignores_range_begins_anew(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [cut(9_000), whole]
    net.run()
    assert net.path(NAME).read_bytes() == DATA
    assert net.server.ranges(NAME) == [None, "bytes=9000-"]


def test_a_server_that_ignores_range_and_cuts_at_the_same_place_is_given_up(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [whole_cut(9_000)] * 50
    with pytest.raises(DownloadError, match=r"connection to .* was lost"):
        net.run()
    assert len(net.server.asked) == 4


def test_coming_as_far_as_before_is_no_progress(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [whole_cut(9_000), whole_cut(1_000)] * 50
    with pytest.raises(DownloadError):
        net.run()
    assert len(net.server.asked) == 4


@pytest.mark.parametrize("lie", ["bytes 0-19999/20000", "bytes 8999-19999/20000", "elephants 9000-19999/20000", ""])
def test_a_part_that_does_not_begin_where_it_must_is_not_used(lie: str, net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [cut(9_000), sends(DATA[:11_000], 206, Content_Range=lie)]
    progress = Noted()
    net.run(progress=progress)
    assert net.path(NAME).read_bytes() == DATA
    assert "the file has changed on the server meanwhile" in progress.notes[-1]
    assert net.server.ranges(NAME) == [None, "bytes=9000-", None]


def test_a_part_that_is_whole_already_is_verified_and_named(net: Download) -> None:
    """Killed between the last byte and the new name."""
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [cut(19_999)] + [cut(0)] * 3
    with pytest.raises(DownloadError):
        net.run()
    with net.path(f".{NAME}.part").open("ab") as stream:
        stream.write(DATA[-1:])
    net.run()
    assert net.path(NAME).read_bytes() == DATA
    assert net.server.ranges(NAME)[-1] == "bytes=20000-"


def test_a_part_that_is_longer_than_the_file_is_thrown_away(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [cut(9_000)] + [cut(0)] * 3
    with pytest.raises(DownloadError):
        net.run()
    with net.path(f".{NAME}.part").open("ab") as stream:
        stream.write(DATA)
    net.run()
    assert net.path(NAME).read_bytes() == DATA
    assert net.server.ranges(NAME)[-2:] == ["bytes=29000-", None]


@pytest.mark.parametrize("origin", ["{", "[]", '{"url": 3}', '{"url": "http://elsewhere/x", "bogus": 1}', None])
def test_a_part_of_unknown_origin_is_not_used(origin: str | None, net: Download) -> None:
    net.serve(NAME, DATA)
    net.folder.mkdir()
    net.path(f".{NAME}.part").write_bytes(b"from somewhere")
    if origin is not None:
        net.path(f".{NAME}.part.json").write_text(origin)
    net.run()
    assert net.path(NAME).read_bytes() == DATA
    assert net.server.ranges(NAME) == [None]
    assert net.names() == [NAME]


def test_a_stall_is_a_cut(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [stall(9_000)]
    progress = Noted()
    net.run(progress=progress)
    assert net.path(NAME).read_bytes() == DATA
    assert net.server.ranges(NAME) == [None, "bytes=9000-"]
    assert progress.notes == [f"{NAME}: 127.0.0.1 has sent nothing for 0.4 s; next try in 1 s"]


def test_wrong_bytes_are_thrown_away_and_fetched_anew(net: Download) -> None:
    net.serve(NAME, DATA)
    wrong = DATA[:-1] + bytes([DATA[-1] ^ 1])
    net.server.ways[NAME] = [sends(wrong)]
    progress = Noted()
    net.run(progress=progress)
    assert net.path(NAME).read_bytes() == DATA
    [note] = progress.notes
    assert hashlib.md5(wrong).hexdigest() in note
    assert hashlib.md5(DATA).hexdigest() in note


def test_a_web_page_does_not_cost_what_had_come(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [cut(9_000), page("Box"), sends(b'{"error": "no"}'), sends(b"")]
    net.run(tries=6)
    assert net.path(NAME).read_bytes() == DATA
    assert net.server.ranges(NAME) == [None] + ["bytes=9000-"] * 4


def test_redirections_are_followed_with_the_range_and_anew_each_time(net: Download) -> None:
    file = net.serve(NAME, DATA)
    net.server.files["signed"] = DATA
    there = replace(file, urls=(net.server.url("static"),))
    net.server.ways["static"] = [status(302, Location="/signed"), status(302, Location=net.server.url("signed"))]
    net.server.ways["signed"] = [cut(9_000)]
    net.run(there)
    assert net.path(NAME).read_bytes() == DATA
    assert net.server.ranges("static") == [None, "bytes=9000-"]
    assert net.server.ranges("signed") == [None, "bytes=9000-"]


def test_an_answer_without_a_length_that_ends_early_is_noticed_by_the_sum(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [unmeasured(9_000), unmeasured(20_000)]
    net.run()
    assert net.path(NAME).read_bytes() == DATA
    assert len(net.server.asked) == 2


def test_a_file_goes_on_in_the_place_where_it_was_begun(net: Download) -> None:
    data = b"00000001_000.png\n" * 500
    file = net.serve("test_list.txt", data)
    there = replace(file, urls=(net.server.url("first"), net.server.url("test_list.txt")))
    net.server.ways["test_list.txt"] = [cut(4_000)] + [cut(0)] * 3
    with pytest.raises(DownloadError):
        net.run(there)
    net.server.asked.clear()
    net.run(there)
    assert net.server.asked[0][0] == "test_list.txt"
    assert net.server.ranges("test_list.txt") == ["bytes=4000-"]


def test_the_origin_of_a_part_is_kept_beside_it(net: Download) -> None:
    net.serve(NAME, DATA)
    net.server.ways[NAME] = [cut(9_000)] + [cut(0)] * 3
    with pytest.raises(DownloadError):
        net.run()
    origin = json.loads(net.path(f".{NAME}.part.json").read_text(encoding="utf-8"))
    assert origin == {
        "url": net.server.url(NAME), "etag": f'"{hashlib.sha256(DATA).hexdigest()}"', "last_modified": "",
        "total": 20_000,
    }  # fmt: skip


def test_a_weak_mark_promises_nothing_and_is_not_sent(net: Download) -> None:
    net.serve(NAME, DATA)

    def weakly(handler: Handler, body: bytes) -> None:
        handler.begin(200, len(body), ETag='W/"1"', Last_Modified="Tue, 15 Nov 2022 12:45:26 GMT")
        handler.wfile.write(body[:9_000])
        handler.hang_up()

    net.server.ways[NAME] = [weakly, well]
    net.run()
    assert net.server.asked[1][1]["if-range"] == "Tue, 15 Nov 2022 12:45:26 GMT"
    assert net.path(NAME).read_bytes() == DATA
