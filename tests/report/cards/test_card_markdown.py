"""Whatever stands in a name or a file, a Markdown parser shows it as it is."""

from __future__ import annotations

import re

from card_reading import Card, parser, words
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.report.cards.markdown import Section, bullets, document, fenced, paragraph, sentences, table, warning
from chestxpert.report.figure import Table

# Signs that Markdown knows, with enough else for them to mean something.
SIGNS = st.text(alphabet="ab1 .)(-+*_#>|\\`[]:!~=<&;$'\"", max_size=30)
LINES = st.one_of(SIGNS, st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40))


def plain(text: str) -> str:
    return " ".join(text.split())


@given(LINES.filter(plain))
def test_a_paragraph_is_one_paragraph_with_the_same_words(text: str) -> None:
    opened, inline, closed = parser().parse(paragraph(text))
    assert (opened.type, closed.type) == ("paragraph_open", "paragraph_close")
    assert {child.type for child in inline.children} <= {"text", "text_special"}
    assert words(inline) == plain(text)


@given(st.lists(LINES.filter(plain), min_size=1, max_size=4))
def test_a_list_has_one_item_a_line_with_the_same_words(items: list[str]) -> None:
    tokens = parser().parse(bullets(items))
    assert [words(token) for token in tokens if token.type == "inline"] == [plain(item) for item in items]
    assert sum(token.type == "bullet_list_open" for token in tokens) == 1


@given(st.lists(st.lists(LINES, min_size=3, max_size=3), max_size=4))
def test_a_table_has_the_same_cells(rows: list[list[str]]) -> None:
    tokens = parser().parse(table(Table(["a|b", "c", "d"], rows)))
    cells = [words(token) for token in tokens if token.type == "inline"]
    assert cells == ["a|b", "c", "d", *(plain(cell) for row in rows for cell in row)]
    assert sum(token.type == "tr_open" for token in tokens) == 1 + len(rows)


@given(st.text(alphabet="`a\n ~", max_size=40))
def test_what_is_fenced_stays_as_it_is(text: str) -> None:
    (token,) = parser().parse(fenced(text, "yaml"))
    assert (token.type, token.info) == ("fence", "yaml")
    assert token.content.rstrip() == text.rstrip()


@given(LINES.filter(plain))
def test_a_warning_is_bold_in_a_quotation(text: str) -> None:
    tokens = parser().parse(warning(text))
    assert tokens[0].type == "blockquote_open"
    (inline,) = [token for token in tokens if token.type == "inline"]
    seen = "".join(child.content for child in inline.children)
    assert seen == plain(text)


def test_titles_over_columns_go_into_their_heads_and_short_rows_are_filled() -> None:
    found = table(Table(["x", "n", "share"], [["a", "1"]], note="Note*", groups=[("", 1), ("train", 2)]))
    assert found.splitlines() == [
        "Note\\*:", "", "| x | train: n | train: share |", "| :-- | --: | --: |", "| a | 1 |  |"
    ]  # fmt: skip


def test_a_document_goes_down_one_level_at_a_time_and_leaves_out_what_is_empty() -> None:
    inner = Section("Inner #1", [paragraph("deep"), ""])
    text = document("A_title", ["", paragraph("first")], [Section("Outer", [""], [inner])])
    card = Card.read(f"---\nlicense: mit\n---\n{text}")
    assert card.headings == [(1, "A_title"), (2, "Outer"), (3, "Inner #1")]
    assert card.first.paragraphs == ["first"]
    assert card.parts["Inner #1"].paragraphs == ["deep"]
    assert not re.search(r"\n\n\n", text)


def test_sentences_that_say_nothing_leave_no_gap() -> None:
    assert sentences("One.", "", "Two.") == "One. Two."
