"""Files that nobody wrote, at every door: each is read or refused by an `InputError`; `make fuzz` looks longer."""

import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from cosim.datasheet.figures import load_limits
from cosim.report.registry import load_study
from cosim.report.settings import load_settings
from netlists.errors import ToolkitError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from loaders import loaders, packed, rezipped, torch_file

sys.path.pop(0)
LOADERS = loaders()
WORDS = (
    b"", b"\x00", b"\xff" * 4, b"1e999", b"nan", b"-1", b"99999999999999999999", b"[" * 2000, b"{", b'"', b"\n.include /etc/x\n",
    b"(" * 300, b"=", b"\n", b"\x7f\xff\xff\xff", b"null", b"_" * 5000,
)  # fmt: skip


@st.composite
def damaged(draw, seeds):
    """A sound file with a few places changed."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        at, length = draw(st.integers(0, len(data))), draw(st.sampled_from((0, 1, 4, 40)))
        data = data[:at] + draw(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8))) + data[at + length :]
    return data


@pytest.mark.parametrize("name", LOADERS)
def test_a_file_is_read_or_refused(name):
    door = LOADERS[name]

    @settings(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(damaged(door.seeds))
    def check(data):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"mine{door.suffix}")
            path.write_bytes(door.make(data))
            with suppress(ToolkitError):
                door.load(path)

    try:
        check()
    except ImportError as e:
        pytest.skip(f"needs {e.name}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        # Each took a minute to ages: time grew with the square of the length, or doubled with each line.
        ("deck", "\n" * 300 + "v1 a b"),
        ("deck", "a\nr1 a b " + "+\n" * 400_000),
        ("deck", "subckt a\n" * 40_000),
        ("deck", "Version 4" + "\n" * 400_000),
        ("subcircuit", "\r" * 300 + "\x00"),
        ("subcircuit", "* a\n.subckt mine inp inn out com\n" + "+\n" * 400_000),
        ("devices", "target_uS,measured" + "_" * 400_000 + "\n1,2\n"),
    ],
)
def test_long_texts_are_read_in_linear_time(tmp_path, name, content):
    path = tmp_path / f"mine{LOADERS[name].suffix}"
    path.write_bytes(content.encode("latin-1"))
    before = time.process_time()
    with suppress(ToolkitError):
        LOADERS[name].load(path)
    # Processor time, and ten times what it takes: no matter of a busy machine.
    assert time.process_time() - before < 20


@pytest.mark.parametrize("name", ["deck", "subcircuit"])
def test_parentheses_nobody_wrote_are_refused(tmp_path, name):
    (path := tmp_path / "mine.cir").write_text(f"* a\n.subckt mine inp inn out com\nb1 out com v={'(' * 301}1{')' * 301}\n.ends\n")
    with pytest.raises(ToolkitError, match=r"line 3: .*more than 300"):
        LOADERS[name].load(path)
    path.write_text(path.read_text().replace("(" * 301, "(" * 300).replace(")" * 301, ")" * 300))
    LOADERS[name].load(path)


@pytest.mark.parametrize("value", ["[" * 100_000, "1" * 5000, "{a=" * 5000])
def test_toml_that_python_cannot_hold_is_refused_everywhere(tmp_path, value):
    (path := tmp_path / "mine.toml").write_text(f"[ramp]\nactivation = {value}")
    for name in ("profile", "plan", "settings"):
        with pytest.raises(ToolkitError, match=r"mine\.toml.*not valid TOML"):
            LOADERS[name].load(path)
    with pytest.raises(ToolkitError, match=r"mine\.toml.*not valid TOML"):
        load_limits(path, "comparator")
    with pytest.raises(ToolkitError, match="samples"):
        load_settings(load_study("demo").settings, None, [f"samples={value}"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("import-torch", rezipped(torch_file() + b"#").replace(b"PK\x03\x04", b"PK\x03\x05", 1)),
        ("import-torch", torch_file()[:-30]),
        ("data", b"PK\x05\x06" + bytes(18)),
        ("data", packed(train_inputs=[1.0]).replace(b"{'descr'", b"{'descr(", 1)),
        ("import-npz", b"PK\x03\x04 no archive"),
    ],
)
def test_damage_that_fuzzing_found(tmp_path, name, content):
    path = tmp_path / f"mine{LOADERS[name].suffix}"
    path.write_bytes(content)
    with pytest.raises(ToolkitError, match="mine"):
        LOADERS[name].load(path)


def test_a_small_torch_file_cannot_ask_for_much_memory(tmp_path):
    """Strides of 0 stand for any number of elements; the memo of a pickle for any number of entries."""
    path = tmp_path / "mine.pt"
    huge = torch_file().replace(b"K\x00(K\x08K\x03t(K\x03K\x01t", b"K\x00(J\xff\xff\xff\x7fK\x03t(K\x00K\x00t", 1)
    assert huge != torch_file()
    path.write_bytes(rezipped_raw(huge))
    with pytest.raises(ToolkitError, match="tensors would take more than"):
        LOADERS["import-torch"].load(path)
    memo = torch_file().replace(b"\x80\x02}(", b"\x80\x02}r\xff\xff\xff\x7f(", 1)
    path.write_bytes(rezipped_raw(memo))
    assert LOADERS["import-torch"].load(path).layers


def rezipped_raw(data):
    """A stored archive whose first member was changed in place, packed again."""
    import io
    import zipfile

    buffer = io.BytesIO()
    sound = zipfile.ZipFile(io.BytesIO(torch_file()))
    at = data.index(b"\x80\x02}")
    end = data.index(b"u.", at) + 2
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sound.namelist():
            archive.writestr(name, data[at:end] if name.endswith(".pkl") else sound.read(name))
    return buffer.getvalue()
