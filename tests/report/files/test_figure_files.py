"""Figures as files: the page's own shapes, whole and readable without the page."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from chestxpert.errors import UsageError
from chestxpert.report import write_figures
from chestxpert.report.build import draw_figures
from chestxpert.report.figure import Figure
from chestxpert.report.files import convert
from chestxpert.report.files.standalone import FAMILY, SIMULATED, standalone
from chestxpert.report.files.style import Style
from chestxpert.report.read import read_study

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def figures(study_folder: Path) -> dict[str, Figure]:
    return draw_figures(read_study(study_folder))


def counted(root: ElementTree.Element) -> dict[str, int]:
    """Shapes by tag; halos are no shapes of their own."""
    tags = [one.tag.removeprefix(SVG) for one in root.iter() if one.get("aria-hidden") != "true"]
    return {tag: tags.count(tag) for tag in ("text", "line", "circle", "path", "rect")}


@pytest.mark.parametrize(("width", "kinds"), [(17.5, ("wide", "small")), (8.5, ("narrow", "small"))])
def test_every_shape_and_word_of_the_page_is_there_and_nothing_needs_the_page(
    figures: dict[str, Figure], width: float, kinds: tuple[str, ...]
) -> None:
    assert len(figures) == 18
    for anchor, figure in figures.items():
        text = standalone(figure, Style(), width).svg("10cm", "10cm")
        root = ElementTree.fromstring(text.encode())
        pictures = [one for one in ElementTree.fromstring(f"<p>{figure.picture}</p>") if one.get("class") in kinds]
        keys = ElementTree.fromstring(f"<p>{''.join('<text/>' for _ in figure.keys)}</p>")
        wanted = {tag: sum(counted(one)[tag] for one in [*pictures, keys]) for tag in ("text", "circle")}
        found = counted(root)
        assert found["text"] == wanted["text"], anchor
        assert found["circle"] >= wanted["circle"], anchor
        said = {one.text for one in root.iter(f"{SVG}text")}
        assert {one.text for picture in pictures for one in picture.iter("text")} | {
            key.words for key in figure.keys
        } == said, anchor
        assert not re.search(r"var\(|color-mix|class=|style=|url\(|href|<svg [^>]*<svg|data-about", text), anchor
        assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/2000/svg"}
        assert root.find(f"{SVG}title").text == figure.title  # type: ignore[union-attr]
        assert root.find(f"{SVG}desc").text == figure.caption  # type: ignore[union-attr]


def test_a_halo_lies_under_its_words_and_is_hidden_from_readers(figures: dict[str, Figure]) -> None:
    root = ElementTree.fromstring(standalone(figures["fig-recipes"], Style(), 17.5).svg("1cm", "1cm").encode())
    texts = list(root.iter(f"{SVG}text"))
    halos = [(place, one) for place, one in enumerate(texts) if one.get("aria-hidden")]
    assert halos
    for place, halo in halos:
        word = texts[place + 1]
        assert (word.text, word.get("x"), word.get("y")) == (halo.text, halo.get("x"), halo.get("y"))
        assert halo.get("fill") == halo.get("stroke")
        assert word.get("stroke") is None
        assert word.get("fill") != halo.get("fill")


def test_turned_words_at_the_edge_are_within_the_drawing(figures: dict[str, Figure]) -> None:
    figure = figures["fig-cooccurrence"]
    for width in (8.5, 17.5):
        drawing = standalone(figure, Style(), width)
        kind = "narrow" if width < 12 else "wide"
        page = next(one for one in ElementTree.fromstring(f"<p>{figure.picture}</p>") if one.get("class") == kind)
        turned = [one for one in page.iter("text") if one.get("transform")]
        last = max(turned, key=lambda one: float(one.get("x", 0)))
        # Letters of Liberation Sans are at least .25 of the font size wide on average, at 45 degrees.
        reach = float(last.get("x", 0)) + 0.25 * 9.5 * len(last.text or "") * np.sqrt(0.5)
        assert drawing.width > reach


def test_files_have_the_width_that_was_asked_for_and_the_same_bytes_every_time(
    study_copy: Path, figures: dict[str, Figure]
) -> None:
    paths = write_figures(study_copy, ["svg"], width=8.5)
    assert [path.name for path in paths] == [f"{anchor}.svg" for anchor in figures]
    assert paths[0] == study_copy / "figures" / "fig-recipes.svg"
    for path, figure in zip(paths, figures.values(), strict=True):
        root = ElementTree.fromstring(path.read_bytes())
        _, _, wide, high = map(float, root.get("viewBox", "").split())
        assert root.get("width") == "8.5cm"
        assert float(root.get("height", "").removesuffix("cm")) == pytest.approx(8.5 * high / wide, rel=1e-3)
        again = standalone(figure, Style(), 8.5).svg("8.5cm", root.get("height", ""))
        assert path.read_text(encoding="utf-8") == again


def test_dark_is_dark(figures: dict[str, Figure]) -> None:
    dark = standalone(figures["fig-recipes"], Style("dark"), 17.5).inside
    assert "#11161b" in dark
    assert "#ffffff" not in dark


def test_simulated_images_are_called_so_on_every_figure(
    tmp_path: Path, study_factory: Callable[..., Path], figures: dict[str, Figure]
) -> None:
    study = study_factory(tmp_path, recipes=("flat-basic",), seeds=(0,), simulated=True, scale=0.5, draws=20)
    paths = write_figures(study)
    assert paths
    assert all(SIMULATED in path.read_text(encoding="utf-8") for path in paths)
    assert SIMULATED not in standalone(figures["fig-recipes"], Style(), 17.5).inside


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"formats": ["gif"]}, "svg, pdf, png; gif is none"),
        ({"width": 300.0}, "width of figures is 300 cm"),
        ({"width": float("nan")}, "width of figures is nan cm"),
        ({"dpi": 10}, "10 dpi"),
        ({"theme": "blue"}, "'blue'"),
    ],
)
def test_wrong_wishes_are_refused_before_anything_is_read(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        write_figures(Path("there/is/none"), **wrong)  # type: ignore[arg-type]


def test_without_the_package_the_extra_is_named(study_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(UsageError, match=r"pip install 'chestxpert\[figures\]'"):
        write_figures(study_copy, ["svg", "pdf"])
    assert not (study_copy / "figures").exists(), "said before anything is written"
    assert write_figures(study_copy, ["svg"])


@pytest.mark.parametrize("anchor", ["fig-costs", "fig-contrasts", "fig-reliability"])
def test_pdf_has_a_page_of_that_width_with_words_and_fonts_of_its_own(figures: dict[str, Figure], anchor: str) -> None:
    pytest.importorskip("vl_convert")
    pypdf = pytest.importorskip("pypdf")
    made = convert.pdf(standalone(figures[anchor], Style(), 17.5), 17.5)
    (page,) = pypdf.PdfReader(io.BytesIO(made)).pages
    assert float(page.mediabox.width) == pytest.approx(17.5 / 2.54 * 72, abs=0.01)
    assert not list(page.images), "lines and letters, no pixels"
    words = "".join(page.extract_text().split())
    picture = ElementTree.fromstring(f"<p>{figures[anchor].picture}</p>")
    shown = [one for one in picture if one.get("class") in ("wide", "small")]
    for text in {"".join((one.text or "").split()) for each in shown for one in each.iter("text")}:
        assert text in words
    fonts = {font["/BaseFont"] for font in _fonts(page)}
    assert fonts
    assert all("LiberationSans" in name for name in fonts), FAMILY


def _fonts(page: object) -> list[dict[str, str]]:
    """Every font of a page, however deep."""
    found: list[dict[str, str]] = []

    def walk(value: object) -> None:
        value = value.get_object() if hasattr(value, "get_object") else value
        if isinstance(value, dict):
            found.extend([value] if "/BaseFont" in value else [])
            for key, inner in value.items():
                if key not in ("/Parent", "/P"):
                    walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(page["/Resources"])  # type: ignore[index]
    return found


@pytest.mark.parametrize(("width", "dpi"), [(17.5, 300), (8.5, 150)])
def test_png_has_the_pixels_and_the_resolution_that_were_asked_for(
    figures: dict[str, Figure], width: float, dpi: int
) -> None:
    pytest.importorskip("vl_convert")
    made = convert.png(standalone(figures["fig-groups"], Style(), width), width, dpi)
    with Image.open(io.BytesIO(made)) as image:
        assert image.width == round(width / 2.54 * dpi)
        assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert (pixels[0] == 255).all(), "on white"
    ink = (pixels.sum(axis=2) < 300).sum()
    assert ink > 0.002 * pixels.shape[0] * pixels.shape[1], "with words on it"
    assert (abs(pixels - [0x16, 0x68, 0xB0]).sum(axis=2) < 12).any(), "and the blue of flat recipes"


def test_pdf_and_png_are_written_beside_svg(study_copy: Path) -> None:
    pytest.importorskip("vl_convert")
    paths = write_figures(study_copy, ["svg", "pdf", "png"], dpi=36)
    assert len(paths) == 3 * 18
    begins = {".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG"}
    assert all(path.read_bytes().startswith(begins[path.suffix]) for path in paths)
