"""What reads files of others, and a small sound file for each: for `scripts/fuzz.py` and `tests/test_hostile_files.py`."""

from __future__ import annotations

import io
import json
import struct
import tempfile
import wave
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from characterization.devices.tables import read_tables
from characterization.plan.file import load_plan_file
from characterization.ramp_model import RampModel
from cosim.network import Network
from cosim.network.importers.reading import read_stored
from cosim.report.registry import load_study
from cosim.report.settings import load_settings
from cosim.tasks.own.load import load_own
from cosim.tasks.speech.audio import read_wav
from netlists.files import with_checksums
from netlists.function.table import load_table
from netlists.outside import BlockFile, ComparatorMacro, UserSubcircuit, load_user_subcircuit, read_outside_deck
from netlists.technology import load_profile

ROOT = Path(__file__).resolve().parents[1]
DECK = (
    b"a divider\n.param r=1k\nv1 in 0 sin(0 1 1meg)\nr1 in out {r*2}\nc1 out 0 1p\n.subckt s a b\n"
    b"r a b 1k\n.ends\nx1 out 0 s\n.tran 1n 1u\n.meas tran m max v(out)\n.control\nrun\nprint m\n"
    b".endc\n.end\n"
)
BLOCK = (
    b"* mine\n.subckt mine inp inn out com gain=1k\nb1 out com v='tanh(gain*(v(inp)-v(inn)))'\n"
    b".model d d(is=1e-14)\nd1 out com d\n.ends mine\n"
)
PLAN = (
    b'[ramp]\nactivation = "sigmoid"\nbits = 3\n[sampling]\nseed = 1\nsamples = 64\n'
    b'[variation.opamp_offset]\nsigma = 1e-3\n[sweep]\n"ramp.bits" = [3, 4]\n'
)
DEVICES = b"target_uS,measured_uS,cell\n100,101.5,1\n200,199,2\n300,303,1\n"


@dataclass(frozen=True)
class Loader:
    """One door: a file's ending, sound files, what reads a file, and how bytes become one."""

    suffix: str
    seeds: tuple[bytes, ...]
    load: Callable[[Path], Any]
    make: Callable[[bytes], bytes] = lambda data: data


def packed(**arrays: Any) -> bytes:
    """An ``.npz`` archive."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(value) for name, value in arrays.items()})
    return buffer.getvalue()


def network() -> bytes:
    """A network file."""
    from cosim.network import LSTMNetwork

    with tempfile.TemporaryDirectory() as folder:
        return LSTMNetwork(np.ones((6, 8)), np.ones((3, 4))).save(Path(folder, "n.npz")).read_bytes()


def block() -> bytes:
    """A block file without checksums."""
    text = ".subckt mine inp inn out com\nb1 out com v=tanh(v(inp)-v(inn))\n.ends\n"
    own = UserSubcircuit("mine", text, ("inp", "inn", "out", "com"), ())
    macro = ComparatorMacro(20.0, 2e-9, 0.9, (0.4, 0.9), (1e-3, 2e-3))
    file = BlockFile("comparator", own, macro, {"comparator_offset": 4e-3}, {"offset": 1e-3}, {"v_dd": 1.8}, {}, {"seed": 1})
    with tempfile.TemporaryDirectory() as folder:
        fields = json.loads(file.save(Path(folder, "b.json")).read_text())
    del fields["checksums"]
    return json.dumps(fields).encode()


def sound() -> bytes:
    """A WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as w:
        w.setparams((1, 2, 16000, 0, "NONE", ""))
        w.writeframes(bytes(64))
    return buffer.getvalue()


def torch_file() -> bytes:
    """What PyTorch writes of one LSTM, made by hand."""
    names = {
        "weight_ih_l0": (8, 3),
        "weight_hh_l0": (8, 2),
        "bias_ih_l0": (8,),
        "bias_hh_l0": (8,),
        "fc.weight": (3, 2),
        "fc.bias": (3,),
    }
    body, storages = b"\x80\x02}(", {}
    for key, (name, shape) in enumerate(names.items()):
        stride = (shape[1], 1) if len(shape) == 2 else (1,)
        n = int(np.prod(shape))
        storages[str(key)] = np.ones(n, "<f4").tobytes()

        def text(s: str) -> bytes:
            return b"X" + struct.pack("<I", len(s)) + s.encode()

        def numbers(values: tuple[int, ...]) -> bytes:
            return b"(" + b"".join(b"K" + bytes([v]) for v in values) + b"t"

        pid = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu") + b"K" + bytes([n]) + b"tQ"
        body += (
            text(name if "." in name else f"lstm.{name}")
            + b"ctorch._utils\n_rebuild_tensor_v2\n("
            + pid
            + b"K\x00"
            + numbers(shape)
            + numbers(stride)
        )
        body += b"\x89}tR"
    body += b"u."
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", body)
        for key, data in storages.items():
            archive.writestr(f"a/data/{key}", data)
    return buffer.getvalue()


