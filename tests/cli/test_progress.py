import io
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from chestxpert.cli.progress import Bars, Lines, bar_when_known, progress_on_stderr
from chestxpert.progress import BYTES, SILENT, Progress, Tick, counting, size_text


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_now_and_then_and_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    with Lines(stream, every=10, clock=clock).bar("decoding", 100) as tick:
        for _ in range(100):
            clock.now += 0.35
            tick(1)
    assert stream.getvalue().splitlines() == [
        "decoding: 29 of 100 images, 0:25 left",
        "decoding: 58 of 100 images, 0:15 left",
        "decoding: 87 of 100 images, 0:05 left",
        "decoding: 100 images in 0:35",
    ]


def test_bytes_are_told_in_kb_mb_and_gb_and_at_what_rate() -> None:
    stream, clock = io.StringIO(), Clock()
    with Lines(stream, every=10, clock=clock).bar("fetching", 45_000_000_000, BYTES, before=15_000_000_000) as tick:
        for _ in range(3):
            clock.now += 400
            tick(10_000_000_000)
    assert stream.getvalue().splitlines() == [
        "fetching: 25.0 GB of 45.0 GB, 25.0 MB/s, 13:20 left",
        "fetching: 35.0 GB of 45.0 GB, 25.0 MB/s, 6:40 left",
        "fetching: 45.0 GB in 20:00, 25.0 MB/s",
    ]


def test_bytes_that_are_taken_back() -> None:
    stream, clock = io.StringIO(), Clock()
    with Lines(stream, every=10, clock=clock).bar("fetching", 1000, BYTES, before=500) as tick:
        for count in (-500, 900, 100):
            clock.now += 100
            tick(count)
    assert stream.getvalue().splitlines() == [
        "fetching: 900 B of 1.0 kB, 2 B/s, 0:50 left",
        "fetching: 1.0 kB in 5:00, 2 B/s",
    ]


def test_a_bar_of_bytes() -> None:
    stream = io.StringIO()
    with Bars(stream).bar("fetching", 2_000_000, BYTES, before=500_000) as tick:
        tick(1_600_000)
        tick(-100_000)
    last = stream.getvalue().rstrip("\n").rpartition("\r")[2]
    assert "100 %" in last
    assert "2.00MB/2.00MB, " in last
    assert "B/s, 00:00 left" in last


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (9_003_496, "9.0 MB"),
     (45_079_862_756, "45.1 GB"), (4_507_986_275_600, "4508.0 GB")],
)  # fmt: skip
def test_sizes_for_people(count: int, text: str) -> None:
    assert size_text(count) == text


def test_a_hundred_short_works_inside_another_are_no_flood() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Lines(stream, every=10, clock=clock)
    with progress.bar("study", 100, "run") as outer:
        for _ in range(100):
            with progress.bar("network", 10) as inner:
                clock.now += 0.25
                inner(10)
            outer(1)
    lines = stream.getvalue().splitlines()
    assert lines == ["study: 40 of 100 runs, 0:15 left", "study: 80 of 100 runs, 0:05 left", "study: 100 runs in 0:25"]


def test_long_work_inside_another_has_its_own_lines() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Lines(stream, every=10, clock=clock)
    with progress.bar("study", 1, "run"), progress.bar("network", 4) as inner:
        for _ in range(4):
            clock.now += 2000
            inner(1)
    assert stream.getvalue().splitlines()[:2] == [
        "network: 1 of 4 images, 1:40:00 left",
        "network: 2 of 4 images, 1:06:40 left",
    ]


def test_work_that_failed_is_not_called_done() -> None:
    stream = io.StringIO()
    progress = Lines(stream)
    with pytest.raises(KeyboardInterrupt), progress.bar("study", 1):
        raise KeyboardInterrupt
    assert stream.getvalue() == ""
    with progress.bar("next", 1) as tick:  # and the depth is right again
        tick(1)
    assert "next: 1 images" in stream.getvalue()


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_log_that_nobody_reads_any_more_stops_no_work() -> None:
    work(Lines(Gone()))


def work(progress: Progress) -> None:
    with progress.bar("study", 2, "run") as outer:
        for number in range(2):
            with progress.bar(f"network {number}", 10) as inner:
                inner(4)
                inner(6)
            outer(1)
        progress.note("a note")


def test_bars_show_both_levels_and_leave_the_outer_one() -> None:
    stream = io.StringIO()
    work(Bars(stream))
    text = stream.getvalue()
    assert "network 0" in text
    assert "network 1" in text
    assert "a note\n" in text
    last = text.rstrip("\n").rpartition("\r")[2]
    assert last.startswith("study")
    assert "100 %" in last
    assert "2/2 runs, 00:00 left" in last


def test_silence_takes_the_same_calls() -> None:
    work(SILENT)


def test_a_total_that_is_learned_on_the_way() -> None:
    stream, clock = io.StringIO(), Clock()
    with bar_when_known(Lines(stream, clock=clock), "decoding") as report:
        report(16, 40)
        report(40, 40)
    assert stream.getvalue() == "decoding: 40 images in 0:00\n"
    with bar_when_known(Lines(stream, clock=clock), "nothing"):
        pass
    assert "nothing" not in stream.getvalue()


def test_counting_passes_on_differences() -> None:
    seen: list[int] = []
    tick: Tick = seen.append
    report = counting(tick)
    for done in (3, 3, 10):
        report(done, 10)
    assert seen == [3, 0, 7]


def test_which_one_it_is_depends_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(progress_on_stderr(), Lines)


def test_a_real_terminal_gets_bars_on_stderr_and_results_on_stdout(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    ended = subprocess.run(
        [sys.executable, "-m", "chestxpert", "data", "simulate", "--out", tmp_path / "drawn", "--images", "20",
         "--size", "32", "--workers", "1"],
        stdout=subprocess.PIPE, stderr=theirs, check=True, text=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # a terminal whose other end is closed ends in an error, not in nothing
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert b"20/20 images" in shown
    assert "drawing" not in ended.stdout
    assert "Simulated 20 images" in ended.stdout
