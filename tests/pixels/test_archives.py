"""Members of archives: those that are safe, in order; of damaged archives what is whole; of bombs nothing."""

import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from chestxpert.errors import DataError
from chestxpert.pixels import archives, inflate
from chestxpert.pixels.archives import DamagedArchiveError, kind_of, members
from chestxpert.pixels.bodies import LARGEST, ZipSpan, fetch

FILES = {f"images/{i}.png": np.random.default_rng(i).bytes(300 + 512 * i) for i in range(6)}
KINDS = ("tar", "tar.gz", "zip")


def pack(path: Path, files: dict[str, bytes]) -> Path:
    """Archive of the kind that the path's name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data in files.items():
                packed.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return path


def read(path: Path) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every member that is not refused."""
    for member in members(path, kind_of(path)):
        if not member.refused:
            yield member.path, fetch(member.body())


def refused(path: Path) -> dict[str, str]:
    return {member.path: member.refused for member in members(path, kind_of(path)) if member.refused}


@pytest.mark.parametrize("kind", KINDS)
def test_members_come_whole_and_in_order(kind: str, tmp_path: Path) -> None:
    path = pack(tmp_path / f"a.{kind}", FILES)
    assert kind_of(path) == kind
    assert list(read(path)) == list(FILES.items())
    assert [member.turn for member in members(path, kind_of(path))] == sorted(
        member.turn for member in members(path, kind_of(path))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_members_that_are_not_wanted_need_not_be_read(kind: str, tmp_path: Path) -> None:
    path = pack(tmp_path / f"a.{kind}", FILES)
    odd = [fetch(m.body()) for number, m in enumerate(members(path, kind_of(path))) if number % 2]
    assert odd == list(FILES.values())[1::2]


def test_kind_follows_contents_not_name(tmp_path: Path) -> None:
    unzipped = pack(tmp_path / "a.tar", FILES).rename(tmp_path / "a.tar.gz")  # as Safari leaves it
    assert kind_of(unzipped) == "tar"
    assert dict(read(unzipped)) == FILES


def _filling(got: dict[str, bytes], pairs: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    for name, data in pairs:
        got[name] = data
        yield name, data


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_archive_gives_what_is_whole_and_says_so(kind: str, tmp_path: Path) -> None:
    whole = pack(tmp_path / f"a.{kind}", FILES).read_bytes()
    end = len(whole) if kind != "tar" else 512 * sum(2 + -(-len(data) // 512) for data in FILES.values()) - 512 * 6
    for length in [*range(4, end - 1, 397), end - 1]:
        (tmp_path / "cut").write_bytes(whole[:length])
        got: dict[str, bytes] = {}
        with pytest.raises((DamagedArchiveError, DataError)):
            got |= dict(_filling(got, read(tmp_path / "cut")))
        assert got.items() <= FILES.items()
        if kind == "tar.gz" and length > 5000:
            assert got


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_with_changed_bytes_ends_in_no_other_error(kind: str, tmp_path: Path) -> None:
    whole = pack(tmp_path / f"a.{kind}", FILES).read_bytes()
    rng = np.random.default_rng(3)
    damaged = 0
    for _ in range(150):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] ^= int(rng.integers(1, 256))
        (tmp_path / "changed").write_bytes(data)
        try:
            for member in members(tmp_path / "changed", kind_of(tmp_path / "changed")):
                try:
                    fetched = fetch(member.body()) if not member.refused else b""
                except DataError:
                    damaged += 1
                else:
                    assert kind == "tar" or member.refused or fetched in FILES.values() or kind == "tar.gz"
        except DamagedArchiveError:
            damaged += 1
    assert damaged > (20 if kind == "tar" else 100)


@pytest.mark.parametrize(
    "name", ["/etc/a.png", "../a.png", "images/../../a.png", "C:/a.png", "..\\a.png", "\\\\host\\a.png"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_paths_that_lead_elsewhere_are_refused(kind: str, name: str, tmp_path: Path) -> None:
    path = pack(tmp_path / f"a.{kind}", {name: b"x", "b.png": b"y"})
    assert list(read(path)) == [("b.png", b"y")]
    assert len(refused(path)) == 1


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S", b"Z"]
)
def test_links_and_devices_are_refused(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        entry = tarfile.TarInfo("a.png")
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)
        entry = tarfile.TarInfo("folder")
        entry.type = tarfile.DIRTYPE
        tar.addfile(entry)
        entry = tarfile.TarInfo("b.png")
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"y"))
    assert list(read(tmp_path / "a.tar.gz")) == [("b.png", b"y")]
    assert list(refused(tmp_path / "a.tar.gz")) == ["a.png"]


def test_a_zip_with_links_encrypted_or_odd_members(tmp_path: Path) -> None:
    link, odd = zipfile.ZipInfo("link.png"), zipfile.ZipInfo("odd.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(link, "/etc/passwd")
        packed.writestr(odd, b"x" * 100, zipfile.ZIP_LZMA)
        packed.writestr("folder/", b"")
        packed.writestr("b.png", b"y")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    assert list(read(tmp_path / "a.zip")) == [("b.png", b"y")]
    assert set(refused(tmp_path / "a.zip")) == {"link.png", "odd.png"}
    data[data.rindex(b"PK\1\2") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(data)
    assert refused(tmp_path / "locked.zip")["b.png"] == "it is encrypted"


def test_a_name_with_a_zero_byte_is_refused(tmp_path: Path) -> None:
    data = pack(tmp_path / "a.zip", {"aX.png": b"x"}).read_bytes()
    (tmp_path / "b.zip").write_bytes(data.replace(b"aX.png", b"a\0.png"))
    assert list(refused(tmp_path / "b.zip").values()) == ["its name holds a zero byte"]


def test_sizes_that_are_too_large_are_refused_unread(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("large.png")
    entry.size = LARGEST + 1
    (tmp_path / "a.tar").write_bytes(entry.tobuf() + bytes(2048))
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(entry.tobuf() + bytes(2048)))
    for name in ("a.tar", "a.tar.gz"):
        iterator = members(tmp_path / name, kind_of(tmp_path / name))
        assert "more than" in next(iterator).refused
        with pytest.raises(DamagedArchiveError):
            next(iterator)
    huge = zipfile.ZipInfo("huge.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed, packed.open(huge, "w") as file:
        for _ in range(LARGEST // (1 << 20) + 1):
            file.write(bytes(1 << 20))
    assert "more than" in refused(tmp_path / "a.zip")["huge.png"]


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_claims_gigabytes_is_not_read(kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("header")
    entry.type, entry.size = kind, 4 << 30
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(entry.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)))
    with pytest.raises(DamagedArchiveError, match="one of its headers"):
        list(read(tmp_path / "a.tar.gz"))


def test_a_gzip_bomb_is_left_when_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_GRACE", 1 << 20)
    entry = tarfile.TarInfo("notes.bin")
    entry.size = 8 << 20
    one = entry.tobuf() + bytes(8 << 20)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(one + one + bytes(1024), 1))
    names: list[str] = []
    with pytest.raises(DamagedArchiveError, match="unfolds to more than"):
        names.extend(member.path for member in members(tmp_path / "a.tar.gz", "tar.gz"))
    assert names in ([], ["notes.bin"])


def test_a_zip_that_lies_about_sizes_is_found_out(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": bytes(50_000_000)})
    (member,) = members(path, "zip")
    span = member.body()
    assert isinstance(span, ZipSpan)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\1\2") + 24, 1000)
    path.write_bytes(data)
    (member,) = members(path, "zip")
    tracemalloc.start()
    with pytest.raises(DataError, match="is not what the archive's directory says"):
        fetch(member.body())
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_more_members_than_any_data_set_has(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    with pytest.raises(DamagedArchiveError, match="members"):
        list(read(pack(tmp_path / f"a.{kind}", FILES)))


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_without_igzip_the_same_comes_out(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "HAS_IGZIP", False)
    path = pack(tmp_path / f"a.{kind}", FILES)
    assert dict(read(path)) == FILES
    (tmp_path / "cut").write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DamagedArchiveError):
        list(read(tmp_path / "cut"))


def test_no_archive_at_all(tmp_path: Path) -> None:
    for number, data in enumerate([b"", b"hello", bytes(100), b"\x1f\x8bxxxx", b"PK\3\4xxxx"]):
        path = tmp_path / str(number)
        path.write_bytes(data)
        with pytest.raises(DamagedArchiveError):
            list(members(path, kind_of(path)))
