"""Every kind of PNG and JPEG is read as the grey it shows; everything else is a DataError."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chestxpert.errors import DataError
from chestxpert.pixels import decode as module
from chestxpert.pixels.decode import MAX_PIXELS, decode, read_image

GREY = np.random.default_rng(3).integers(0, 256, (9, 13), dtype=np.uint8)


def _bytes(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, depth: int, colour: int, rows: bytes, interlace: int = 0, more: bytes = b"") -> bytes:
    """PNG made by hand; `rows` are the unfiltered rows, each led by a zero; `more` are chunks before the pixels."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
    return b"\x89PNG\r\n\x1a\n" + head + more + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_grey_in_any_mode_comes_back_unchanged(mode: str) -> None:
    image = Image.fromarray(GREY)
    decoded = decode(_bytes(image.convert("RGB").quantize(256) if mode == "P" else image.convert(mode)))
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    assert decoded.flags.owndata
    np.testing.assert_array_equal(decoded, GREY)


def test_alpha_is_left_aside() -> None:
    image = Image.fromarray(GREY).convert("RGBA")
    image.putalpha(Image.fromarray(GREY[:, ::-1].copy()))
    np.testing.assert_array_equal(decode(_bytes(image)), GREY)


def test_colour_becomes_luma() -> None:
    image = Image.new("RGB", (1, 1), (200, 100, 50))
    assert decode(_bytes(image))[0, 0] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)


def test_palette_is_looked_up() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 10, 10, 250, 250, 250])
    image.putdata([1, 0])
    assert decode(_bytes(image)).tolist() == [[250, 10]]


def test_one_bit_is_black_and_white() -> None:
    image = Image.fromarray(GREY > 127)
    np.testing.assert_array_equal(decode(_bytes(image)), np.where(GREY > 127, 255, 0))


def test_16_bit_is_scaled_and_not_clipped() -> None:
    wide = np.array([[0, 128, 129, 257, 300, 32_768, 65_406, 65_407, 65_535]], dtype=np.uint16)
    rows = b"\0" + wide.astype(">u2").tobytes()
    data = _png(9, 1, 16, 0, rows)
    np.testing.assert_array_equal(decode(data), np.rint(wide / 257).astype(np.uint8))
    assert decode(data).tolist() == [[0, 0, 1, 1, 1, 128, 254, 255, 255]]
    np.testing.assert_array_equal(decode(data), decode(_bytes(Image.fromarray(wide))))


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bit_with_more_channels(colour: int, channels: int) -> None:
    pixel = struct.pack(">H", 40_000) * channels
    assert abs(int(decode(_png(1, 1, 16, colour, b"\0" + pixel))[0, 0]) - 40_000 / 257) <= 1


@pytest.mark.parametrize(("depth", "top"), [(1, 1), (2, 3), (4, 15)])
def test_low_bit_depths_are_told_apart(depth: int, top: int) -> None:
    decoded = read_image(_png(1, 1, depth, 0, b"\0" + bytes([top << (8 - depth)])))
    assert (decoded.bits, decoded.mode, decoded.format) == (depth, "grey", "png")
    assert decoded.pixels.tolist() == [[255]]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_palette_of_any_depth_is_looked_up(depth: int) -> None:
    palette = _chunk(b"PLTE", bytes([9, 9, 9, 200, 200, 200])) + _chunk(b"tRNS", bytes([0, 128]))
    decoded = read_image(_png(2, 1, depth, 3, b"\0" + bytes([1 << (8 - depth), 0]), more=palette))
    assert (decoded.bits, decoded.mode) == (depth, "palette")
    assert decoded.pixels[0, 0] == 200


def test_how_a_file_is_stored_is_said() -> None:
    said = {
        kind: read_image(_bytes(Image.fromarray(GREY).convert(kind)))
        for kind in ("L", "LA", "RGB", "RGBA", "I;16")
        if kind != "I;16"
    }
    said["I;16"] = read_image(_bytes(Image.fromarray(GREY.astype(np.uint16))))
    assert {kind: (d.bits, d.mode) for kind, d in said.items()} == {
        "L": (8, "grey"),
        "LA": (8, "grey-alpha"),
        "RGB": (8, "colour"),
        "RGBA": (8, "colour-alpha"),
        "I;16": (16, "grey"),
    }
    assert read_image(_png(1, 1, 16, 2, bytes(7))).bits == 16
    assert read_image(_png(1, 1, 16, 4, bytes(5))).bits == 16


def test_a_transparent_grey_is_shown_like_any_other() -> None:
    transparent = _chunk(b"tRNS", struct.pack(">H", 77))
    assert decode(_png(2, 1, 8, 0, bytes([0, 77, 5]), more=transparent)).tolist() == [[77, 5]]


def test_an_interlaced_image_is_put_in_order() -> None:
    """Adam7 (PNG specification, section 8.2), done by hand."""
    rows = b""
    for x, y, across, down in (
        *[(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)],
        *[(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)],
    ):
        rows += b"".join(b"\0" + row.tobytes() for row in GREY[y::down, x::across])
    np.testing.assert_array_equal(decode(_png(13, 9, 8, 0, rows, interlace=1)), GREY)


def test_the_stretch_must_be_asked_for_and_keeps_all_bits() -> None:
    wide = np.array([[1000, 1001, 1002, 1004]], dtype=np.uint16)
    data = _png(4, 1, 16, 0, b"\0" + wide.astype(">u2").tobytes())
    assert decode(data).tolist() == [[4, 4, 4, 4]]
    assert read_image(data, grey="minmax").pixels.tolist() == [[0, 64, 128, 255]]
    narrow = np.array([[100, 150, 200]], dtype=np.uint8)
    assert read_image(_bytes(Image.fromarray(narrow)), grey="minmax").pixels.tolist() == [[0, 128, 255]]
    assert set(read_image(_bytes(Image.new("L", (3, 3), 9)), grey="minmax").pixels.flat) == {0}


