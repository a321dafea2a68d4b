"""What a hierarchy would reach if one of its decisions were perfect: the bottleneck of the tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chestxpert.report.canvas import Canvas
from chestxpert.report.diagnosed import Diagnosis, Perfect
from chestxpert.report.figure import Figure, Key, Table, two_widths
from chestxpert.report.figure_tree import not_drawn_words
from chestxpert.report.results import Results, finding_name
from chestxpert.report.rows import Panel, Row, draw_interval, draw_rows
from chestxpert.report.scales import UNDEFINED, Scale, decimal, domain, grouped, signed
from chestxpert.report.shortcut import NAME, floor_keys, floor_lines, floor_words
from chestxpert.report.stored_values import Estimate
from chestxpert.taxonomy import Taxonomy

_FLOORS = {"ap": "macro_ap_findings", "hard_f1": "macro_f1_findings"}
"""By quantity, the metric of the shortcut floor that is the same mean over the findings."""

_TITLES = {
    "ap": "Mean average precision",
    "hard_recall": "Hard routing: mean recall",
    "hard_f1": "Hard routing: mean F1",
}


def perfect_figure(
    results: Results, tree: Taxonomy, findings: Sequence[str], recipes: Sequence[str], anchor: str = "fig-perfect"
) -> Figure | None:
    """A row a decision for each recipe down one tree: from the value as it is to the one with that decision perfect.

    Parameters
    ----------
    tree : Taxonomy
    findings : sequence of str
        In the order shown.
    recipes : sequence of str
        Those that go down `tree`.
    anchor : str
        Of the figure on the page.

    Returns
    -------
    Figure, or None where the comparison has no diagnosis.
    """
    diagnosis = Diagnosis(results)
    names = diagnosis.recipes(recipes)
    if not names:
        return None
    drawn = results.foremost(names)
    known = {name: diagnosis.perfect(name) for name in names}
    decisions = [decision.name for decision in tree.decisions]
    rows, places = _rows(drawn, decisions)
    floors = {key: results.floor(metric) for key, metric in _FLOORS.items()}
    panels = [_panel(key, rows, places, known, floors.get(key)) for key in _TITLES]
    return Figure(
        anchor=anchor,
        title="What a perfect decision would be worth",
        caption=(
            "Each row makes one decision answer as the truth does wherever it is rightly asked, on images where the "
            "node above truly holds, and leaves all others as they are. Bars run from the recipe as it is to what it"
            " would reach, means over the findings on test; lines are 95 % intervals over patients. The longest bar "
            "is the bottleneck. A perfect decision does not make up for others: images wrongly let down to it are "
            "still judged by the network, and cases lost above stay lost. F1 can even fall, where more images come "
            "down to decisions that raise false alarms." + not_drawn_words(drawn, names) + floor_words(*floors.values())
        ),
        picture=two_widths(
            lambda frame: draw_rows(rows, panels, frame), _spoken({name: known[name] for name in drawn}), 24
        ),
        tables=[
            _macro_table(known, floors),
            *(_findings_table(diagnosis, name, known[name], findings) for name in names),
        ],
        keys=[
            Key("hier", "diamond", "with that decision perfect"),
            Key("muted", "ring", "as it is"),
            *floor_keys(*floors.values()),
        ],
    )


def _rows(names: Sequence[str], decisions: Sequence[str]) -> tuple[list[Row], list[tuple[str, str | None]]]:
    """Rows with a heading a recipe, and the recipe and decision of each; None as it is."""
    rows: list[Row] = []
    places: list[tuple[str, str | None]] = []
    for name in names:
        rows.append(Row(name, "hier", heading=True))
        places.append((name, None))
        for decision in (None, *decisions):
            rows.append(Row("as it is" if decision is None else f"{decision} perfect"))
            places.append((name, decision))
    return rows, places


def _panel(
    key: str,
    rows: Sequence[Row],
    places: Sequence[tuple[str, str | None]],
    known: dict[str, Perfect],
    floor: float | None,
) -> Panel:
    values = [e for one in known.values() for e in (one.as_it_is[key], *(own[key] for own in one.perfect.values()))]
    top = domain([0.0, floor, *(end for e in values for end in (e.mean, e.high))], floor=0.0, ceiling=1.0)[1]

    def mark(canvas: Canvas, scale: Scale, index: int, y: float) -> None:
        name, decision = places[index]
        start = known[name].as_it_is[key]
        if start.mean is None:
            canvas.text(scale(0), y + 4, UNDEFINED, "tick")
            return
        if decision is None:
            draw_interval(canvas, scale, (start.low, start.high), y, "thin muted")
            canvas.circle(scale(start.mean), y, 3.5, "ring muted", tip=f"{name} as it is: {start.words()}")
            canvas.text(_beside(scale, start), y + 4, decimal(start.mean), "value above")
            return
        end, gain = known[name].perfect[decision][key], known[name].gain[decision][key]
        if end.mean is None:
            return
        left, right = sorted((scale(start.mean), scale(end.mean)))
        tip = f"{name} with {decision} perfect: {end.words()}, {signed(gain.mean)} against as it is"
        canvas.rect(left, y - 4, right - left, 8, "bar hier", tip=tip)
        draw_interval(canvas, scale, (end.low, end.high), y, "thin hier")
        canvas.marker(scale(end.mean), y, True, "dot hier", size=3.4, tip=tip)
        canvas.text(_beside(scale, end), y + 4, signed(gain.mean), "value above")

    return Panel(_TITLES[key], 0.0, top, mark, room=44, lines=floor_lines(floor))


def _beside(scale: Scale, estimate: Estimate) -> float:
    """Where words may begin, right of mark and interval."""
    ends = [scale(end) for end in (estimate.mean, estimate.high) if end is not None]
    return max(ends) + 10


def _spoken(known: dict[str, Perfect]) -> str:
    parts = [
        f"{name} " + ", ".join(f"{decision} {signed(gain['ap'].mean)}" for decision, gain in one.gain.items())
        for name, one in known.items()
    ]
    return f"Gain in mean average precision with one decision perfect: {'; '.join(parts)}."


def _macro_table(known: dict[str, Perfect], floors: Mapping[str, float | None]) -> Table:
    rows = []
    for name, one in known.items():
        rows.append([name, "as it is", *(cell for key in _TITLES for cell in (one.as_it_is[key].words(), "", ""))])
        for decision, own in one.perfect.items():
            cells = [
                cell
                for key in _TITLES
                for cell in (
                    own[key].words(), _gain_words(one.gain[decision][key]), decimal(one.others[decision].get(key)),
                )
            ]  # fmt: skip
            rows.append([name, f"{decision} perfect", *cells])
    if floor_keys(*floors.values()):
        told = ("" if (value := floors.get(key)) is None else decimal(value) for key in _TITLES)
        rows.append([NAME, "", *(cell for words in told for cell in (words, "", ""))])
    head = [words for title in _TITLES.values() for words in (title, "gain", "with all others perfect")]
    return Table(["recipe", "decision", *head], rows, words=2, note="Means over findings and seeds [95 % interval]")


def _gain_words(gain: Estimate) -> str:
    if gain.low is None or gain.high is None:
        return signed(gain.mean)
    return f"{signed(gain.mean)} [{signed(gain.low)}, {signed(gain.high)}]"


def _findings_table(diagnosis: Diagnosis, name: str, one: Perfect, findings: Sequence[str]) -> Table:
    head = [words for d in one.findings for words in (_of("AP", d), _of("found", d), _of("false alarms", d))]
    rows = []
    for finding in findings:
        cells: list[str] = []
        for own in one.findings.values():
            values = own[finding]
            cells += [decimal(values["ap"]), decimal(values["found"], 1), decimal(values["false_alarms"], 1)]
        rows.append([finding_name(finding), grouped(diagnosis.counts(name, finding)["n"]), *cells])
    return Table(["finding", "test n", *head], rows, note=f"{name}, finding by finding; found by hard routing")


def _of(words: str, decision: str | None) -> str:
    return f"{words} as it is" if decision is None else f"{words}, {decision} perfect"
