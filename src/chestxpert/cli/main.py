"""The entry point: find the command, run it, print what it gives, and end with an exit code that means something."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from chestxpert import __version__
from chestxpert.cli import agree, compare, data, ensemble, evaluate, localize, recipes, report, taxonomy, train
from chestxpert.cli.parser import Parser
from chestxpert.errors import ChestXpertError

INTERRUPTED = 130

DESCRIPTION = """
    Which way of handling the long tail works best on your chest X-rays, and does a hierarchy of classifiers beat
    one flat classifier? ChestXpert trains them all on the same patients and says what the data allow to say.
    A research tool, not a medical device.
"""
EPILOG = """
    a first study, from NIH's files to the answer:
      chestxpert data prepare ~/nih --out data/nih
      chestxpert compare --data data/nih --out studies/first --seeds 3 --freeze

    without any data, on drawn radiographs:
      chestxpert data simulate --out data/drawn --images 1200
      chestxpert data prepare data/drawn --out data/simulated

    'chestxpert COMMAND --help' explains each command. Results go to stdout, progress to stderr.
    exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.
"""


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(prog="chestxpert", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"chestxpert {__version__}")
    parser.set_defaults(parser=parser, run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in (data, compare, train, ensemble, evaluate, localize, agree, report, recipes, taxonomy):
        command.add_to(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except ChestXpertError as error:
        return _complain(str(error), error.exit_code)
    except OSError as error:
        if error.filename is None or error.errno not in _FOR_THE_USER:
            raise
        return _complain(f"{error.strerror}: {error.filename}. Choose another folder, or make room there.", 1)
    except KeyboardInterrupt:
        return _complain(f"interrupted. {_how_to_go_on(words)}", INTERRUPTED)


_FOR_THE_USER = (errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOTDIR, errno.EISDIR)


def _how_to_go_on(words: list[str]) -> str:
    if words[:2] in (["data", "download"], ["data", "prepare"]):
        return "Go on where it stopped with the same command."
    if words[:1] in (["compare"], ["train"]):
        return "Go on where it stopped with the same command and --resume."
    return "Nothing is left half made."


def _run(argv: list[str]) -> int:
    with contextlib.suppress(ValueError):  # in a thread of somebody else's program, signals are theirs
        signal.signal(signal.SIGTERM, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a sign gets '?', not a failure
            stream.reconfigure(errors="replace")
    try:
        arguments, extra = build_parser().parse_known_args(argv)
        if extra:
            arguments.parser.refuse(extra)
    except SystemExit as stop:  # --help, --version, or wrong use; argparse has said all there is to say
        _print("")
        return int(stop.code or 0)
    if arguments.run is None:
        arguments.parser.print_help(sys.stderr)
        return 2
    arguments.argv = argv
    _print(arguments.run(arguments) + "\n")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Treat a polite request to stop like Ctrl-C, so that everything closed at Ctrl-C is closed then too."""
    raise KeyboardInterrupt


def _complain(message: str, code: int) -> int:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"chestxpert: error: {message}\n" if code != INTERRUPTED else f"\nchestxpert: {message}\n")
    return code


def _print(text: str) -> None:
    """Write to stdout; a reader that has seen enough (``| head``) is no failure."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more at its end and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
