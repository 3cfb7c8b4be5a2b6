import json
import math

import pytest

from netlists.errors import InputError, ToolkitError
from netlists.files import make_folder, read_json, write_atomic, write_json


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write_json(tmp_path / "a.json", {"x": 1})

    def half(temporary):
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(ToolkitError, match=r"a\.json: cannot be written \(No space left on device\)"):
        write_atomic(path, half)
    assert json.loads(path.read_text()) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def stopped(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.json", stopped)
    assert list(tmp_path.iterdir()) == []


def test_json_is_strict(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": math.nan})
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below", "/proc/nothing/here"):
        with pytest.raises(ToolkitError, match=r"the folder cannot be created .*choose another folder"):
            make_folder(type(tmp_path)(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such model"),
        (b"{", "not a valid model"),
        (b"\xff\xfe\x00", "not a valid model"),
        (b"[" * 100_000, "not a valid model"),
    ],
)
def test_unreadable_json(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.json: {message}"):
        read_json(tmp_path / "a.json", "model")


def test_a_folder_in_the_place_of_a_file(tmp_path):
    with pytest.raises(InputError, match="the model cannot be read"):
        read_json(tmp_path, "model")
