import io
import json
import math
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netlists.errors import InputError, ToolkitError
from netlists.files import (
    check_place,
    make_folder,
    read_arrays,
    read_bytes,
    read_json,
    read_text,
    write_atomic,
    write_bytes,
    write_csv,
    write_json,
    write_text,
)


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


def test_what_is_no_file_is_neither_read_nor_replaced(tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")
    for path, kind in ((pipe, "a pipe"), (tmp_path, "a folder"), (Path("/dev/zero"), "a device")):
        with pytest.raises(InputError, match=rf"the model cannot be read \(it is {kind}\)$"):
            read_bytes(path, "model")
        with pytest.raises(ToolkitError, match=rf"cannot be written \(it is {kind}\)"):
            write_text(path, "x")
    assert pipe.is_fifo()


def test_text_of_other_encodings_is_named(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("caf\u00e9".encode("utf-8-sig"))
    assert read_text(path, "table") == "caf\u00e9"
    path.write_bytes("caf\u00e9".encode("utf-16"))
    with pytest.raises(InputError, match=r"a\.txt: not a valid table \(it is UTF-16 text: save it as UTF-8\)"):
        read_text(path, "table")
    path.write_bytes("caf\u00e9".encode("latin-1"))
    with pytest.raises(InputError, match="byte 0xe9 at 3 is not UTF-8 text"):
        read_text(path, "table")
    with pytest.raises(InputError, match="larger than 3 bytes, too large for a table"):
        read_text(path, "table", limit=3)


def _archive(path, header, data=b""):
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (1,)})
    raw = header or member.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", raw + data)


def test_archives_that_lie_or_explode_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros(100_000))
    assert read_arrays(path, "network")["x"].shape == (100_000,)
    with pytest.raises(InputError, match="its arrays would take 800128 bytes, more than the 10000 of a network"):
        read_arrays(path, "network", limit=10_000)
    for header in (b"\x93NUMPY\x01\x00\x10\x00" + b"{'descr': (((((\n", b"\x93NUMPY\x01\x00", b"no array", None):
        _archive(path, header)
        with pytest.raises(InputError, match=r"a\.npz: is not a network or is damaged"):
            read_arrays(path, "network")


def test_texts_of_a_table_are_no_formulas(tmp_path):
    table = pd.DataFrame({"=name": ["=1+1", "-3", "-", "@x", "v(a)"], "n": [-1, 2, 3, 4, 5], "x": [-0.5, None, 1, 2, 3]})
    write_csv(tmp_path / "t.csv", table, index=False)
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        "'=name,n,x", "'=1+1,-1,-0.5", "-3,2,", "-,3,1.0", "'@x,4,2.0", "v(a),5,3.0",
    ]  # fmt: skip


def test_a_link_to_nothing_is_not_replaced(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for write in (check_place, lambda path: write_bytes(path, b"x")):
        with pytest.raises(ToolkitError, match="link that leads nowhere"):
            write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()


def test_names_as_long_as_a_file_system_takes(tmp_path):
    path = tmp_path / ("x" * 255)
    assert write_bytes(path, b"x").read_bytes() == b"x"
    with pytest.raises(ToolkitError, match=r"cannot be written \(File name too long\)"):
        check_place(tmp_path / ("x" * 256))
