import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from chestxpert.errors import RunError
from chestxpert.files import begin_or_go_on, replace_when_whole, sweep_parts, write_json, write_text


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    with replace_when_whole(target) as aside:
        aside.write_text("half", encoding="utf-8")
        assert not target.exists()
        assert aside.parent == target.parent  # a rename across disks would be a copy
    assert target.read_text(encoding="utf-8") == "half"
    assert list(target.parent.iterdir()) == [target]


def fail_while_writing(target: Path) -> None:
    with replace_when_whole(target) as aside:
        aside.write_text("half of the new", encoding="utf-8")
        raise KeyboardInterrupt


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "old")
    with pytest.raises(KeyboardInterrupt):
        fail_while_writing(target)
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "old")
    code = """
        import os, signal, sys
        from pathlib import Path
        from chestxpert.files import replace_when_whole
        with replace_when_whole(Path(sys.argv[1])) as aside:
            aside.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(target)], check=False)
    assert ended.returncode != 0
    assert target.read_text(encoding="utf-8") == "old"


def test_json_is_strict_and_readable(tmp_path: Path) -> None:
    target = tmp_path / "file.json"
    write_json(target, {"b": 1, "a": [0.1, None, "Röntgen"]})
    text = target.read_text(encoding="utf-8")
    assert json.loads(text) == {"b": 1, "a": [0.1, None, "Röntgen"]}
    assert "Röntgen" in text
    assert text.endswith("\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(target, {"x": float("nan")})
    assert target.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_or_empty_folder_is_begun(tmp_path: Path) -> None:
    assert begin_or_go_on(tmp_path / "a" / "b", "marker", [], resume=False) is False
    assert begin_or_go_on(tmp_path / "a" / "b", "marker", [], resume=True) is False
    assert (tmp_path / "a" / "b").is_dir()


def test_a_marked_folder_is_gone_on_with_only_if_asked(tmp_path: Path) -> None:
    (tmp_path / "marker").touch()
    assert begin_or_go_on(tmp_path, "marker", [], resume=True) is True
    with pytest.raises(RunError, match="never overwritten"):
        begin_or_go_on(tmp_path, "marker", [], resume=False)


def test_a_beginning_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "first").touch()
    (tmp_path / ".marker.77.part").touch()
    assert begin_or_go_on(tmp_path, "marker", ["first"], resume=True) is False
    with pytest.raises(RunError, match="never overwritten"):
        begin_or_go_on(tmp_path, "marker", ["first"], resume=False)


def test_somebody_elses_folder_or_file_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    for out in (tmp_path, tmp_path / "thesis.doc"):
        with pytest.raises(RunError, match="nothing that could be resumed"):
            begin_or_go_on(out, "marker", ["first"], resume=True)


def test_what_a_dead_process_left_is_swept_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    living, dead = tmp_path / f".a.{os.getppid()}.part", tmp_path / "deep" / ".view-1.npy.99999999.part"
    mine, other = tmp_path / f".a.{os.getpid()}.part", tmp_path / "notes.part"
    for path in (living, dead, mine, other):
        path.touch()
    sweep_parts(tmp_path)
    assert [path.exists() for path in (living, dead, mine, other)] == [True, False, True, True]
