"""Throw damaged tables at every reader of label tables, and count how each ends.

    python benchmarks/fuzz_tables.py [--inputs 20000] [--seed 0] [--memory 2048] [--seconds 20]

Each input is a small, right table of NIH, NIH-CXR-LT, CheXpert, MIMIC-CXR-JPG, PadChest, VinDr-CXR, of one's own, an
official list, a box list or a YAML file of columns, damaged in one to four ways: flipped bits, cut or doubled parts,
huge fields, zero bytes, lost or extra quotes, damaged gzip and gzip bombs, mixed line ends, byte order marks, UTF-16,
repeated headers, thousands of columns, cells in each other's places, aliases of aliases. Every input must end in a
result, all of whose rejects have a listed reason, or in a ChestXpertError; anything else, an input that takes more
than --seconds of processor time or --memory MiB, is a failure, which is printed with the number that makes it again and
ends the run with exit code 1.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np
import pandas as pd

from chestxpert.cohort.csv_columns import CsvColumns, read_columns
from chestxpert.cohort.csv_source import CsvSource, read_csv_source
from chestxpert.cohort.cxrlt import read_cxrlt
from chestxpert.cohort.nih import read_boxes, read_entries, read_lists
from chestxpert.cohort.rejects import REASONS, Reject
from chestxpert.errors import ChestXpertError
from chestxpert.labels import CXRLT20, NIH15

Rng = np.random.Generator

ENTRY = (
    b"Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    b"OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
    + b"".join(
        b"%08d_%03d.png,%s,%d,%d,%d,F,PA,2500,2048,0.168,0.168\n"
        % (n, n % 3, (b"Effusion|Mass", b"No Finding", b"Hernia")[n % 3], n % 3, n, 20 + n)
        for n in range(1, 9)
    )
)
CXRLT = ",".join(["id", *CXRLT20.labels, "subj_id"]).encode() + b"\n" + b"".join(
    b"%08d_000.png," % n + b",".join(b"%d" % (n == k) for k in range(20)) + b",%08d\n" % n for n in range(9)
)  # fmt: skip
CHEXPERT = (
    b"Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    b"Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices\n"
    + b"".join(
        b"CheXpert-v1.0-small/train/patient%05d/study1/view1_frontal.jpg,Female,68,Frontal,AP,,,%s,,,,-1.0,,,0.0,1.0,,,\n"
        % (n, (b"1.0", b"0.0", b"")[n % 3])
        for n in range(1, 9)
    )
)
MIMIC = (
    b"subject_id,study_id,Cardiomegaly,Edema,No Finding,Pleural Effusion\n"
    b"10000032,50414267,,,1.0,\n10000032,53189527,-1.0,1.0,,0.0\n"
)
MIMIC_METADATA = (
    b"dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns\n"
    b'02aa804e,10000032,50414267,"CHEST (PA AND LAT)",PA,3056,2544\n2a2277a9,10000032,53189527,CHEST,AP,3056,2544\n'
)
PADCHEST = (
    b",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,Projection,Report,Labels\n"
    + b"".join(
        b"%d,image%d.png,0,20140915,1,%d,1930.0,M,PA,\"a, report\",\"['pleural effusion', 'nodule']\"\n" % (n, n, n)
        for n in range(8)
    )
)
VINDR = b"image_id,rad_id,Edema,Nodule/Mass,Pneumothorax,No finding\n" + b"".join(
    b"image%d,R%d,%d,0,0,%d\n" % (n // 3, n, n % 2, 1 - n % 2) for n in range(9)
)
OWN = b"file;person;Effusion;Mass;view\n" + b"".join(b"p%d/a.png;%d;1;-1;PA\n" % (n, n) for n in range(8))
LIST = b"".join(b"%08d_000.png\n" % n for n in range(9))
BOXES = b"Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + b"00000013_005.png,Infiltrate,60.4,10.5,186.3,313.4,,,\n" * 6
YAML = (
    b"image: '{file}'\npatient: person\npatient_pattern: '(\\d+)'\nlabels: [Effusion, Mass]\nview: view\n"
    b"views: {x: PA}\nlateral: keep\n"
)

COLUMNS = CsvColumns("file", "person", labels=("Effusion", "Mass"), view="view")
Outcome = tuple[pd.DataFrame | None, list[Reject]]


def _csv(folder: Path, columns: CsvColumns | str) -> Outcome:
    source: CsvSource = read_csv_source(folder, columns)
    for name in source.frame["image_id"]:
        source.names.match(f"some/where/{name}")
    return source.frame, source.rejects


def _entries(folder: Path) -> Outcome:
    table = read_entries(folder, NIH15)
    return table.frame, table.rejects


def _cxrlt(folder: Path) -> Outcome:
    table = read_cxrlt(folder, CXRLT20)
    return table.frame, table.rejects


def _lists(folder: Path) -> Outcome:
    read_lists(folder)
    return None, []


def _boxes(folder: Path) -> Outcome:
    return None, read_boxes(folder, NIH15)[1]


def _yaml(folder: Path) -> Outcome:
    return _csv(folder, read_columns(folder / "columns.yaml"))


KINDS: dict[str, tuple[Callable[[Path], Outcome], dict[str, bytes], str]] = {
    "nih": (_entries, {"Data_Entry_2017_v2020.csv": ENTRY}, ""),
    "cxrlt": (_cxrlt, {"miccai2023_nih-cxr-lt_labels_val.csv": CXRLT}, ""),
    "lists": (_lists, {"train_val_list.txt": LIST, "test_list.txt": b"x.png\n"}, "train_val_list.txt"),
    "boxes": (_boxes, {"BBox_List_2017.csv": BOXES}, ""),
    "chexpert": (lambda folder: _csv(folder, "chexpert"), {"train.csv": CHEXPERT}, ""),
    "mimic-cxr-jpg": (
        lambda folder: _csv(folder, "mimic-cxr-jpg"),
        {"mimic-cxr-2.0.0-chexpert.csv": MIMIC, "mimic-cxr-2.0.0-metadata.csv": MIMIC_METADATA}, "",
    ),
    "padchest": (
        lambda folder: _csv(folder, "padchest"), {"PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv": PADCHEST}, "",
    ),
    "vindr-cxr": (lambda folder: _csv(folder, "vindr-cxr"), {"image_labels_train.csv": VINDR}, ""),
    "csv": (lambda folder: _csv(folder, COLUMNS), {"own.csv": OWN}, ""),
    "yaml": (_yaml, {"columns.yaml": YAML, "own.csv": OWN}, "columns.yaml"),
}  # fmt: skip


def _place(data: bytes, rng: Rng) -> int:
    return int(rng.integers(len(data) + 1))


def flip_bits(data: bytes, rng: Rng) -> bytes:
    """Some bits the other way round."""
    array = bytearray(data)
    for _ in range(int(rng.integers(1, 9)) if array else 0):
        array[int(rng.integers(len(array)))] ^= 1 << int(rng.integers(8))
    return bytes(array)


def cut(data: bytes, rng: Rng) -> bytes:
    """Nothing behind some place."""
    return data[: _place(data, rng)]


def drop(data: bytes, rng: Rng) -> bytes:
    """A part missing."""
    first, last = sorted((_place(data, rng), _place(data, rng)))
    return data[:first] + data[last:]


def double(data: bytes, rng: Rng) -> bytes:
    """A part twice or many times."""
    first, last = sorted((_place(data, rng), _place(data, rng)))
    return data[:last] + data[first:last] * int(rng.integers(1, 20)) + data[last:]


def put(data: bytes, rng: Rng) -> bytes:
    """Something strange in some place."""
    piece = PIECES[int(rng.integers(len(PIECES)))] * int(rng.integers(1, 4))
    at = _place(data, rng)
    return data[:at] + piece + data[at:]


PIECES = (
    b'"', b"'", b"\0", b"\r", b"\n", b"\r\n", b",", b";", b"\t", b"|", b"[", b"]", b"{", b"}", b":", b"\xff",
    b"\xef\xbb\xbf",
    b"-1", b"nan", b"1e999", b"9" * 400, "\u0663".encode(), "\u2028".encode(), "\U0001f4a5".encode(), b"\x1a", b"=1+1",
    b"../../x", b"%s", b"{0}", b"&a ", b"*a", b"!!python/object/apply:os.system ['true']\n", b"[" * 400,
)  # fmt: skip


def huge_field(data: bytes, rng: Rng) -> bytes:
    """A cell of up to two million characters."""
    at = _place(data, rng)
    return data[:at] + b"x" * int(10 ** rng.uniform(4, 6.3)) + data[at:]


def many_columns(data: bytes, rng: Rng) -> bytes:
    """Up to 10,000 columns more, in some lines or in all."""
    more = b",".join(b"c%d" % n for n in range(int(rng.integers(100, 10_000))))
    lines = data.split(b"\n")
    some = rng.random(len(lines)) < rng.choice([0.1, 1.0])
    return b"\n".join(line + b"," + more if extra else line for line, extra in zip(lines, some, strict=True))


def alias_bomb(data: bytes, rng: Rng) -> bytes:
    """YAML that is small, and whose values written out are not."""
    lines = [b"a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [b"a%d: &a%d [%s]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 10)]
    key = (b"image", b"labels", b"views", b"patient", b"other")[int(rng.integers(5))]
    return data + key + b":\n" + b"".join(b"  " + line + b"\n" for line in lines)


def line_ends(data: bytes, rng: Rng) -> bytes:
    """Ends of lines as three systems have them, mixed."""
    ends = (b"\n", b"\r\n", b"\r", b"\n\n")
    return b"".join(line + ends[int(rng.integers(4))] for line in data.split(b"\n"))


def encode(data: bytes, rng: Rng) -> bytes:
    """Another encoding, with its byte order mark or without."""
    text = data.decode("utf-8", errors="replace")
    name = ("utf-16", "utf-16-le", "utf-8-sig", "utf-32", "utf-7")[int(rng.integers(5))]
    return text.encode(name, errors="replace")


def repeat_header(data: bytes, rng: Rng) -> bytes:
    """The header once more, as a line or with every column twice."""
    header, _, rest = data.partition(b"\n")
    if rng.random() < 0.5:
        return header + b"," + header + b"\n" + rest
    lines = rest.split(b"\n")
    lines.insert(int(rng.integers(len(lines) + 1)), header)
    return header + b"\n" + b"\n".join(lines)


def shuffle_cells(data: bytes, rng: Rng) -> bytes:
    """Cells in each other's places."""
    lines = [line.split(b",") for line in data.split(b"\n")]
    for line in lines[1:]:
        if rng.random() < 0.5:
            rng.shuffle(line)
    return b"\n".join(b",".join(line) for line in lines)


