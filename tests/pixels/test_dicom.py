"""DICOM files of every kind are read as what they show, or refused with the reason."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_making import GREY12, elements, make, write
from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from chestxpert.errors import DataError
from chestxpert.pixels import dicom_codecs, dicom_file
from chestxpert.pixels.decode import MAX_PIXELS, read_image
from chestxpert.pixels.dicom_codecs import CODECS, Codec

PLAIN = np.floor(GREY12 * (255 / 4095) + 0.5).astype(np.uint8)
COLOURS = np.stack([GREY12 // 17, GREY12 // 40, 200 - GREY12 // 30], axis=2).astype(np.uint8)
LUMA = np.asarray(Image.fromarray(COLOURS).convert("L"))

NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
LOSSLESS = [RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLossless, JPEGLosslessSV1]
NEEDS = {JPEGLSLossless: "jpeg_ls", JPEGLSNearLossless: "jpeg_ls", JPEGLossless: "gdcm", JPEGLosslessSV1: "gdcm"}


def make_or_skip(stored: Any, syntax: UID, **tags: Any) -> bytes:
    pytest.importorskip(NEEDS.get(syntax, "openjpeg" if syntax == JPEG2000Lossless else "pydicom"))
    return make(stored, syntax, **tags)


def complaint(data: bytes) -> str:
    with pytest.raises(DataError) as caught:
        read_image(data)
    return str(caught.value)


@pytest.mark.parametrize("syntax", NATIVE + LOSSLESS, ids=lambda syntax: syntax.keyword)
def test_every_lossless_syntax_gives_the_same_picture(syntax: UID) -> None:
    decoded = read_image(make_or_skip(GREY12, syntax, BitsStored=12))
    assert (decoded.bits, decoded.mode, decoded.format) == (12, "grey", "dicom")
    assert decoded.pixels.flags.owndata
    assert decoded.pixels.flags.c_contiguous
    np.testing.assert_array_equal(decoded.pixels, PLAIN)


@pytest.mark.parametrize("syntax", NATIVE + LOSSLESS, ids=lambda syntax: syntax.keyword)
def test_signed_values_come_through_every_syntax(syntax: UID) -> None:
    signed = GREY12.astype(np.int16) - 2048
    decoded = read_image(make_or_skip(signed, syntax, BitsStored=12, RescaleSlope=1, RescaleIntercept=0))
    np.testing.assert_array_equal(decoded.pixels, PLAIN)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLSNearLossless], ids=lambda syntax: syntax.keyword)
def test_lossy_syntaxes_come_close(syntax: UID) -> None:
    decoded = read_image(make_or_skip(PLAIN, syntax))
    assert decoded.bits == 8
    assert np.abs(decoded.pixels.astype(int) - PLAIN).max() <= 6


@pytest.mark.parametrize("syntax", [*NATIVE, *LOSSLESS, JPEGBaseline8Bit], ids=lambda syntax: syntax.keyword)
def test_colour_becomes_luma_in_every_syntax(syntax: UID) -> None:
    decoded = read_image(make_or_skip(COLOURS, syntax))
    assert (decoded.bits, decoded.mode) == (8, "colour")
    assert np.abs(decoded.pixels.astype(int) - LUMA).max() <= (8 if syntax == JPEGBaseline8Bit else 1)


def test_colour_by_plane_is_colour_by_pixel() -> None:
    ds = elements(COLOURS, PlanarConfiguration=1)
    ds.PixelData = COLOURS.transpose(2, 0, 1).tobytes()
    np.testing.assert_array_equal(read_image(write(ds)).pixels, LUMA)


def test_ybr_is_turned_into_rgb_first() -> None:
    """The luma of YBR_FULL is its Y (PS3.3 C.7.6.3.1.2)."""
    ybr = np.asarray(Image.fromarray(COLOURS).convert("YCbCr"))
    decoded = read_image(make(np.ascontiguousarray(ybr), PhotometricInterpretation="YBR_FULL"))
    assert np.abs(decoded.pixels.astype(int) - ybr[..., 0]).max() <= 2


def test_colour_of_16_bits() -> None:
    decoded = read_image(make(COLOURS.astype(np.uint16) * 257))
    np.testing.assert_array_equal(decoded.pixels, LUMA)
    assert decoded.bits == 16


def test_a_palette_is_looked_up() -> None:
    ds = elements(np.array([[0, 1, 2, 3]], dtype=np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for name, entries in {"Red": [0, 80, 160, 255], "Green": [0, 80, 160, 255], "Blue": [0, 80, 160, 255]}.items():
        ds.add(DataElement(f"{name}PaletteColorLookupTableDescriptor", "US", [4, 0, 8]))
        ds.add(DataElement(f"{name}PaletteColorLookupTableData", "OW", bytes(entries)))
    decoded = read_image(write(ds))
    assert decoded.pixels.tolist() == [[0, 80, 160, 255]]
    assert decoded.mode == "palette"


def test_the_pipeline_is_applied() -> None:
    made = read_image(
        make(
            GREY12,
            BitsStored=12,
            PhotometricInterpretation="MONOCHROME1",
            RescaleSlope=2,
            RescaleIntercept=-100,
            WindowCenter=4000,
            WindowWidth=2001,
        )
    )
    values = np.clip((GREY12 * 2.0 - 100 - 3999.5) / 2000 + 0.5, 0, 1)
    assert np.abs(made.pixels - (1 - values) * 255).max() <= 0.51


def test_a_stretch_must_be_asked_for() -> None:
    flat = np.clip(GREY12, 1000, 1100)
    data = make(flat, BitsStored=12)
    assert np.ptp(read_image(data).pixels) <= 7
    assert np.ptp(read_image(data, grey="minmax").pixels) == 255
    assert np.ptp(read_image(make(COLOURS // 2), grey="minmax").pixels) == 255


def test_bits_that_are_not_stored_are_no_part_of_a_value() -> None:
    """Older software kept overlays there (PS3.5 section 8.1.1: their contents are not specified)."""
    np.testing.assert_array_equal(read_image(make(GREY12 | 0x8000, BitsStored=12)).pixels, PLAIN)


def test_a_file_without_preamble_is_recognised() -> None:
    ds = elements(GREY12, BitsStored=12)
    for implicit in (True, False):
        file = io.BytesIO()
        dcmwrite(file, ds, implicit_vr=implicit, little_endian=True)
        np.testing.assert_array_equal(read_image(file.getvalue()).pixels, PLAIN)


def test_without_preamble_a_file_must_hold_a_picture() -> None:
    assert "Pixel Data is missing" in complaint(b"\x08\x00" + bytes(300))
    assert "neither PNG, JPEG nor DICOM" in complaint(b"\x09\x00" + bytes(300))


def test_from_a_file_its_name_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(make(GREY12, BitsStored=12))
    (tmp_path / "b.dcm").write_bytes(make(GREY12, BitsStored=12)[:2000])
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm").pixels, PLAIN)
    with pytest.raises(DataError, match=r"b\.dcm cannot be decoded: .*less than expected \(1530 vs 3840 bytes"):
        read_image(tmp_path / "b.dcm")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"NumberOfFrames": 2}, "it has 2 frames; ChestXpert reads single pictures"),
        ({"PixelData": None}, "it has no picture"),
        ({"BitsAllocated": 24}, "12 bits in 24"),
        ({"BitsStored": 17}, "17 bits in 16"),
        ({"HighBit": 15}, "end at bit 15 where 12 bits are stored"),
        ({"Rows": 0}, "it has 40 x 0 pixels"),
        ({"Rows": None}, "it lacks the element Rows"),
        ({"PhotometricInterpretation": None}, "it lacks the element PhotometricInterpretation"),
        ({"PhotometricInterpretation": "HSV"}, "Photometric Interpretation is 'HSV'"),
        ({"PhotometricInterpretation": "RGB"}, "1 samples, which does not fit RGB"),
        ({"SamplesPerPixel": 3}, "3 samples, which does not fit MONOCHROME2"),
        ({"PixelAspectRatio": [2, 1]}, "its pixels are not square: PixelAspectRatio is 2 by 1"),
        ({"PixelSpacing": [0.2, 0.1]}, "its pixels are not square: PixelSpacing is 0.2 by 0.1"),
        ({"ImagerPixelSpacing": [0.1, 0.143]}, "its pixels are not square"),
        ({"Rows": 49}, "less than expected"),
        ({"PixelPaddingValue": 5000, "WindowWidth": 0, "WindowCenter": 7}, "its window is 0 wide"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_the_reason(tags: dict[str, Any], expected: str) -> None:
    ds = elements(GREY12, BitsStored=12)
    for keyword, value in tags.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    assert expected in complaint(write(ds))


def test_pixels_that_are_almost_square_are_shown() -> None:
    data = make(GREY12, BitsStored=12, PixelSpacing=[0.143, 0.1431], PixelAspectRatio=[1, 1])
    np.testing.assert_array_equal(read_image(data).pixels, PLAIN)


def test_floating_point_pixels_are_refused() -> None:
    ds = elements(GREY12, PixelData=None)
    ds.add(DataElement("FloatPixelData", "OF", np.zeros(GREY12.shape, np.float32).tobytes()))
    assert "floating-point numbers" in complaint(write(ds))


def test_a_report_or_directory_is_no_picture() -> None:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.88.11", "1.2", "SR"
    assert "it has no picture" in complaint(write(ds))


@pytest.mark.parametrize(
    ("syntax", "package"),
    [
        (JPEGLosslessSV1, "python-gdcm"),
        (JPEGLSLossless, "pyjpegls"),
        (HTJ2KLossless, "pylibjpeg pylibjpeg-openjpeg"),
    ],
)
def test_a_missing_decoder_is_named(syntax: UID, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dicom_codecs.CODECS, str(syntax), Codec(("not there",), package))
    monkeypatch.setattr(dicom_codecs, "check_frame", lambda *args: None)
    said = complaint(_encapsulated(syntax, b"\xff\xd8\xff\xd9"))
    assert syntax.name in said
    assert f"({syntax})" in said
    assert "pip install 'chestxpert[dicom]'" in said
    assert f'pip install {package}"' in said


def test_jpeg_2000_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_or_skip(GREY12, JPEG2000Lossless, BitsStored=12)
    monkeypatch.setitem(dicom_codecs.CODECS, str(JPEG2000Lossless), Codec(("not there", "pillow"), "some package"))
    np.testing.assert_array_equal(read_image(data).pixels, PLAIN)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_a_damaged_frame_is_said_to_be_damaged(syntax: UID) -> None:
    whole = make_or_skip(GREY12, syntax, BitsStored=12)
    middle = len(whole) - 600
    said = complaint(whole[:middle] + bytes(300) + whole[middle + 300 :])
    assert "\n" not in said
    assert "plugins" not in said
    assert f"its frame, {syntax.name} ({syntax}), is damaged: " in said


def _encapsulated(syntax: UID, frame: bytes, **tags: Any) -> bytes:
    ds = elements(GREY12, BitsStored=12, **tags)
    data = write(ds)
    whole = dcmread(io.BytesIO(data))
    whole.file_meta.TransferSyntaxUID = syntax
    whole.PixelData = encapsulate([frame])
    whole["PixelData"].VR, whole["PixelData"].is_undefined_length = "OB", True
    file = io.BytesIO()
    dcmwrite(file, whole)
    return file.getvalue()


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(["gdcm", "jpeg_ls", "openjpeg", "pylibjpeg"]))  # importing them fails now
from chestxpert.errors import DataError
from chestxpert.pixels.decode import read_image
for file in sys.argv[1:]:
    try:
        print(read_image(file).pixels.shape)
    except DataError as error:
        print(error)
"""