def test_low_bit_depths_span_black_to_white() -> None:
    assert decode(_png(4, 1, 2, 0, b"\0" + bytes([0b00011011]))).tolist() == [[0, 85, 170, 255]]


def test_jpeg_grey_and_colour() -> None:
    smooth = np.linspace(0, 255, 32 * 32).reshape(32, 32).astype(np.uint8)
    for mode in ("L", "RGB", "CMYK"):
        decoded = decode(_bytes(Image.fromarray(smooth).convert("RGB").convert(mode), "JPEG", quality=98))
        assert np.abs(decoded.astype(int) - smooth).max() <= 4


def test_a_jpeg_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image = np.zeros((16, 32), np.uint8)
    image[:, :16] = 255
    decoded = decode(_bytes(Image.fromarray(image), "JPEG", exif=exif, quality=98))
    assert decoded.shape == (32, 16)
    assert decoded[:14].min() > 240
    assert decoded[18:].max() < 15


def test_an_inverted_cmyk_jpeg_is_shown_as_adobe_means_it() -> None:
    """Adobe stores ink the other way round, and says so in a marker that Pillow writes too."""
    dark = Image.new("CMYK", (16, 16), (0, 0, 0, 255))
    data = _bytes(dark, "JPEG", quality=98)
    assert b"Adobe" in data
    assert decode(data).max() <= 2
    assert read_image(data).mode == "colour"


def test_a_jpeg_with_a_second_picture_is_a_jpeg() -> None:
    file = io.BytesIO()
    first, second = Image.new("L", (8, 8), 50), Image.new("L", (8, 8), 200)
    first.save(file, "MPO", save_all=True, append_images=[second])
    decoded = read_image(file.getvalue())
    assert (decoded.format, decoded.bits) == ("jpeg", 8)
    assert decoded.pixels[0, 0] == 50


def test_from_a_file_and_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    np.testing.assert_array_equal(decode(path), GREY)
    np.testing.assert_array_equal(decode(str(path)), GREY)


def test_what_is_no_image_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    for path in tmp_path.iterdir():
        with pytest.raises(DataError, match=path.name):
            decode(path)
    with pytest.raises(DataError, match="not a file"):
        decode(tmp_path / "missing.png")
    for kind in ("GIF", "TIFF", "BMP"):
        with pytest.raises(DataError, match="neither PNG, JPEG nor DICOM"):
            decode(_bytes(Image.fromarray(GREY), kind))


def test_a_bomb_is_refused_before_it_unfolds() -> None:
    side = int(MAX_PIXELS**0.5) + 1
    many = _chunk(b"IDAT", bytes(side * side // 1000))  # enough that it could unfold to so many
    with pytest.raises(DataError, match="too large"):
        decode(_png(side, side, 8, 0, b"", more=many))
    for size in (60_000, 2**31 - 1):
        with pytest.raises(DataError, match="too few for its size"):
            decode(_png(size, size, 8, 0, b"\0" * 1000))


def test_an_image_that_compresses_as_far_as_can_be_is_read() -> None:
    flat = decode(_bytes(Image.new("L", (9000, 9000), 0), compress_level=9))
    assert flat.shape == (9000, 9000)
    assert not flat.any()


def test_a_file_larger_than_any_radiograph_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 50)
    (tmp_path / "a.png").write_bytes(bytes(51))
    with pytest.raises(DataError, match=r"a\.png is too large: it has 51 bytes"):
        decode(tmp_path / "a.png")


def test_a_png_whose_pixels_changed_is_refused() -> None:
    """Each changed bit: zlib alone lets some pass, and Pillow does not look at the chunk's checksum."""
    whole = _bytes(Image.fromarray(GREY))
    pixels = whole.index(b"IDAT") + 4
    for place in range(pixels, len(whole) - 16):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        with pytest.raises(DataError, match="checksum of its IDAT chunk"):
            decode(bytes(damaged))


def test_a_truncated_file_is_refused_wherever_it_ends() -> None:
    png, jpeg = _bytes(Image.fromarray(GREY)), _bytes(Image.fromarray(np.tile(GREY, (9, 9))), "JPEG")
    for end in range(1, len(png)):
        with pytest.raises(DataError, match=r"truncated|nor DICOM"):
            decode(png[:end])
    for end in [*range(1, len(jpeg) - 40, 50), *range(len(jpeg) - 40, len(jpeg))]:
        with pytest.raises(DataError, match=r"cannot be decoded"):
            decode(jpeg[:end])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_files_are_data_errors_and_nothing_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG"]))
    mode = data.draw(st.sampled_from(["L", "RGB", "P", "1"] if kind == "PNG" else ["L", "RGB"]))
    whole = bytearray(_bytes(Image.fromarray(GREY).convert(mode), kind))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        decoded = decode(bytes(whole[:cut]))
    except DataError:
        return
    assert decoded.dtype == np.uint8
    assert decoded.ndim == 2


@pytest.mark.shared_data
def test_real_originals_decode_and_rgba_has_equal_channels(nih_originals: Path) -> None:
    modes = set()
    for path in nih_originals.glob("*.png"):
        with Image.open(path) as image:
            modes.add(image.mode)
            first = np.asarray(image) if image.mode == "L" else np.asarray(image)[..., 0]
        decoded = read_image(path)
        np.testing.assert_array_equal(decoded.pixels, first)
        assert (decoded.bits, decoded.format) == (8, "png")
        assert decoded.mode == ("grey" if image.mode == "L" else "colour-alpha")
    assert modes == {"L", "RGBA"}
