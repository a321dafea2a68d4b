import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chestxpert.cli import recipes
from chestxpert.cli.main import main
from chestxpert.errors import ChestXpertError, RecipeError, RunError


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def make_recipes_raise(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(arguments: object) -> str:
        raise error

    monkeypatch.setattr(recipes, "run", run)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ChestXpertError("It failed."), 1, "chestxpert: error: It failed.\n"),
        (RunError("The run is in the way."), 1, "chestxpert: error: The run is in the way.\n"),
        (RecipeError("No such key."), 2, "chestxpert: error: No such key.\n"),
        (
            KeyboardInterrupt(),
            130,
            "\nchestxpert: interrupted. Nothing is left half made.\n",
        ),
        (
            OSError(28, "No space left on device", "/full/x"),
            1,
            "chestxpert: error: No space left on device: /full/x. Choose another folder, or make room there.\n",
        ),
    ],
)
def test_each_failure_has_its_exit_code_and_no_traceback(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_recipes_raise(monkeypatch, error)
    assert main(["recipes"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == words


@pytest.mark.parametrize("error", [ZeroDivisionError(), FileNotFoundError(2, "gone", "x"), OSError("no file named")])
def test_what_nobody_foresaw_keeps_its_traceback(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    make_recipes_raise(monkeypatch, error)
    with pytest.raises(type(error)):
        main(["recipes"])


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_an_unforeseen_error_ends_the_process_with_1() -> None:
    ended = run_python(
        "import sys; from chestxpert.cli import main, recipes; recipes.run = lambda a: 1 / 0;"
        "sys.exit(main.main(['recipes']))"
    )
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr


def hear_interrupts() -> None:
    """Undo what a shell that starts the tests in the background hands down: deaf ears for Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_ends_with_130_(number: signal.Signals, tmp_path: Path) -> None:
    started = tmp_path / "started"
    code = (
        "import sys, time, pathlib; from chestxpert.cli import main, recipes;"
        f"recipes.run = lambda a: (pathlib.Path({str(started)!r}).touch(), time.sleep(60));"
        "sys.exit(main.main(['recipes']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts
    ) as process:
        while not started.exists():
            time.sleep(0.01)
        process.send_signal(number)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "chestxpert: interrupted." in told
    assert "Traceback" not in told


@pytest.mark.parametrize("line", [["--help"], ["recipes"]], ids=" ".join)
def test_a_reader_that_leaves_is_no_failure(line: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "chestxpert", *line], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_terminal_without_unicode_gets_a_question_mark() -> None:
    code = (
        "import sys; from chestxpert.cli import main, recipes; recipes.run = lambda a: 'a \\u2212 b';"
        "sys.exit(main.main(['recipes']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert ended.stdout == "a ? b\n"


def test_the_installed_command_is_this_one() -> None:
    script = Path(sys.executable).with_name("chestxpert")
    ended = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("chestxpert ")
