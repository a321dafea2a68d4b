"""ChestXrayDataset straight from image files: what the store would hold, without one."""

from __future__ import annotations

import gzip
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from chestxpert import ChestXrayDataset
from chestxpert.dataset import prepare
from chestxpert.errors import ChestXpertError, DataError, LabelError, UsageError
from chestxpert.imbalance import masked_bce
from chestxpert.labels import CXRLT20, NIH15


def assert_equal_samples(one: ChestXrayDataset, other: ChestXrayDataset) -> None:
    assert len(one) == len(other) > 0
    for (image, target, image_id), (expected, wanted, name) in zip(one, other, strict=True):
        assert image_id == name
        assert torch.equal(image, expected)
        assert torch.equal(target, wanted)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_an_nih_folder_gives_what_preparing_it_gives(room: SimpleNamespace, split: str, tmp_path: Path) -> None:
    files = ChestXrayDataset.from_files(room.source, split=split, size=32)
    stored = ChestXrayDataset(room.data, split)
    assert_equal_samples(files, stored)
    assert files.patient_ids.tolist() == stored.patient_ids.tolist()
    assert files.rejects == ()
    prepare(room.source, tmp_path / "other", size=24, seed=4, val_fraction=0.4, workers=1)
    other = ChestXrayDataset.from_files(room.source, split=split, size=24, seed=4, val_fraction=0.4)
    assert_equal_samples(other, ChestXrayDataset(tmp_path / "other", split))


def test_what_an_nih_folder_lacks_is_listed(room: SimpleNamespace, tmp_path: Path) -> None:
    source = Path(shutil.copytree(room.source, tmp_path / "nih"))
    (source / "images" / "00000001_000.png").unlink()
    shutil.copy(source / "images" / "00000001_001.png", source / "images" / "stranger.png")
    samples = ChestXrayDataset.from_files(source)
    assert len(samples) == 119
    assert [(reject.image_id, reject.reason) for reject in samples.rejects] == [("00000001_000.png", "missing-image")]
    shutil.rmtree(source / "images")
    with pytest.raises(DataError, match="No row of the table"):
        ChestXrayDataset.from_files(source)


@pytest.mark.shared_data
def test_real_radiographs_come_out_as_the_store_has_them(nih_originals: Path, nih_tables: Path, tmp_path: Path) -> None:
    (tmp_path / "nih" / "images").mkdir(parents=True)
    for path in nih_originals.glob("*.png"):
        (tmp_path / "nih" / "images" / path.name).symlink_to(path)
    names = {image.name for image in nih_originals.glob("*.png")}
    header, *rows = gzip.decompress((nih_tables / "Data_Entry_2017_v2020.csv.gz").read_bytes()).decode().splitlines()
    ours = [row for row in rows if row.partition(",")[0] in names]
    (tmp_path / "nih" / "Data_Entry_2017_v2020.csv").write_text("\n".join([header, *ours]) + "\n")
    prepare(tmp_path / "nih", tmp_path / "data", size=64, split="random", workers=1)
    files = ChestXrayDataset.from_files(tmp_path / "nih", size=64)
    assert len(files) == 17
    stored = ChestXrayDataset(tmp_path / "data", None)
    for image, target, image_id in stored:
        place = files.image_ids.tolist().index(image_id)
        assert torch.equal(files[place][0], image)
        assert torch.equal(files[place][1], target)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images, one of them deep below."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.jpg", "deep/c.png")):
        Image.fromarray(np.full((20, 30), 80 * number, np.uint8)).save(tmp_path / "in" / name)
    return tmp_path / "in"


def table(folder: Path, text: str) -> Path:
    path = folder.parent / "table.csv"
    path.write_text(text)
    return path


def test_a_table_with_one_column_of_findings(folder: Path) -> None:
    path = table(folder, "id,findings,patient_id,split\nc.png,Mass|Hernia,7,val\na.png,No Finding,3,train\n")
    samples = ChestXrayDataset.from_files(path, folder, size=32)
    assert samples.image_ids.tolist() == ["c.png", "a.png"]
    assert samples.patient_ids.tolist() == ["7", "3"]
    assert [NIH15.labels[k] for k in np.flatnonzero(samples.targets[0])] == ["Hernia", "Mass"]
    image, _, _ = samples[0]
    assert image.shape == (1, 32, 32)
    assert image[0, 16, 16].item() == pytest.approx(160 / 255)
    assert image[0, 0, 0] == 0  # the bar above an image that is not square
    (only,) = ChestXrayDataset.from_files(path, folder, "val")
    assert only[2] == "c.png"
    with pytest.raises(DataError, match=r"'test'. The splits there are: train, val"):
        ChestXrayDataset.from_files(path, folder, "test")


def numbers(folder: Path, cells: str, space: object = NIH15) -> Path:
    labels = ",".join(reversed(space.labels))  # type: ignore[attr-defined]  # any order will do
    return table(folder, f"image_id,{labels}\na.png,{cells}\n")


