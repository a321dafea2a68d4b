"""Damaged image files, thousands of them: each is decoded or refused with a reason, and nothing else happens.

    python benchmarks/fuzz.py [--inputs 20000] [--seed 0] [--memory 1024] [--seconds 10] [--keep FOLDER]

Files of every kind that is read (see fuzz_damage.py) are damaged by changed bits, cuts, pieces of other files, extreme
lengths and sizes, shuffled chunks with right checksums, and damage under the compression. Each is decoded in a child
process that may use so much memory (MiB, beyond what it has when it starts) and CPU time (seconds an input). Prints how
many were decoded, refused for which reason, and how many crashed the child, hung, ran out of memory or raised anything
but a DataError; exits with 1 if any of these four happened. `--keep` writes those inputs to a folder.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from fuzz_damage import damaged, seeds

from chestxpert.errors import DataError
from chestxpert.pixels.decode import read_image
from chestxpert.pixels.dicom_header import dicom_header
from chestxpert.pixels.preprocess import Preprocess

BAD = ("crashed", "hung", "out of memory", "another error")
_MEMORY = "more memory than there is"


def outcome(data: bytes) -> str:
    """What becomes of one input: 'decoded', 'refused: REASON', or one of `BAD`."""
    try:
        if data[128:132] == b"DICM":
            _read_header(data)
        decoded = read_image(data)
        stored = Preprocess(64).apply(decoded.pixels)
    except DataError as error:
        if _MEMORY in str(error):
            return "out of memory"
        return f"refused: {_kind(str(error).partition(': ')[2])}"
    except Exception as error:
        return f"another error: {type(error).__name__} {error}".replace("\n", " ")[:120]
    whole = decoded.pixels.dtype == np.uint8 and decoded.pixels.ndim == 2 and stored.shape == (64, 64)
    return "decoded" if whole else "another error: not an image"


def _kind(reason: str) -> str:
    """Reason without what differs from file to file."""
    for varying in (r"'.*", r"\(.*", r"(?<=checksum of its ).*(?= chunk)", r"(?<=transfer syntax, ).*", r"\S*\d\S*"):
        reason = re.sub(varying, "~", reason)
    return reason[:70]


def _read_header(data: bytes) -> None:
    try:
        dicom_header(data)
    except DataError as error:
        if _MEMORY in str(error):
            raise


def _child(numbers: range, files: dict[str, bytes], seed: int, memory: int, seconds: float, pipe: int) -> None:
    """Decode the inputs in turn; report each by two lines, one before and one after."""
    used = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
    )
    resource.setrlimit(resource.RLIMIT_AS, (used + memory * 2**20,) * 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # native decoders talk
    for number in numbers:
        _, data = damaged(number, files, seed)
        os.write(pipe, b"begin\n")
        signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal ends the process
        signal.setitimer(signal.ITIMER_REAL, 12 * seconds)  # for what waits without working
        said = outcome(data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.write(pipe, said.encode("utf-8", "replace").replace(b"\n", b" ") + b"\n")


def _batch(first: int, arguments: argparse.Namespace, files: dict[str, bytes]) -> list[str]:
    """Outcomes of inputs from `first` on, until all are done or the child has ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(range(first, arguments.inputs), files, arguments.seed, arguments.memory, arguments.seconds, writing)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
        said = [line.rstrip("\n") for line in lines]
    status = os.waitpid(child, 0)[1]
    outcomes = [line for line in said if line != "begin"]
    if status != 0:
        hung = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM)
        outcomes.append("hung" if hung else f"crashed: status {status}")
    return outcomes


def main() -> None:
    """Damage, decode, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    files, started = seeds(), time.monotonic()
    for data in files.values():
        read_image(data)  # each is whole; and all decoders are loaded before memory is limited
    outcomes: list[str] = []
    while len(outcomes) < arguments.inputs:
        outcomes += _batch(len(outcomes), arguments, files)
    _report(outcomes, files, arguments)
    print(f"{len(outcomes)} inputs from {len(files)} files in {time.monotonic() - started:.0f} s")
    if any(said.startswith(BAD) for said in outcomes):
        sys.exit(1)


def _report(outcomes: list[str], files: dict[str, bytes], arguments: argparse.Namespace) -> None:
    for number, said in enumerate(outcomes):
        if said.startswith(BAD):
            name, data = damaged(number, files, arguments.seed)
            print(f"input {number}, from {name}: {said}")
            if arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{number}.bin").write_bytes(data)
    for said, count in Counter(outcomes).most_common():
        if said.startswith("refused"):
            print(f"{count:7} {said}")
    print(f"{sum(said == 'decoded' for said in outcomes):7} decoded")
    print(f"{sum(said.startswith('refused') for said in outcomes):7} refused, each with a reason")
    for kind in BAD:
        print(f"{sum(said.startswith(kind) for said in outcomes):7} {kind}")


if __name__ == "__main__":
    main()
