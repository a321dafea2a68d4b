"""Tables as LaTeX: booktabs, a caption that says of whom, and a label."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from chestxpert.report.figure import Table
from chestxpert.report.files.sheets import Sheet
from chestxpert.report.scales import MINUS, text_width

_PLAIN = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}",
    MINUS: "$-$", "\N{NARROW NO-BREAK SPACE}": r"\,", "\N{NO-BREAK SPACE}": "~",
    "\N{LEFTWARDS ARROW}": r"$\leftarrow$", "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``", "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{EN DASH}": "--", "\N{MULTIPLICATION SIGN}": r"$\times$",
}  # fmt: skip
_ROOM = 438.0
"""Points across a page with margins of an inch, at \\footnotesize; a wider table goes on below with further columns."""
_LETTERS, _APART = 7.5, 6.5
"""Size at which the page's widths of words are those of \\footnotesize in Computer Modern, and room between columns."""
_SHORT = 12
"""Letters up to which a head stands on one line."""
_BREAK = r"\\"
_LONG = 45
"""Rows that fit a page; a longer table is a longtable, which goes on over pages."""
_HEAD = (
    "% {title}\n% Written by ChestXpert; needs \\usepackage[T1]{{fontenc}}, \\usepackage{{booktabs}} and "
    "\\usepackage{{longtable}}. Include it with \\input{{tables/{name}}}.\n"
)


def latex(sheet: Sheet) -> str:
    """Each table as one environment, labelled ``tab:NAME``, ``tab:NAME-2`` and so forth."""
    parts = [_HEAD.format(title=_comment(sheet.title), name=sheet.name)]
    for place, table in enumerate(sheet.tables):
        label = f"tab:{sheet.name}" + (f"-{place + 1}" if place else "")
        parts.append(_environment(table, escaped(sheet.caption(table)), label))
    return "\n".join(parts)


def escaped(words: str) -> str:
    """Words as LaTeX prints them; a character that no font of its own has is left as it is, in UTF-8."""
    return "".join(_PLAIN.get(letter, letter) for letter in words)


def _comment(words: str) -> str:
    return words.replace("\n", " ")


def _environment(table: Table, caption: str, label: str) -> str:
    blocks = list(_blocks(table))
    if sum(len(block.rows) + 2 for block in blocks) > _LONG:
        return "\n".join(_long(block, caption if not place else "", label) for place, block in enumerate(blocks))
    body = "\n\n\\medskip\n".join(_tabular(block) for block in blocks)
    return (
        "\\begin{table}\n\\centering\n\\footnotesize\n"
        "\\setlength{\\tabcolsep}{3pt}\n\\setlength{\\belowcaptionskip}{4pt}\n"
        f"\\caption{{{caption}}}\n\\label{{{label}}}\n{body}\n\\end{{table}}\n"
    )


def _blocks(table: Table) -> Iterator[Table]:
    """The table in parts that are as wide as a page: each has the columns of words, and some of the others."""
    heads = _heads(table)
    columns = [[*head.split("\n"), *cells] for head, *cells in zip(heads, *table.rows, strict=True)]
    widths = [max(text_width(cell, _LETTERS) for cell in column) + _APART for column in columns]
    first, others = list(range(table.words)), list(range(table.words, len(widths)))
    left = _ROOM - sum(widths[: table.words])
    blocks = _filled(others, widths, left)
    # As many blocks, but about as wide as one another: no lonely column at the end.
    even = sum(widths[c] for c in others) / len(blocks) + max((widths[c] for c in others), default=0.0)
    for chosen in _filled(others, widths, min(left, even)):
        yield _part(table, heads, [*first, *chosen])


def _filled(columns: Sequence[int], widths: Sequence[float], room: float) -> list[list[int]]:
    blocks: list[list[int]] = [[]]
    for column in columns:
        if blocks[-1] and sum(widths[c] for c in [*blocks[-1], column]) > room:
            blocks.append([])
        blocks[-1].append(column)
    return blocks


def _heads(table: Table) -> list[str]:
    """Heads in lines that are about as long as what stands below them."""
    columns = zip(*table.rows, strict=True)
    return [
        "\n".join(textwrap.wrap(head, max(_SHORT, *map(len, column)), break_long_words=False, break_on_hyphens=False))
        for head, column in zip(table.head, columns, strict=True)
    ]


def _part(table: Table, heads: Sequence[str], columns: Sequence[int]) -> Table:
    above = [words for words, span in table.groups for _ in range(span)]
    groups = [(words, len(list(same))) for words, same in groupby(above[column] for column in columns)] if above else []
    rows = [[row[column] for column in columns] for row in table.rows]
    return Table([heads[column] for column in columns], rows, words=table.words, groups=groups)


def _top(table: Table) -> str:
    """Heads, below what stands above several of them."""
    heads = [
        escaped(head) if "\n" not in head
        else f"\\shortstack[{'l' if place < table.words else 'r'}]{{{escaped(head).replace(chr(10), _BREAK)}}}"
        for place, head in enumerate(table.head)
    ]  # fmt: skip
    groups, rules, at = [], [], 1
    for words, span in table.groups:
        groups.append(f"\\multicolumn{{{span}}}{{c}}{{{escaped(words)}}}" if words else "& " * (span - 1))
        rules += [f"\\cmidrule(lr){{{at}-{at + span - 1}}}"] if words else []
        at += span
    over = f"{' & '.join(groups)} {_BREAK}\n{''.join(rules)}\n" if groups else ""
    return f"{over}{' & '.join(heads)} {_BREAK}"


def _tabular(table: Table) -> str:
    return (
        f"\\begin{{tabular}}{{{_columns(table)}}}\n\\toprule\n{_top(table)}\n\\midrule\n"
        + "\n".join(map(_line, table.rows))
        + "\n\\bottomrule\n\\end{tabular}"
    )


def _long(table: Table, caption: str, label: str) -> str:
    """Over pages; the heads stand on each. Not for two-column pages, which longtable cannot do."""
    named = f"\\caption{{{caption}}}\n\\label{{{label}}}\\\\\n" if caption else ""
    again = "" if caption else "\\addtocounter{table}{-1}\n"  # further columns of a table that has its number
    return (
        "{\\footnotesize\\setlength{\\tabcolsep}{3pt}\n"
        f"\\begin{{longtable}}{{{_columns(table)}}}\n{named}\\toprule\n{_top(table)}\n\\midrule\n\\endfirsthead\n"
        f"\\toprule\n{_top(table)}\n\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n"
        + "\n".join(map(_line, table.rows))
        + f"\n\\end{{longtable}}}}\n{again}"
    )


def _columns(table: Table) -> str:
    return "l" * table.words + "r" * (len(table.head) - table.words)


def _line(cells: Sequence[str]) -> str:
    """A row; braces keep a leading bracket from being read as an option of the row before."""
    return (
        " & ".join(f"{{{escaped(cell)}}}" if cell[:1] in ("[", "*") else escaped(cell) for cell in cells) + f" {_BREAK}"
    )