def test_without_the_optional_packages_each_missing_one_is_named(tmp_path: Path) -> None:
    syntaxes = (JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, RLELossless)
    for number, syntax in enumerate(syntaxes):
        (tmp_path / f"{number}.dcm").write_bytes(make_or_skip(GREY12, syntax, BitsStored=12))
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    said = subprocess.run([sys.executable, "-c", WITHOUT, *files], capture_output=True, text=True, check=True).stdout
    lossless, jpeg_ls, jpeg_2000, rle = said.splitlines()
    assert "0.dcm cannot be decoded" in lossless
    assert "(1.2.840.10008.1.2.4.70)" in lossless
    assert 'or this one with "pip install python-gdcm"' in lossless
    assert 'or this one with "pip install pyjpegls"' in jpeg_ls
    assert jpeg_2000 == rle == "(48, 40)"


def test_every_package_that_may_be_missing_is_in_the_extra() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extra = text.partition("\ndicom = [")[2].partition("]")[0]
    for codec in CODECS.values():
        assert all(f'"{package}>=' in extra for package in codec.packages.split())
    assert "pylibjpeg-libjpeg" not in extra  # under the GPL


def test_syntaxes_that_nobody_reads_say_so() -> None:
    assert "MPEG2 Main Profile / Main Level (1.2.840.10008.1.2.4.100), is not one" in complaint(
        _encapsulated(UID("1.2.840.10008.1.2.4.100"), bytes(4))
    )
    said = complaint(_encapsulated(JPEGExtended12Bit, bytes(4)))
    assert "with 12 bits, which no decoder under a permissive licence reads" in said


