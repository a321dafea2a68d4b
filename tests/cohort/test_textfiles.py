"""Files that are damaged or hostile: a DataError at once, or a table; nothing else."""

import contextlib
import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chestxpert.cohort import textfiles
from chestxpert.cohort.csv_columns import CsvColumns
from chestxpert.cohort.csv_source import read_csv_source
from chestxpert.cohort.cxrlt import read_cxrlt
from chestxpert.cohort.nih import read_boxes, read_entries, read_lists
from chestxpert.cohort.rejects import REASONS, Reject
from chestxpert.cohort.textfiles import read_list, read_table
from chestxpert.errors import ChestXpertError, DataError
from chestxpert.labels import CXRLT20, NIH15


def test_a_table_and_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbf id , name\r\n\r\n1,"a,\nb"\r\n , \r2,c')
    table = read_table(tmp_path / "a.csv")
    assert table.header == ("id", "name")
    assert table.rows == [(4, ["1", "a,\nb"]), (6, ["2", "c"])]
    assert (table.column(("NAME",)), table.column(("other", "Id")), table.column(("other",))) == (1, 0, None)
    (tmp_path / "l.txt.gz").write_bytes(gzip.compress(b"a.png\r\n\n b.png "))
    assert read_list(tmp_path / "l.txt.gz") == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 lines"),
        (b"a,b\n", "1 lines"),
        (b"a,b\n1,\0\n", "zero bytes"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("a,b\n1,2\n".encode("utf-32"), "UTF-16"),
        (b"a,b\n1,\xe9\n", "not a UTF-8"),
        (b'a,b\n1,"2\n3,4\n', "not a CSV file"),
        (b'a,b\n1,"2"3\n', "not a CSV file"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "not a CSV file"),
        (b"a,b\n1," + b"x" * 2_000_000 + b"\n", "record of more than 1,048,576 characters"),
        (b"a,b\n" + b'"x\n",' * 400_000, "record of more than 1,048,576 characters"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(data: bytes, message: str, tmp_path: Path) -> None:
    for name, written in (("t.csv", data), ("t.csv.gz", gzip.compress(data, 1))):
        (tmp_path / name).write_bytes(written)
        with pytest.raises(DataError, match=message):
            read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("unit", "limit", "value", "message"),
    [
        (b"a,b\n", "LARGEST", 1 << 20, "more than 1 MiB"),
        (b"a,b\n", "MOST_CELLS", 1_000, "more than 1,000 cells"),
        (b"\n", "MOST_LINES", 1_000, "more than 1,000 lines"),
        (b"a\n", "MOST_LINES", 1_000, "more than 1,000 lines"),
    ],
)
def test_what_unfolds_without_end_is_stopped(
    unit: bytes, limit: str, value: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(unit * (1 << 18), 9) * 50)
    monkeypatch.setattr(textfiles, limit, value)
    monkeypatch.setattr(textfiles, "LARGEST", min(textfiles.LARGEST, 16 << 20))
    tracemalloc.start()
    with pytest.raises(DataError, match=message):
        (read_list if unit == b"a\n" else read_table)(tmp_path / "bomb.csv.gz")
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


def test_a_damaged_gzip_says_so(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)
    for data in (whole[: len(whole) // 2], whole[:20] + b"\0\0\0" + whole[23:], b"a,b\n1,2\n"):
        (tmp_path / "t.csv.gz").write_bytes(data)
        with pytest.raises(DataError, match="cannot be read"):
            read_table(tmp_path / "t.csv.gz")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "folder.csv")


def test_a_table_of_ten_thousand_columns_is_read(tmp_path: Path) -> None:
    header = ",".join(f"c{n}" for n in range(10_000))
    (tmp_path / "wide.csv").write_text(f"{header}\n{header}\n")
    assert read_table(tmp_path / "wide.csv").column(("C9999",)) == 9_999


ENTRY = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"
    "00000001_000.png,Effusion|Mass,0,1,58,M,PA\n00000002_000.png,No Finding,0,2,041Y,F,AP\n"
)
LT = ",".join(["id", *CXRLT20.labels, "subj_id"]) + "\n" + "a.png," + "0," * 19 + "1,00000003\n"
BOXES = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000013_005.png,Infiltrate,60.4,10.5,186.3,313.4,,,\n"
CHEXPERT = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema\na/patient1/b.jpg,Male,1,Frontal,AP,,-1.0\n"
OWN = "file;person;Effusion;Mass\na.png;1;1;-1\nb.png;2;;0\n"
VINDR = "image_id,rad_id,Edema,Nodule/Mass,No finding\na,R1,1,0,0\na,R2,0,1,0\nb,R1,0,0,1\n"
LIST = "00000001_000.png\n00000002_000.png\n"
COLUMNS = CsvColumns("file", "person", labels=("Effusion", "Mass"))


def listed(folder: Path) -> list[Reject]:
    (folder / "test_list.txt").write_text("x.png\n")
    read_lists(folder)
    return []


READERS: dict[str, tuple[str, str, Callable[[Path], list[Reject]]]] = {
    "nih": ("Data_Entry_2017.csv", ENTRY, lambda folder: read_entries(folder, NIH15).rejects),
    "cxrlt": ("nih-cxr-lt_labels_val.csv", LT, lambda folder: read_cxrlt(folder, CXRLT20).rejects),
    "boxes": ("BBox_List_2017.csv", BOXES, lambda folder: read_boxes(folder, NIH15)[1]),
    "lists": ("train_val_list.txt", LIST, listed),
    "chexpert": ("train.csv", CHEXPERT, lambda folder: read_csv_source(folder, "chexpert").rejects),
    "vindr": ("image_labels_train.csv", VINDR, lambda folder: read_csv_source(folder, "vindr-cxr").rejects),
    "own": ("own.csv", OWN, lambda folder: read_csv_source(folder, COLUMNS).rejects),
}

PIECES = st.sampled_from(
    ["", '"', "'", "\r", "\n", ",", ";", "|", "-1", "1", "\ufeff", "\u2028", "\0", "x" * 5_000, "é", "nan"]
)
DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.1), PIECES | st.text(max_size=3)), min_size=1, max_size=4)


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=DAMAGE, encoding=st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "latin-1"]))
def test_a_damaged_table_is_read_or_refused(
    kind: str, damage: list[tuple[float, float, str]], encoding: str, tmp_path: Path
) -> None:
    """Parts cut out and others put in; 20,000 more of this and other kinds: benchmarks/fuzz_tables.py."""
    name, text, read = READERS[kind]
    for place, length, piece in damage:
        first = int(place * len(text))
        text = text[:first] + piece + text[first + int(length * len(text)) :]
    (tmp_path / name).write_bytes(text.encode(encoding, errors="replace"))
    rejects: list[Reject] = []
    with contextlib.suppress(ChestXpertError):
        rejects = read(tmp_path)
    assert {reject.reason for reject in rejects} <= set(REASONS)
