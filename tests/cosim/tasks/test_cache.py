import errno
import os
from pathlib import Path

import numpy as np
import pytest

from cosim.cli.app import run
from cosim.tasks import TASKS, CharacterTask, Provenance, SequenceSet, Task, cache, get_task, is_here, load_characters, load_task
from cosim.tasks.registry import TaskInfo
from netlists.errors import InputError, ToolkitError

ORIGIN = Provenance(source="made here", version="1", licence="none", sha256={"x": "0"}, items={"train": 4}, notes="toy")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def sequences(n, seed):
    rng = np.random.default_rng(seed)
    return SequenceSet(rng.standard_normal((n, 3, 2)).astype(np.float32), np.full(n, 3), rng.integers(0, 2, n))


def sequence_task(name="voices", seed=0):
    return Task(name, sequences(4, seed), sequences(3, 1), ("a", "b"), "accuracy", ORIGIN, validation=sequences(2, 2))


def character_task():
    return CharacterTask("sotu", "\nab", np.array([0, 1, 2]), np.array([1, 1]), np.array([2, 0]), ORIGIN)


def test_the_cache_is_where_the_environment_says(monkeypatch):
    monkeypatch.delenv("NLADC_COSIM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.cache_folder() == Path("/somewhere/nladc-cosim")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.cache_folder() == Path.home() / ".cache" / "nladc-cosim"
    monkeypatch.setenv("NLADC_COSIM_CACHE", "~/data")
    assert cache.cache_folder() == Path.home() / "data"


def test_what_is_stored_comes_back(folder):
    task = sequence_task()
    cache.store(task)
    back = load_task("voices")
    assert (back.classes, back.metric, back.provenance) == (task.classes, task.metric, task.provenance)
    for split, part in task.parts().items():
        for field in ("inputs", "lengths", "labels"):
            np.testing.assert_array_equal(getattr(back.parts()[split], field), getattr(part, field))
    cache.store(character_task())
    text = load_characters("sotu")
    assert text.decode(text.train) == "\nab"
    assert sorted(p.name for p in folder.iterdir()) == ["sotu", "voices"]


def test_a_task_that_is_not_here_says_how_to_get_it(folder):
    with pytest.raises(
        ToolkitError, match=r"task 'voices': its data is not in .*`get_task\('voices'\)` gets it \(takes 116 MB by apt-get"
    ):
        load_task("voices")
    assert not folder.exists()


@pytest.mark.parametrize("damage", ["cut", "changed", "no data", "no description", "half a description", "other format"])
def test_damage_is_named(folder, damage):
    entry = cache.store(sequence_task())
    data, description = entry / cache.DATA, entry / cache.DESCRIPTION
    if damage == "cut":
        data.write_bytes(data.read_bytes()[:-10])
    elif damage == "changed":
        raw = bytearray(data.read_bytes())
        raw[200] ^= 1
        data.write_bytes(raw)
    elif damage == "no data":
        data.unlink()
    elif damage == "no description":
        description.unlink()
    elif damage == "half a description":
        description.write_text(description.read_text()[:50])
    else:
        description.write_text(description.read_text().replace('"format": 1', '"format": 999'))
    pattern = {"cut": "SHA-256 is", "changed": "SHA-256 is", "other format": "another version"}.get(damage, "damaged")
    with pytest.raises(ToolkitError, match=rf"{pattern}.*`get_task\('voices', again=True\)` makes it anew"):
        load_task("voices")


def test_a_full_disk_leaves_what_was_there(folder, monkeypatch):
    cache.store(sequence_task(seed=0))

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache.np, "savez", full)
    with pytest.raises(ToolkitError, match=r"voices: cannot be written \(.*No space left on device.*\); free some space"):
        cache.store(sequence_task(seed=5))
    monkeypatch.undo()
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(folder))
    np.testing.assert_array_equal(load_task("voices").train.inputs, sequence_task(seed=0).train.inputs)
    assert [p.name for p in folder.iterdir()] == ["voices"]


def test_a_cache_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ToolkitError, match="the folder cannot be created"):
        cache.store(sequence_task())


def test_getting_builds_once_and_again_only_when_asked(folder, monkeypatch):
    built = []

    def build(source):
        built.append(source)
        return sequence_task(seed=len(built))

    monkeypatch.setitem(TASKS, "voices", TaskInfo("toy", "none", "nothing", build))
    assert not is_here("voices")
    first = get_task("voices")
    np.testing.assert_array_equal(get_task("voices").train.inputs, first.train.inputs)
    assert len(built) == 1
    get_task("voices", again=True)
    get_task("voices", Path("archive"))
    assert built == [None, None, Path("archive")]
    with pytest.raises(InputError, match="task 'digits': takes no source"):
        get_task("digits", Path("archive"))


def test_a_failing_build_leaves_nothing(folder, monkeypatch):
    def build(_):
        with cache.working_folder("voices") as scratch:
            (Path(scratch) / "half.deb").write_bytes(b"half")
            raise ToolkitError("the line was cut")

    monkeypatch.setitem(TASKS, "voices", TaskInfo("toy", "none", "nothing", build))
    with pytest.raises(ToolkitError, match="the line was cut"):
        get_task("voices")
    assert list(folder.iterdir()) == []
    assert not is_here("voices")


def test_the_commands_list_and_get(folder, capsys):
    assert run(["tasks"]) == 0
    text = capsys.readouterr().out
    assert "vowels" in text
    assert "ships with this toolkit" in text
    assert "get it: cosim tasks get ptb (takes your copy: --from FOLDER or NLADC_COSIM_PTB)" in text
    assert run(["tasks", "get", "digits"]) == 0
    assert "digits: 1347 train, 450 test; 8 x 8, 10 classes" in capsys.readouterr().out
    assert run(["tasks", "get", "nothing"]) == 2
    assert run(["tasks", "get", "ptb"]) == 1
    assert "error: task 'ptb': its data cannot be fetched" in capsys.readouterr().err
