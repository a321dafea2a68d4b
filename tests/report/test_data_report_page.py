"""The page of a data set: whole, self-contained, and honest about what it shows."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from report_pages import Page

from chestxpert.cli.main import main
from chestxpert.cohort.table import Cohort
from chestxpert.dataset import Dataset, prepare
from chestxpert.errors import DataError, UsageError
from chestxpert.pixels.preprocess import shrink
from chestxpert.report.dataset import build_data_report
from chestxpert.report.dataset.remarks import SHOWN, grouped_remarks, read_remarks
from chestxpert.report.dataset.thumbnails import SIDE, Thumbnails
from chestxpert.simulator import simulate

FIGURES = [
    "fig-presence", "fig-frequency", "fig-cooccurrence", "fig-combinations", "fig-shift", "fig-people", "fig-images",
]  # fmt: skip


@pytest.fixture(scope="module")
def page(dataset_folder: Path) -> Page:
    return Page(dataset_folder / "report.html")


def test_the_page_is_well_formed_and_refers_to_nothing_outside_itself(page: Page) -> None:
    assert page.misplaced == []
    page.assert_refers_to_nothing_outside()
    page.assert_links_lead_somewhere()
    page.assert_drawings_have_names()


def test_every_figure_has_a_caption_and_its_numbers_with_a_caption_too(page: Page) -> None:
    assert [attrs["id"] for tag, attrs in page.tags if tag == "figure"] == FIGURES
    assert page.source.count("<figcaption>") == len(FIGURES)
    figures = re.findall(r"<figure.*?</figure>", page.source, re.DOTALL)
    for figure in figures:
        assert 1 <= figure.count("<table") == figure.count("<caption>")


def test_headings_go_down_one_step_at_a_time(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_picture_has_words_and_lies_inside_the_page(page: Page) -> None:
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) > 20
    for attrs in pictures:
        assert attrs["src"].startswith("data:image/jpeg;base64,")
        assert re.match(r"Radiograph \d{8}_\d{3}\.png", attrs["alt"])
    assert any("training image with Effusion" in attrs["alt"] for attrs in pictures)


def test_remarks_stand_by_check_with_both_pictures_of_a_pair(page: Page, dataset_folder: Path) -> None:
    quality = page.source.split('id="quality"')[1].split("</section>")[0]
    pair = quality.split("near-duplicate <span")[1].split("<h3")[0]
    assert pair.count("<img") == 2
    assert "They differ in 3 of 64 bits." in pair
    broken = quality.split("undecodable <span")[1].split("<h3")[0]
    assert "no pixels" in broken
    assert "<img" not in broken
    assert "Black and white seem to be exchanged" in quality
    assert str(dataset_folder / "quality.csv") in page.text


def test_what_was_left_out_is_counted_with_an_example(page: Page) -> None:
    section = page.source.split('id="left-out"')[1].split("</section>")[0]
    assert "no-row" in section
    assert "stray.png" in section
    assert "image file without a row in the label table" in section


def test_the_head_says_where_it_comes_from(page: Page, dataset_folder: Path) -> None:
    info = json.loads((dataset_folder / "dataset.json").read_text())
    assert "120 images of 40 patients" in page.text
    assert "15 labels of nih15" in page.text
    assert "official: the test list stays test" in page.text
    assert info["fingerprints"]["cohort"] in page.text
    assert f"chestxpert data prepare {info['source']['path']} --out {dataset_folder}" in page.text
    assert "SIMULATED" not in page.text


def test_the_same_folder_gives_the_same_bytes_and_another_seed_other_samples(
    dataset_folder: Path, tmp_path: Path
) -> None:
    first = build_data_report(dataset_folder, tmp_path / "a.html", draws=200).read_bytes()
    assert first == (dataset_folder / "report.html").read_bytes()
    other = build_data_report(dataset_folder, tmp_path / "b" / "b.html", draws=200, seed=1)
    assert other.read_bytes() != first


def test_no_samples_if_none_are_asked_for(dataset_folder: Path, tmp_path: Path) -> None:
    found = Page(build_data_report(dataset_folder, tmp_path / "none.html", draws=2, samples_each=0))
    assert "training image with" not in found.source
    assert found.text.count("No image to show.") == 15


@pytest.mark.parametrize("arguments", [{"draws": 0}, {"samples_each": 13}, {"samples_each": -1}, {"seed": -1}])
def test_arguments_out_of_range_are_refused(dataset_folder: Path, arguments: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="A data report takes"):
        build_data_report(dataset_folder, **arguments)


def test_hostile_words_stay_words(dataset_copy: Path) -> None:
    evil = '<script>alert("x")</script>'
    cohort = Cohort.load(dataset_copy / "cohort.parquet")
    table = cohort.table.copy()
    old = table["image_id"].iloc[0]
    table["image_id"] = table["image_id"].str.replace(".png", f"{evil}.png")
    table.loc[:, "view"] = f"{evil}"
    Cohort(table, cohort.label_space).save(dataset_copy / "cohort.parquet")
    index = pd.read_parquet(dataset_copy / "index.parquet")
    index["image_id"] = index["image_id"].str.replace(".png", f"{evil}.png")
    index.to_parquet(dataset_copy / "index.parquet")
    info = json.loads((dataset_copy / "dataset.json").read_text())
    info["notes"], info["source"]["path"] = [evil], evil
    (dataset_copy / "dataset.json").write_text(json.dumps(info))
    remark = pd.DataFrame([["age", old, evil, 1, evil]], columns=["check", "image_id", "other", "value", "detail"])
    remark.to_csv(dataset_copy / "quality.csv", index=False)
    rejects = pd.DataFrame([[evil, evil, evil]], columns=["image_id", "reason", "detail"])
    rejects.to_csv(dataset_copy / "rejects.csv", index=False)
    folder = dataset_copy.rename(dataset_copy.with_name('a "<b>" & c'))
    found = Page(build_data_report(folder, draws=10))
    assert found.misplaced == []
    found.assert_refers_to_nothing_outside()
    assert not [tag for tag, _ in found.tags if tag == "b"]
    assert found.text.count(evil) > 60


def test_simulated_images_are_called_drawings(tmp_path: Path) -> None:
    simulate(tmp_path / "drawn", images=40, size=32, seed=4)
    prepare(tmp_path / "drawn", tmp_path / "data", size=32, workers=1)
    (tmp_path / "data" / "quality.csv").unlink()
    found = Page(build_data_report(tmp_path / "data", draws=10))
    assert found.text.count("SIMULATED IMAGES: drawings, no radiographs") == 2
    assert "These images are simulated" in found.text
    alts = [attrs["alt"] for tag, attrs in found.tags if tag == "img"]
    assert alts
    assert all(alt.startswith("Drawing, no radiograph ") for alt in alts)
    assert "prepared without quality control" in found.text


def test_thumbnails_are_the_stored_images_only_smaller(nih_sample: Path, tmp_path: Path) -> None:
    source = tmp_path / "nih"
    (source / "images").mkdir(parents=True)
    shutil.copy(nih_sample / "Data_Entry_2017_v2020.csv", source)
    for path in sorted((nih_sample / "images").iterdir())[:40]:
        shutil.copy(path, source / "images")
    prepare(source, tmp_path / "data", size=200, split="random", workers=1)
    store = Dataset.load(tmp_path / "data").store
    thumbnails = Thumbnails(store)
    for row in (0, 39):
        uri = thumbnails.uri(store.image_ids[row])
        with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "L", (SIDE, SIDE))
            shown = np.asarray(image).astype(float)
        assert np.abs(shown - shrink(store.pixels[row], (SIDE, SIDE))).mean() < 3
        assert len(uri) < 12_000
    assert thumbnails.uri("elsewhere.png") == ""


def test_the_first_remarks_of_a_check_are_shown_and_the_others_counted() -> None:
    rows = [["rotated", f"{n}.png", "", 0.5, ""] for n in range(SHOWN + 3)] + [["blank", "b.png", "c.png", None, "x"]]
    table = pd.DataFrame(rows, columns=["check", "image_id", "other", "value", "detail"])
    blank, rotated = grouped_remarks(table, lambda name: f"data:{name}")
    assert (blank.check, blank.count, blank.images, blank.more) == ("blank", "1", "2", 0)
    assert blank.remarks[0].pictures == [("b.png", "data:b.png"), ("c.png", "data:c.png")]
    assert blank.remarks[0].value == ""
    assert (rotated.count, rotated.more, len(rotated.remarks)) == (str(SHOWN + 3), 3, SHOWN)
    assert rotated.remarks[0].pictures == [("0.png", "data:0.png")]
    assert rotated.remarks[0].value == "0.5"


def test_no_list_of_remarks_is_not_the_same_as_an_empty_one(dataset_copy: Path) -> None:
    (dataset_copy / "quality.csv").write_text("check,image_id,other,value,detail\n")
    assert "Every check passed" in Page(build_data_report(dataset_copy, draws=2)).text
    (dataset_copy / "quality.csv").unlink()
    assert read_remarks(dataset_copy) is None
    assert "prepared without quality control" in Page(build_data_report(dataset_copy, draws=2)).text


@pytest.mark.parametrize(
    "text", ["", "check,image_id\nblank,a.png\n", "check,image_id,other,value,detail\nage,a.png,,old,x\n"]
)
def test_a_damaged_list_of_remarks_is_a_clear_error(dataset_copy: Path, text: str) -> None:
    (dataset_copy / "quality.csv").write_text(text)
    before = (dataset_copy / "report.html").read_bytes()
    with pytest.raises(DataError, match=r"quality\.csv"):
        build_data_report(dataset_copy)
    assert (dataset_copy / "report.html").read_bytes() == before


def test_a_missing_list_of_rejects_is_a_clear_error(dataset_copy: Path) -> None:
    (dataset_copy / "rejects.csv").unlink()
    with pytest.raises(DataError, match=r"rejects\.csv"):
        build_data_report(dataset_copy)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_data_set_of_one_split_has_a_page_too(dataset_copy: Path, split: str) -> None:
    cohort = Cohort.load(dataset_copy / "cohort.parquet").select(split)
    bare = cohort.table.assign(age=np.nan, sex="", view="")
    Cohort(bare, cohort.label_space).save(dataset_copy / "cohort.parquet")
    found = Page(build_data_report(dataset_copy, draws=2))
    assert "fig-shift" not in found.ids()
    assert "#shift" not in found.source
    assert found.misplaced == []


def test_an_empty_cohort_is_a_clear_error(dataset_copy: Path) -> None:
    cohort = Cohort.load(dataset_copy / "cohort.parquet")
    Cohort(cohort.table.head(0), cohort.label_space).save(dataset_copy / "cohort.parquet")
    with pytest.raises(DataError, match="no image"):
        build_data_report(dataset_copy)


def test_the_command_draws_the_page_and_says_where(
    dataset_copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"
    assert main(["data", "report", str(dataset_copy), "--out", str(out), "--draws", "5", "--samples", "2"]) == 0
    assert capsys.readouterr().out == f"Report: {out}\n"
    assert Page(out).misplaced == []
    assert main(["data", "report", str(tmp_path / "nowhere")]) == 1
    assert "is no data set" in capsys.readouterr().err