@pytest.mark.parametrize(
    ("tags", "said"), [({"BitsStored": 5, "HighBit": 4}, "5 bits in 8"), ({"BitsAllocated": 32}, "32")]
)
def test_bits_that_end_the_decoders_process_are_refused(tags: dict[str, int], said: str) -> None:
    """GDCM throws what no Python code can catch."""
    whole = dcmread(io.BytesIO(make_or_skip(PLAIN, JPEGLosslessSV1)))
    for keyword, value in tags.items():
        setattr(whole, keyword, value)
    file = io.BytesIO()
    dcmwrite(file, whole)
    assert f"its samples have {said}" in complaint(file.getvalue())


def test_compressed_pixels_under_an_uncompressed_syntax_are_refused() -> None:
    compressed, native = make(GREY12, RLELossless, BitsStored=12), make(GREY12, BitsStored=12)
    said = complaint(compressed.replace(RLELossless.encode() + b"\0", ExplicitVRLittleEndian.encode() + b"\0"))
    assert (
        "Explicit VR Little Endian (1.2.840.10008.1.2.1), does not fit its pixels: are they compressed or not?" in said
    )
    said = complaint(native.replace(ExplicitVRLittleEndian.encode() + b"\0", RLELossless.encode() + b"\0"))
    assert "are they compressed or not?" in said