def test_a_table_with_a_column_for_each_label_and_unknown_ones(folder: Path) -> None:
    # reversed: No Finding, Pneumothorax, Pneumonia, Pleural_Thickening, Nodule, ...
    path = numbers(folder, "0,1.0,-1,,-1.0,nan,0,0,0,0,0,0,0,0,1")
    samples = ChestXrayDataset.from_files(path, folder)
    assert samples.classes == NIH15.labels
    told = dict(zip(samples.classes, samples[0][1].tolist(), strict=True))
    assert [name for name, value in told.items() if value == 1] == ["Atelectasis", "Pneumothorax"]
    assert [name for name, value in told.items() if np.isnan(value)] == [
        "Mass", "Nodule", "Pleural_Thickening", "Pneumonia",
    ]  # fmt: skip
    assert torch.isfinite(samples.pos_weight()).all()
    with pytest.raises(DataError, match="which patient"):
        samples.patient_ids  # noqa: B018
    (batch,) = DataLoader(samples, batch_size=4)
    assert torch.equal(batch[1].isnan(), samples[0][1].isnan()[None])


def test_unknown_labels_weigh_nothing(folder: Path) -> None:
    header = ",".join(("image_id", *NIH15.labels))
    rest = ",".join("0" for _ in NIH15.labels[1:])
    path = table(folder, f"{header}\na.png,1,{rest}\nb.jpg,0,{rest}\nc.png,-1,{rest}\n")
    assert ChestXrayDataset.from_files(path, folder).pos_weight()[0] == 1.0  # one to one; as a negative it were 2


def test_unknown_labels_reach_no_gradient_through_the_masked_loss(folder: Path) -> None:
    targets = ChestXrayDataset.from_files(numbers(folder, "0,1,-1,,0,0,0,0,0,0,0,0,0,0,1"), folder)[0][1][None]
    logits = torch.zeros(1, 15, requires_grad=True)
    masked_bce(logits, targets, ~targets.isnan()).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad == 0, targets.isnan())
    assert torch.nn.functional.binary_cross_entropy_with_logits(logits, targets).isnan()


def test_labels_of_another_label_space(folder: Path) -> None:
    path = table(folder, "id,findings\na.png,Tortuous Aorta\n")
    samples = ChestXrayDataset.from_files(path, folder, labels="cxrlt20", target_type="findings")
    assert samples.classes == CXRLT20.findings
    with pytest.raises(LabelError, match=r"line 2: 'Tortuous Aorta'"):
        ChestXrayDataset.from_files(path, folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,findings\na.png,Mass\n", "no column 'image_id'"),
        ("id,Mass,Hernia\na.png,1,0\n", "nor one for Atelectasis"),
        ("id,findings\na.png,Mass\nz.png,Mass\n", r"1 of the images asked for .* z\.png"),
        ("id,findings\na.png,Mass\na.png,Mass\n", r"more than once, for example a\.png"),
        ("id,findings\na.png,Mass|No Finding\n", "line 2 says both"),
        ("id,findings\na.png,\n", "line 2 names no finding"),
        ("id,findings\na.png,Mass\n,Mass\n", "without an image id"),
        ("id,findings\na.png\n", "line 2 has fewer cells"),
        ("id,findings,split\na.png,Mass,dev\n", "line 2: the split"),
        ("id,findings\na.png,Mess\n", "Did you mean 'Mass'"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(folder: Path, text: str, words: str) -> None:
    with pytest.raises(ChestXpertError, match=words):
        ChestXrayDataset.from_files(table(folder, text), folder)


def test_a_label_that_is_no_label_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: a label is 1, 0, or -1 .* got '2'"):
        ChestXrayDataset.from_files(numbers(folder, "0,2,0,0,0,0,0,0,0,0,0,0,0,0,1"), folder)


def test_missing_folders_and_arguments_that_contradict(folder: Path, room: SimpleNamespace) -> None:
    path = table(folder, "id,findings\na.png,Mass\n")
    with pytest.raises(UsageError, match="`images` must name"):
        ChestXrayDataset.from_files(path)
    with pytest.raises(UsageError, match="Leave `images` out"):
        ChestXrayDataset.from_files(room.source, folder)
    with pytest.raises(DataError, match="There is no file"):
        ChestXrayDataset.from_files(folder / "none.csv", folder)
    with pytest.raises(DataError, match="There is no folder"):
        ChestXrayDataset.from_files(path, folder / "none")
    with pytest.raises(UsageError, match="image size"):
        ChestXrayDataset.from_files(path, folder, size=3)


def test_two_files_of_one_name_are_not_guessed_between(folder: Path) -> None:
    (folder / "other").mkdir()
    shutil.copy(folder / "deep" / "c.png", folder / "other")
    with pytest.raises(DataError, match=r"Several files .* called c\.png"):
        ChestXrayDataset.from_files(table(folder, "id,findings\nc.png,Mass\n"), folder)
    samples = ChestXrayDataset.from_files(table(folder, "id,findings\ndeep/c.png,Mass\n"), folder)
    assert samples[0][2] == "deep/c.png"  # a path says which


def test_a_file_that_is_damaged_is_named_when_it_is_read(folder: Path) -> None:
    samples = ChestXrayDataset.from_files(table(folder, "id,findings\na.png,Mass\nb.jpg,Mass\n"), folder)
    (folder / "b.jpg").write_text("no image")
    assert samples[0][2] == "a.png"
    with pytest.raises(DataError, match=r"b\.jpg cannot be decoded"):
        samples[1]
    (folder / "b.jpg").unlink()
    with pytest.raises(DataError, match=r"b\.jpg is not a file"):
        samples[1]


def test_it_can_be_pickled(room: SimpleNamespace) -> None:
    samples = ChestXrayDataset.from_files(room.source, split="val", size=32)
    assert_equal_samples(pickle.loads(pickle.dumps(samples)), samples)