def with_sums(data: bytes) -> bytes:
    """A JSON file whose checksums fit its fields, as an attacker writes it."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return data
    return json.dumps(with_checksums(fields)).encode() if isinstance(fields, dict) else data


def rezipped(data: bytes) -> bytes:
    """An archive whose members were changed, each with its right CRC: zip's own would refuse nearly every change.

    The bytes are a sound archive, then ``#`` and changes: member, place, new byte.
    """
    sound, _, changes = data.rpartition(b"#")
    try:
        with zipfile.ZipFile(io.BytesIO(sound)) as archive:
            members = {e.filename: bytearray(archive.read(e)) for e in archive.infolist() if e.file_size < 1 << 20}
    except Exception:
        return data
    names = list(members)
    for at in range(0, len(changes) - 3, 4):
        member = members[names[changes[at] % len(names)]] if names else bytearray()
        if member:
            member[(changes[at + 1] * 256 + changes[at + 2]) % len(member)] = changes[at + 3]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, bytes(member))
    return buffer.getvalue()


def changed(*seeds: bytes) -> tuple[bytes, ...]:
    """Archives with no changes behind them."""
    return tuple(seed + b"#" for seed in seeds)


def model_seed() -> bytes:
    """A ramp model without checksums."""
    fields = json.loads((ROOT / "results/demo/models/sigmoid3.json").read_text())
    del fields["checksums"]
    return json.dumps(fields).encode()


def loaders() -> dict[str, Loader]:
    """All doors, by name."""
    data = packed(train_inputs=np.ones((4, 2, 3)), train_labels=[0, 1, 0, 1], test_inputs=np.ones((2, 2, 3)), test_labels=[0, 1])
    arrays = packed(
        **{
            "weight_ih_l0": np.ones((8, 3)),
            "weight_hh_l0": np.ones((8, 2)),
            "bias_ih_l0": np.ones(8),
            "bias_hh_l0": np.ones(8),
            "fc.weight": np.ones((3, 2)),
            "fc.bias": np.ones(3),
        }
    )
    profile = (ROOT / "netlists/technology/profiles/taox-100-400.toml").read_bytes()
    header = json.dumps(
        {
            "weight_ih_l0": {"dtype": "F32", "shape": [8, 3], "data_offsets": [0, 96]},
            "weight_hh_l0": {"dtype": "F32", "shape": [8, 2], "data_offsets": [96, 160]},
            "fc.weight": {"dtype": "F32", "shape": [3, 2], "data_offsets": [160, 184]},
        }
    ).encode()
    tensors = struct.pack("<Q", len(header)) + header + bytes(184)
    return {
        "deck": Loader(".cir", (DECK,), read_outside_deck),
        "subcircuit": Loader(".cir", (BLOCK,), lambda p: load_user_subcircuit(f"{p}:mine", "comparator")),
        "profile": Loader(".toml", (profile,), load_profile),
        "plan": Loader(".toml", (PLAN,), load_plan_file),
        "settings": Loader(".toml", (b"seed = 3\n",), lambda p: load_settings(load_study("demo").settings, p)),
        "model": Loader(".json", (model_seed(),), RampModel.load, with_sums),
        "block": Loader(".json", (block(),), BlockFile.load, with_sums),
        "network": Loader(".npz", changed(network()), Network.load, rezipped),
        "data": Loader(".npz", changed(data), load_own, rezipped),
        "archive": Loader(".npz", (data, network()), load_own),
        "import-npz": Loader(".npz", changed(arrays), read_stored, rezipped),
        "import-torch": Loader(".pt", changed(torch_file()), read_stored, rezipped),
        "import-safetensors": Loader(".safetensors", (tensors,), read_stored),
        "import-msgpack": Loader(".msgpack", (b"\x81\xa1a\xc7\x0d\x01\x93\x91\x01\xa3<f4\xc4\x04\0\0\0\0",), read_stored),
        "wav": Loader(".wav", (sound(),), lambda p: (read_wav(p, 16000), read_wav(p.read_bytes(), 16000))),
        "manifest": Loader(".csv", (b"file,label,split\na.wav,one,train\n",), load_own),
        "table": Loader(".csv", (b"x,y\n-2,0\n-1,0.1\n0,0.5\n1,0.9\n2,1\n",), load_table),
        "devices": Loader(".csv", (DEVICES, b"voltage_V,current_A\n0.1,1e-5\n0.2,2e-5\n"), lambda p: read_tables([p])),
    }