def test_a_size_beyond_all_pictures_is_refused_before_anything_is_unfolded() -> None:
    side = 60_000
    assert side * side > MAX_PIXELS
    for syntax in (RLELossless, JPEG2000Lossless):
        said = complaint(_encapsulated(syntax, bytes(64), Rows=side, Columns=side))
        assert "it is too large: 60000 x 60000 pixels" in said


def test_a_deflated_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_file, "INFLATED", 10_000)
    assert "unfolds to more than 10000 bytes" in complaint(
        make(np.zeros((100, 100), np.uint16), DeflatedExplicitVRLittleEndian)
    )
    assert read_image(make(np.zeros((40, 40), np.uint16), DeflatedExplicitVRLittleEndian)).pixels.shape == (40, 40)


def test_a_deflated_file_that_is_cut_off_is_refused() -> None:
    assert "truncated" in complaint(make(GREY12, DeflatedExplicitVRLittleEndian, BitsStored=12)[:-200])


def test_parts_that_are_nested_without_end_are_refused() -> None:
    head = make(GREY12, BitsStored=12)
    place = head.index(b"\x28\x00\x02\x00US")
    begin = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    assert "nested too deeply" in complaint(head[:place] + begin * 20_000)


def test_a_damaged_file_warns_nobody() -> None:
    """Warnings are errors in these tests, so a warning that escaped would fail here."""
    ds = elements(GREY12, BitsStored=12)
    data = bytearray(write(ds))
    place = data.index(b"P1")
    data[place - 4 : place - 2] = b"DS"  # a number that is none
    np.testing.assert_array_equal(read_image(bytes(data) + b"\0\0").pixels, PLAIN)


def test_the_inflated_part_is_what_was_deflated() -> None:
    """The builder really deflates: else the tests above would test nothing."""
    data = make(GREY12, DeflatedExplicitVRLittleEndian, BitsStored=12)
    length = struct.unpack_from("<L", data, 140)[0]
    assert b"MONOCHROME2" in zlib.decompress(data[144 + length :], -15)
    assert b"MONOCHROME2" not in data
