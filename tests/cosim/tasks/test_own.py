"""Data of one's own: arrays, manifests, folders of recordings; what is refused, and that identity is a digest."""

import json
import struct
import wave

import numpy as np
import pytest

from cosim import Hardware, Task, TrainingSettings, compare, evaluate, train_task
from cosim.chip import PwmInputs
from cosim.cli.app import run
from cosim.network import Network
from cosim.tasks import OwnData, load_own, load_task, save_arrays
from cosim.tasks.speech.keywords import OFFICIAL, _version, assigned
from cosim.tasks.speech.sound import read_sound
from netlists.errors import InputError, ToolkitError

SETTINGS = TrainingSettings(n_hidden=3, epochs=2, schedule="constant")


def arrays(n=40, seed=1, scale=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n, 5, 2))
    return scale * x, np.where(x.sum(axis=(1, 2)) > 0, "above", "below")


def mine(scale=1.0, seed=1):
    return Task.from_arrays("mine", *arrays(30, seed + 1, scale), *arrays(60, seed, scale))


def wav(path, samples, rate=16000, channels=1, width=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as w:
        w.setparams((channels, width, rate, 0, "NONE", ""))
        values = np.repeat(np.clip(samples, -1, 1), channels)
        scale = 2 ** (8 * width - 1) - 1
        w.writeframes(b"".join(int(v * scale).to_bytes(4, "little", signed=True)[:width] for v in values))


def tone(frequency, rate=16000, seconds=0.1):
    return 0.4 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def folder(root, speakers=8):
    for k, label in enumerate(("hum", "beep")):
        for s in range(speakers):
            wav(root / label / f"s{s}_nohash_0.wav", tone(300 * (k + 1) + 5 * s))
    return root


def test_arrays_make_a_task_by_either_names(tmp_path):
    task = mine()
    assert task.classes == ("above", "below")
    saved = save_arrays(task, tmp_path / "mine.npz")
    x, y = arrays(60)
    xt, yt = arrays(30, 2)
    np.savez(tmp_path / "other.npz", x_train=x, y_train=y, x_test=xt, y_test=yt, name="mine")
    for path in (saved, tmp_path / "other.npz"):
        again = load_own(path)
        assert again.sha256 == task.sha256
        assert again.name == "mine"
        assert path.name in again.provenance.sha256
    np.savez(tmp_path / "bytes.npz", x_train=x, y_train=y.astype("S"), x_test=xt, y_test=yt.astype("S"))
    assert load_own(tmp_path / "bytes.npz").sha256 == task.sha256
    listed = Task.from_arrays("mine", [xt[0, :3], *xt[1:]], yt)
    assert listed.test.lengths.tolist() == [3] + [5] * 29
    with pytest.raises(InputError, match="every value must be finite"):
        Task.from_arrays("masked", np.ma.masked_greater(xt, 0), yt)
    np.savez(tmp_path / "test.npz", test_inputs=xt, test_labels=(yt == "above").astype(int))
    alone = load_task(str(tmp_path / "test.npz"))
    assert alone.train is None
    with pytest.raises(InputError, match="is a test set alone"):
        train_task(alone, seed=1, settings=SETTINGS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_test": None}, "lacks test_inputs"),
        ({"y_test": None}, "lacks test_labels"),
        ({"x_test": np.zeros((30, 10))}, r"x_test: has shape \(30, 10\), must be .*one feature is"),
        ({"x_test": np.zeros((30, 5, 3))}, "test has 3 features a step, train has 2"),
        ({"x_test": np.full((30, 5, 2), np.nan)}, "every value must be finite"),
        ({"extra": np.zeros(3)}, "unknown array 'extra'"),
        ({"y_train": np.array(["above"] * 60)}, "no training data of class 'below'"),
        ({"classes": np.array(["above"])}, "label 'below' is no class"),
        ({"y_train": np.zeros(60, int), "y_test": np.zeros(30, int)}, "all labels are '0'"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path, change, message):
    (x, y), (xt, yt) = arrays(60), arrays(30, 2)
    given = {"x_train": x, "y_train": y, "x_test": xt, "y_test": yt} | change
    np.savez(tmp_path / "mine.npz", **{k: v for k, v in given.items() if v is not None})
    with pytest.raises(InputError, match=rf"mine\.npz: .*{message}"):
        load_own(tmp_path / "mine.npz")


def test_a_folder_is_split_by_hash_or_by_speaker_and_accounts_for_every_file(tmp_path):
    root = folder(tmp_path / "sounds")
    (root / "hum/readme.txt").write_text("x")
    task = load_own(root, OwnData(split="speaker", test=0.4, validation=0.2))
    assert task.provenance.account == {"seen": 17, "taken": 16, "left, not a recording": 1}
    assert "no speaker on two sides" in task.provenance.notes
    counts = task.counts()
    assert all(n["hum"] == n["beep"] for n in counts.values())
    assert sum(sum(n.values()) for n in counts.values()) == 16
    # More data moves nobody to another side.
    grown = load_own(folder(root, 12), OwnData(split="speaker", test=0.4, validation=0.2)).counts()
    assert all(grown[s][c] >= counts[s][c] for s in counts for c in counts[s])
    with pytest.raises(InputError, match="finds no speaker in"):
        load_own(root, OwnData(split="speaker", speaker_pattern="(x+)$"))
    with pytest.raises(InputError, match="no list, folder or column says"):
        load_own(root, OwnData(split="given"))


def test_a_manifest_names_files_labels_and_splits(tmp_path):
    lines = ["path,class,subset"]
    for i in range(6):
        np.save(tmp_path / f"{i}.npy", np.random.default_rng(i).normal(0, 1, (4 + i, 2)))
        lines.append(f"{i}.npy,{'ab'[i % 2]},{'test' if i > 3 else 'train'}")
    manifest = tmp_path / "m.csv"
    manifest.write_text("\n".join(lines))
    task = load_task(str(manifest))
    assert task.counts() == {"train": {"a": 2, "b": 2}, "test": {"a": 1, "b": 1}}
    assert task.test.lengths.tolist() == [8, 9]
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "sub/6.npy", np.zeros((4, 2)))
    manifest.write_text("\n".join([*lines, r"sub\6.npy,a,train"]).replace(",", ";"), encoding="utf-8-sig")
    assert load_own(manifest).counts()["train"] == {"a": 3, "b": 2}
    manifest.write_text("\n".join([*lines, "7.npy,a,test"]))
    with pytest.raises(InputError, match=r"line 8: 7\.npy is not there"):
        load_own(manifest)
    manifest.write_text("\n".join([*lines, "1.npy,a,test"]))
    with pytest.raises(InputError, match=r"names 1\.npy twice"):
        load_own(manifest)
    for names in ("file,label,label", "file,Path,label"):
        manifest.write_text("\n".join([names, *(f"{line}" for line in lines[1:])]))
        with pytest.raises(InputError, match="two columns are called"):
            load_own(manifest)


def test_lists_that_leave_a_choice_are_named(tmp_path):
    root = folder(tmp_path / "sounds")
    (root / "validation_list.txt").write_text("hum/s0_nohash_0.wav\n")
    with pytest.raises(InputError, match=r"has validation_list\.txt and no testing_list\.txt"):
        load_own(root)
    (root / "testing_list.txt").write_text("hum/s0_nohash_0.wav\nbeep/s1_nohash_0.wav\n")
    with pytest.raises(InputError, match=r"hum/s0_nohash_0\.wav is in validation_list\.txt and in testing_list\.txt"):
        load_own(root)


def test_what_is_odd_about_recordings_is_counted(tmp_path):
    root = folder(tmp_path / "sounds")
    (root / "testing_list.txt").write_text("hum/s0_nohash_0.wav\nbeep/s0_nohash_0.wav\n")
    plain = load_own(root).provenance.notes
    assert "louder" not in plain
    assert "to the byte" not in plain
    (root / "hum/s0_nohash_0.wav").write_bytes((root / "hum/s1_nohash_0.wav").read_bytes())
    loud = struct.pack("<HHIIHH", 3, 1, 16000, 64000, 4, 32)
    (root / "beep/s1_nohash_0.wav").write_bytes(riff((b"fmt ", loud), (b"data", (2000 * tone(600)).astype("<f4").tobytes())))
    notes = load_own(root).provenance.notes
    assert "1 files that test are the same as one that trains, to the byte" in notes
    assert "1 louder than full scale" in notes


@pytest.mark.parametrize("tag", [6, 7, 17], ids=["A-law", "mu-law", "ADPCM"])
def test_compressed_wav_files_go_to_soundfile_or_name_it(tmp_path, monkeypatch, tag):
    import sys

    monkeypatch.setitem(sys.modules, "soundfile", None)
    form = struct.pack("<HHIIHH", tag, 1, 8000, 8000, 1, 8)
    (tmp_path / "a.wav").write_bytes(riff((b"fmt ", form), (b"data", b"\xff" * 80)))
    with pytest.raises(ToolkitError, match="not a WAV file of plain samples; FLAC and others need the package soundfile"):
        read_sound(tmp_path / "a.wav")


@pytest.mark.parametrize(("rate", "channels", "width"), [(16000, 1, 2), (44100, 2, 2), (16000, 1, 3), (8000, 2, 4), (16000, 1, 1)])
def test_sounds_of_any_rate_channels_and_width(tmp_path, rate, channels, width):
    if width == 1:
        with wave.open(str(tmp_path / "a.wav"), "wb") as w:
            w.setparams((1, 1, rate, 0, "NONE", ""))
            w.writeframes(np.rint(tone(440, rate) * 128 + 128).astype(np.uint8).tobytes())
    else:
        wav(tmp_path / "a.wav", tone(440, rate), rate, channels, width)
    samples, found = read_sound(tmp_path / "a.wav")
    assert found == rate
    np.testing.assert_allclose(samples, tone(440, rate), atol=2 ** (2.0 - 8 * width) + 1e-6)


def riff(*chunks, size=None):
    body = b"WAVE" + b"".join(n + struct.pack("<I", len(d)) + d for n, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def test_wav_files_of_other_programs(tmp_path):
    sound = (tone(440) * 32767).astype("<i2").tobytes()
    plain = struct.pack("<HHIIHH", 1, 1, 16000, 32000, 2, 16)
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    extensible = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 16000, 32000, 2, 16, 22, 16, 4) + guid
    expected = read_sound(riff((b"fmt ", plain), (b"data", sound)))[0]
    streamed = bytearray(riff((b"fmt ", plain), (b"data", sound)))
    streamed[40:44] = b"\xff" * 4
    for content in (
        riff((b"fmt ", extensible), (b"data", sound)),
        riff((b"fmt ", plain), (b"data", sound), (b"LIST", b"INFO")),
        riff((b"LIST", b"INFOx\0"), (b"fmt ", plain), (b"data", sound)),
        bytes(streamed),
    ):
        np.testing.assert_array_equal(read_sound(content)[0], expected)
    odd = b"LIST" + struct.pack("<I", 5) + b"INFOx\0"
    body = b"WAVE" + odd + b"fmt " + struct.pack("<I", 16) + plain + b"data" + struct.pack("<I", len(sound)) + sound
    np.testing.assert_array_equal(read_sound(b"RIFF" + struct.pack("<I", len(body)) + body)[0], expected)
    wrong = {
        "is empty": b"",
        "has no samples": riff((b"fmt ", plain), (b"data", b"")),
        "is cut off": riff((b"fmt ", plain), (b"data", sound))[:900],
        "not a readable WAV file": riff((b"fmt ", b"\xff" * 16), (b"data", sound)),
    }
    for words, content in wrong.items():
        with pytest.raises(InputError, match=f"a.wav: {words}"):
            read_sound(content, "a.wav")


def test_other_data_of_the_same_name_is_refused(tmp_path):
    first, other = mine(), mine(seed=5)
    assert first.sha256 != other.sha256
    network = train_task(first, seed=1, settings=SETTINGS, checkpoint=tmp_path / "c.npz")
    with pytest.raises(InputError, match="data_sha256="):
        train_task(other, seed=1, settings=TrainingSettings(n_hidden=3, epochs=3, schedule="constant"),
                   checkpoint=tmp_path / "c.npz", resume=True)  # fmt: skip
    again = Network.load(network.save(tmp_path / "n.npz"))
    assert compare(again, first, Hardware(bits=4)).data_sha256 == first.sha256
    with pytest.raises(InputError, match="trained on other data of this name"):
        compare(again, other, Hardware(bits=4))
    # Another network to start from makes another training.
    start = train_task(first, seed=2, settings=SETTINGS)
    train_task(first, seed=1, settings=SETTINGS, start=start, checkpoint=tmp_path / "s.npz")
    with pytest.raises(InputError, match="start_sha256="):
        train_task(first, seed=1, settings=SETTINGS, start=network, checkpoint=tmp_path / "s.npz", resume=True)


def test_inputs_beyond_the_pulses_are_counted_and_auto_fits_them():
    task = mine(scale=100.0)
    network = train_task(task, seed=1, settings=TrainingSettings(n_hidden=6, epochs=8, standardize=True))
    assert compare(network, task, Hardware(pwm=PwmInputs(8))).saturation.share < 0.01
    plain = Network(network.layers, network.readout)
    clipped = compare(plain, task, Hardware(pwm=PwmInputs(8)))
    assert clipped.saturation.share == pytest.approx(np.mean(np.abs(task.test.inputs) > 4))
    assert "are beyond it and clipped" in clipped.warnings[0]
    assert clipped.saturation.lost < 0.01
    small = compare(plain, mine(scale=1e-3), Hardware(pwm=PwmInputs(8)))
    assert small.saturation.lost == pytest.approx(np.mean(np.abs(mine(scale=1e-3).test.inputs) < 2 / 127))
    assert "100 % of the inputs that are not 0 are less than half a step of it and take no pulse" in small.warnings[0]
    fitted = compare(plain, task, Hardware(pwm=PwmInputs(8, input_range=None)))
    assert fitted.saturation.input_range == np.abs(task.train.inputs).max()
    with pytest.raises(InputError, match="input_range=None"):
        evaluate(plain, task.test, Hardware(pwm=PwmInputs(8, input_range=None)))


def test_a_class_that_is_never_answered_shows():
    x, _ = arrays(50)
    labels = np.array([0] * 45 + [1] * 5)
    task = Task.from_arrays("rare", x, labels, x, labels, classes=("normal", "fault"))
    network = train_task(task, seed=1, settings=TrainingSettings(n_hidden=2, epochs=1, learning_rate=1e-6))
    found = compare(Network(network.layers, np.vstack([0 * network.readout[:-1], [1.0, 0.0]])), task, Hardware(bits=4))
    assert found.float_.value == 0.9
    assert found.figures["float"].balanced_accuracy == 0.5
    assert found.figures["chips"].confusion.tolist() == [[45, 0], [5, 0]]
    assert found.figures["float"].macro_f1 == pytest.approx((2 * 45 / 95) / 2)
    assert "never answers fault" in " ".join(found.warnings)
    json.dumps(found.as_dict(), allow_nan=False)


def test_the_commands_take_own_data(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_arrays(mine(), tmp_path / "mine.npz")
    train = ["train", "--data", "mine.npz", "--hidden", "3", "--epochs", "2", "--out", "net.npz", "--quiet"]
    assert run(train) == 0
    assert run(["evaluate", "--network", "net.npz", "--data", "mine.npz", "--bits", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.split("\n", 1)[1])["task"] == "mine"
    save_arrays(mine(seed=7), tmp_path / "mine.npz")
    for command in ("evaluate", "budget", "loop", "optimize"):
        assert run([command, "--network", "net.npz", "--data", "mine.npz"]) == 2
        assert "trained on other data of this name" in capsys.readouterr().err
    assert run(["evaluate", "--network", "net.npz", "--bits", "4"]) == 2
    assert "own data is named by its path, with --data" in capsys.readouterr().err
    assert run([*train[:1], "--task", "vowels", *train[1:]]) == 2
    assert run(["evaluate", "--network", "net.npz", "--data", "gone.npz"]) == 2
    assert "--data gone.npz: there is no such file" in capsys.readouterr().err
    assert run(["tasks", "make", str(folder(tmp_path / "sounds")), "--out", "made.npz"]) == 0
    assert "16 files seen, 16 taken" in capsys.readouterr().out


def test_official_lists_are_told_from_others():
    assert set(OFFICIAL["0.01"]) == {"validation", "test"}
    assert _version({"validation": ["yes/a_nohash_0.wav"], "test": ["no/b_nohash_0.wav"]}) is None
    # Names of the official lists of version 0.01.
    assert assigned("cat/2aa787cf_nohash_0.wav") == "test"
    assert assigned("cat/8b775397_nohash_0.wav") == "validation"
