"""A repacked PNG shows the same pixels as before; what is not plain and whole is left to Pillow."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chestxpert.pixels import inflate, png_stored
from chestxpert.pixels.decode import read_image
from chestxpert.pixels.png_stored import as_stored

MODES = ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"]


def _png(mode: str, size: tuple[int, int], seed: int = 0, **options: object) -> bytes:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 65536, size[::-1], dtype=np.uint16)
    image = (
        Image.fromarray(pixels) if mode == "I;16" else Image.fromarray((pixels // 256).astype(np.uint8)).convert(mode)
    )
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


@given(
    mode=st.sampled_from(MODES), width=st.integers(1, 400), height=st.integers(1, 400),
    level=st.sampled_from([0, 1, 9]), seed=st.integers(0, 9),
)  # fmt: skip
def test_pixels_stay_the_same(mode: str, width: int, height: int, level: int, seed: int) -> None:
    data = _png(mode, (width, height), seed, compress_level=level)
    before, after = read_image(data), read_image(as_stored(data))
    np.testing.assert_array_equal(before.pixels, after.pixels)
    assert (before.bits, before.mode, before.format) == (after.bits, after.mode, after.format)


@pytest.mark.shared_data
def test_real_radiographs_stay_the_same(nih_originals: Path) -> None:
    for path in sorted(nih_originals.glob("*.png")):
        data = path.read_bytes()
        assert len(as_stored(data)) > 2 * len(data)  # it was repacked
        np.testing.assert_array_equal(read_image(as_stored(data)).pixels, read_image(data).pixels)


def test_chunks_around_the_pixels_are_kept() -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add(b"teXt", b"Comment\0after", after_idat=True)
    info.add_text("Author", "before")
    image = Image.open(io.BytesIO(as_stored(_png("P", (40, 30), pnginfo=info))))
    assert b"Comment\0after" in as_stored(_png("P", (40, 30), pnginfo=info))
    assert image.info["Author"] == "before"


def _interlaced() -> bytes:
    """A PNG of one pixel that says it is interlaced, which with one pixel changes nothing else."""
    data = bytearray(_png("L", (1, 1)))
    data[28] = 1
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    return bytes(data)


def test_what_is_not_plain_and_whole_is_returned_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _png("L", (60, 50))
    header = whole.index(b"IHDR")
    for data in (
        b"", b"hello", whole[:8], whole[:-1], whole[:200], _interlaced(), whole.replace(b"IHDR", b"iHDR"),
        whole[:100] + bytes([whole[100] ^ 1]) + whole[101:], whole[: header + 4] + bytes(4) + whole[header + 8 :],
    ):  # fmt: skip
        assert as_stored(data) is data
    monkeypatch.setattr(png_stored, "_MOST_BYTES", 100)
    assert as_stored(whole) is whole


def test_a_bomb_is_not_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header says 1 x 1 pixel, its data unfold to 100 MB."""
    data = _png("L", (1, 1))
    start = data.index(b"IDAT") - 4
    body = b"IDAT" + zlib.compress(bytes(100_000_000))
    bomb = data[:start] + (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4) + data[-12:]
    sizes = []
    real = png_stored.inflate_zlib
    monkeypatch.setattr(png_stored, "inflate_zlib", lambda d, n: sizes.append(len(out := real(d, n))) or out)
    assert as_stored(bomb) is bomb
    assert sizes == [3]


def test_without_igzip_nothing_is_repacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_stored, "HAS_IGZIP", False)
    data = _png("L", (60, 50))
    assert as_stored(data) is data


def test_checksums_are_those_of_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).bytes(5000)
    for has in (inflate.HAS_IGZIP, False):
        monkeypatch.setattr(inflate, "HAS_IGZIP", has)
        assert inflate.crc32(data[100:], inflate.crc32(data[:100])) == zlib.crc32(data)
        assert inflate.adler32(data) == zlib.adler32(data)
        assert inflate.inflate_zlib(zlib.compress(data), 5000) == data
