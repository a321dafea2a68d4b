from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from chestxpert.report.canvas import Canvas, number

words = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=30)


@given(words, words)
def test_whatever_words_come_in_the_drawing_stays_well_formed(label: str, tip: str) -> None:
    canvas = Canvas(100, 50)
    canvas.text(1, 2, label)
    canvas.rect(0, 0, 5, 5, "bar", tip=tip)
    root = ElementTree.fromstring(str(canvas.svg(label)))
    assert root.get("aria-label") == label
    texts = [node.text for node in root.iter() if node.tag in ("text", "title") and node.text]
    assert texts == [text for text in (label, tip) if text]


def test_a_drawing_has_neither_ids_nor_colours_of_its_own() -> None:
    canvas = Canvas(100, 50)
    canvas.line(0, 0, 1, 1, "grid")
    canvas.circle(5, 5, 2, "dot flat", tip="flat")
    canvas.marker(5, 5, True, "dot hier")
    canvas.path([(0, 0), (1, 1)], "curve")
    svg = str(canvas.svg("picture"))
    assert " id=" not in svg
    assert "fill=" not in svg
    assert "stroke=" not in svg
    assert 'role="img"' in svg


def test_a_side_is_told_by_shape_as_well_as_by_colour() -> None:
    flat, hierarchical = Canvas(9, 9), Canvas(9, 9)
    flat.marker(4, 4, False, "dot")
    hierarchical.marker(4, 4, True, "dot")
    assert "<circle" in flat.svg("")
    assert "<circle" not in hierarchical.svg("")


def test_numbers_are_short() -> None:
    assert [number(value) for value in (3.0, 3.14159, -0.01, 12.96)] == ["3", "3.1", "0", "13"]