DAMAGES = (
    flip_bits, flip_bits, cut, drop, double, put, put, put, huge_field, many_columns, line_ends, encode, repeat_header,
    shuffle_cells,
)  # fmt: skip


def _bomb(rng: Rng) -> bytes:
    """A few hundred kilobytes that unfold to 300 MB: of commas, quotes, lines, spaces or zeros."""
    unit = (b",", b'"', b"\n", b" ", b"\0", b"a,b\n", b'"a\n",')[int(rng.integers(7))]
    whole = unit * ((1 << 20) // len(unit))
    return gzip.compress(whole, 9) * 300  # a .gz may have many members


def damaged(kind: str, rng: Rng) -> dict[str, bytes]:
    """Files of one input, by name."""
    _, files, only = KINDS[kind]
    files = dict(files)
    name = only or list(files)[int(rng.integers(len(files)))]
    data = files.pop(name)
    if name.endswith(".yaml") and rng.random() < 0.1:
        data = alias_bomb(b"", rng)
    for _ in range(int(rng.integers(1, 5))):
        data = DAMAGES[int(rng.integers(len(DAMAGES)))](data, rng)
        if len(data) > 8 << 20:
            break
    if name.endswith((".csv", ".txt")) and rng.random() < 0.25:
        name += ".gz"
        data = _bomb(rng) if rng.random() < 0.02 else gzip.compress(data, 1)
        if rng.random() < 0.5:
            data = (flip_bits, cut, drop)[int(rng.integers(3))](data, rng)
    return {**files, name: data}


class TooSlowError(Exception):
    """An input took longer than it may."""


def _alarm(number: int, frame: FrameType | None) -> None:
    raise TooSlowError


def run_one(number: int, seed: int, room: Path) -> tuple[str, str]:
    """Kind of input number `number`, and how it ended; raises what no reader may raise."""
    rng = np.random.default_rng([seed, number])
    kind = list(KINDS)[number % len(KINDS)]
    folder = room / str(number)
    folder.mkdir()
    try:
        for name, data in damaged(kind, rng).items():
            (folder / name).write_bytes(data)
        frame, rejects = KINDS[kind][0](folder)
    except ChestXpertError as error:
        if len(str(error)) < 20:
            raise AssertionError("an error without a sentence") from error
        return kind, "refused"
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    unlisted = {reject.reason for reject in rejects} - set(REASONS)
    assert not unlisted, f"rejects without a listed reason: {unlisted}"
    if frame is not None:
        assert frame["image_id"].is_unique, "an image stands twice"
        assert (frame["image_id"] != "").all(), "a row without an image"
        assert (frame["patient_id"] != "").all(), "a row without a patient"
    return kind, "read, with rejects" if rejects else "read"


def main() -> int:
    """Fuzz, print the counts; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument(
        "--memory", type=int, default=2048, help="MiB of address space more than the process starts with"
    )
    parser.add_argument("--seconds", type=int, default=20, help="processor time that one input may take")
    arguments = parser.parse_args()
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + (arguments.memory << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGPROF, _alarm)
    counts: Counter[tuple[str, str]] = Counter()
    failures, slowest = 0, (0.0, -1)
    with tempfile.TemporaryDirectory() as room:
        for number in range(arguments.first, arguments.first + arguments.inputs):
            signal.setitimer(signal.ITIMER_PROF, arguments.seconds)
            began = time.process_time()
            try:
                counts[run_one(number, arguments.seed, Path(room))] += 1
            except Exception:  # whatever it is, it is a finding
                failures += 1
                print(f"input {number} (--first {number} --inputs 1 --seed {arguments.seed}):", file=sys.stderr)
                traceback.print_exc(limit=-4)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            slowest = max(slowest, (time.process_time() - began, number))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for kind in KINDS:
        ends = ", ".join(f"{end} {count:,}" for (name, end), count in sorted(counts.items()) if name == kind)
        print(f"{kind:<14} {ends}")
    print(f"{sum(counts.values()):,} inputs ended well, {failures} failed")
    print(f"slowest: input {slowest[1]}, {slowest[0]:.1f} s; peak memory {peak:.0f} MiB, {start:.0f} MiB at the start")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
