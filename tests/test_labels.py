import json
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestxpert.errors import LabelError
from chestxpert.labels import CXRLT20, NIH15, NO_FINDING, LabelSpace, label_space


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("Pleural_Thickening", "Pleural_Thickening"),
        ("Pleural Thickening", "Pleural_Thickening"),
        ("  pleural  thickening ", "Pleural_Thickening"),
        ("INFILTRATION", "Infiltration"),
        ("Infiltrate", "Infiltration"),
        ("no_finding", NO_FINDING),
    ],
)
def test_spellings_of_one_finding_are_one_finding(spelling: str, canonical: str) -> None:
    assert NIH15.canonical(spelling) == canonical
    assert spelling in NIH15


def test_both_label_spaces_know_each_others_spelling() -> None:
    assert CXRLT20.canonical("Pleural_Thickening") == "Pleural Thickening"
    assert {CXRLT20.get(label) for label in NIH15.labels} < set(CXRLT20.labels)


@pytest.mark.parametrize("name", ["Massive", "Mas", "Mass lesion", "Nodules", "Thickening", "Edema|Mass", ""])
def test_a_finding_is_never_matched_by_a_part_of_a_word(name: str) -> None:
    assert NIH15.get(name) is None
    assert name not in NIH15
    with pytest.raises(LabelError):
        NIH15.canonical(name)


def test_an_unknown_finding_gets_the_near_name() -> None:
    with pytest.raises(
        LabelError, match=r"'Efusion' is not a finding of label space 'nih15'\. Did you mean 'Effusion'"
    ):
        NIH15.canonical("Efusion")
    with pytest.raises(LabelError, match="It has: Atelectasis, "):
        NIH15.canonical("zzz")


def test_a_cell_is_split_whole() -> None:
    assert NIH15.parse("Effusion|Pleural_Thickening|Infiltrate") == ("Effusion", "Pleural_Thickening", "Infiltration")
    assert NIH15.parse("No Finding") == (NO_FINDING,)
    assert NIH15.parse("") == NIH15.parse("|") == ()
    with pytest.raises(LabelError, match="Massive"):
        NIH15.parse("Effusion|Massive")


def test_findings_leave_out_no_finding_and_keep_the_order() -> None:
    assert NIH15.findings == NIH15.labels[:-1]
    assert len(NIH15) == 15
    assert len(CXRLT20) == 20
    assert LabelSpace("x", ("a", "b"), no_finding=None).findings == ("a", "b")


@given(st.sets(st.sampled_from(CXRLT20.labels)))
def test_encoding_puts_each_name_in_its_own_column(names: set[str]) -> None:
    row = CXRLT20.encode(name.upper().replace(" ", "_") for name in names)
    assert row.dtype == np.bool_
    assert [label for label, there in zip(CXRLT20.labels, row, strict=True) if there] == [
        label for label in CXRLT20.labels if label in names
    ]


labels = st.lists(st.text(string.ascii_letters, min_size=1), min_size=1, max_size=8, unique_by=str.casefold)


@given(labels, st.data())
def test_a_label_space_survives_json_with_its_order(names: list[str], data: st.DataObject) -> None:
    no_finding = data.draw(st.sampled_from([None, *names]))
    aliases = {f"{name} alias": name for name in names[::2]}
    space = LabelSpace("drawn", tuple(names), no_finding, aliases)
    again = LabelSpace.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again == space
    assert again.labels == tuple(names)
    assert again.fingerprint == space.fingerprint
    assert [again.index(name) for name in names] == list(range(len(names)))


@given(labels.filter(lambda names: len(names) > 1))
def test_the_fingerprint_changes_with_order_and_members(names: list[str]) -> None:
    space = LabelSpace("x", tuple(names), None)
    assert space.fingerprint != LabelSpace("x", tuple(reversed(names)), None).fingerprint
    assert space.fingerprint != LabelSpace("x", tuple(names[1:]), None).fingerprint
    assert space.fingerprint != LabelSpace("x", tuple(names), names[0]).fingerprint
    assert space.fingerprint == LabelSpace("another name", tuple(names), None).fingerprint


@pytest.mark.parametrize(
    ("names", "no_finding", "aliases"),
    [
        ((), None, {}),
        (("Mass", "mass"), None, {}),
        (("Pleural_Thickening", "Pleural Thickening"), None, {}),
        (("Mass",), NO_FINDING, {}),
        (("Mass",), None, {"Lump": "Nodule"}),
    ],
)
def test_contradictory_label_spaces_are_refused(
    names: tuple[str, ...], no_finding: str | None, aliases: dict[str, str]
) -> None:
    with pytest.raises(LabelError):
        LabelSpace("bad", names, no_finding, aliases)


def test_what_is_no_stored_label_space_is_refused() -> None:
    with pytest.raises(LabelError, match="no stored label space"):
        LabelSpace.from_dict({"name": "x"})
    with pytest.raises(LabelError, match="no stored label space"):
        LabelSpace.from_dict({"name": "x", "labels": 3, "no_finding": None, "aliases": {}})


def test_built_in_spaces_by_name() -> None:
    assert label_space("nih15") is NIH15
    assert label_space("cxrlt20") is CXRLT20
    with pytest.raises(LabelError, match="There are: nih15, cxrlt20"):
        label_space("nih14")
