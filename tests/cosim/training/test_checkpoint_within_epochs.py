"""Trainings killed at batch boundaries, gone on with, against those that nothing interrupted; no clock has a say in it."""

import json
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

import cosim.training.epochs as epochs_module
import cosim.training.hardware_aware as hardware_aware_module
from cosim.chip.hardware import Arrays, Hardware
from cosim.chip.pulses import DeltaInputs, PwmInputs
from cosim.training import HardwareAware, TrainingSettings, fit_ramps, train_task
from cosim.training.checkpoint import SHA256, _sha256, is_due
from netlists.errors import InputError
from netlists.technology.profile import load_profile

from .test_checkpoint import AUGMENTED, REGULARISED, TEXT, TOY, Stopped

WIRED = Arrays(load_profile("taox-100-400"), r_row=5.0, r_col=5.0, max_rows=16, max_columns=16)
CHIPS = HardwareAware(Hardware(bits=4, threshold_noise=0.3, pwm=PwmInputs(bits=4), arrays=WIRED), weight_noise=0.02)
DELTA = HardwareAware(
    Hardware(bits=4, pwm=PwmInputs(bits=5), delta=DeltaInputs(0.3, 0.15), arrays=Arrays(load_profile("hfox-wan-1-40")))
)
PLAIN = TrainingSettings(n_hidden=5, n_embedding=4, epochs=2, batch=12, steps=4)
KINDS = {
    "sequences": (TOY, PLAIN, None),
    "sequences, all that draws": (TOY, replace(AUGMENTED, epochs=2, batch=12, bidirectional=True, warm_up=0.7), None),
    "sequences, Adam, float64": (TOY, replace(PLAIN, optimizer="adam", schedule="step", step_epochs=1, dtype="float64"), None),
    "sequences, a worse epoch": (TOY, replace(PLAIN, learning_rate=1.0, warm_up=1.5, schedule="constant", clip=100.0), None),
    "sequences, last epoch": (TOY, replace(PLAIN, validation_fraction=0.0, schedule="constant", standardize=True), None),
    "sequences on chips": (TOY, replace(PLAIN, preactivation_noise=0.1), CHIPS),
    "sequences, fixed point": (TOY, replace(PLAIN, fixed_point_bits=6, cell="gru"), None),
    "sequences, learned ramps": (TOY, replace(PLAIN, cell="vanilla"), HardwareAware(Hardware(bits=3))),
    "text": (TEXT, replace(REGULARISED, epochs=2, steps=5), None),
    "text, projection": (TEXT, replace(PLAIN, n_projection=3, n_embedding=2, optimizer="adam"), None),
    "text, sLSTM": (TEXT, replace(PLAIN, cell="slstm"), None),
    "text on chips": (TEXT, replace(PLAIN, n_hidden=3, layers=2, dropout=0.2), CHIPS),
    "text on chips, delta inputs": (TEXT, replace(PLAIN, n_hidden=3), DELTA),
}


@pytest.fixture(autouse=True)
def at_each_batch(monkeypatch):
    """Checkpoints after each batch, and solutions of wires that serve fewer steps than an epoch has."""
    monkeypatch.setattr(epochs_module, "is_due", lambda seconds, writing: True)
    monkeypatch.setattr(hardware_aware_module, "WIRES_HELD", 3)


def train(kind, path=None):
    """The training of a kind; it goes on from a checkpoint that is there."""
    task, settings, aware = KINDS[kind]
    start = None
    if kind.endswith("learned ramps"):
        start = fit_ramps(train_task(TOY, seed=1, settings=replace(settings, epochs=1)), TOY, 3)
    resume = path is not None and path.exists()
    return train_task(task, seed=3, settings=settings, hardware_aware=aware, start=start, checkpoint=path, resume=resume)


def killed_after(monkeypatch, kind, path, stores):
    """Whether the training was killed right after so many checkpoints; else it has come to its end."""
    real, numbers = epochs_module.save_checkpoint, count(1)

    def save(*arguments):
        real(*arguments)
        if next(numbers) == stores:
            raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(epochs_module, "save_checkpoint", save)
        try:
            return train(kind, path)
        except Stopped:
            return None


def differences(a, b):
    """Names of what differs in two trainings."""
    ours, theirs = a.arrays(), b.arrays()
    out = {n for n in {*ours, *theirs} - {"metadata"} if n not in ours or n not in theirs or not np.array_equal(ours[n], theirs[n])}
    return out | {n for n in ("epochs", "best_epoch") if getattr(a.metadata, n) != getattr(b.metadata, n)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stores", [1, 3])
def test_a_training_killed_again_and_again_ends_in_the_same_bits(tmp_path, monkeypatch, kind, stores):
    path, kills, end = tmp_path / "x.npz", 0, None
    while end is None:
        end = killed_after(monkeypatch, kind, path, stores)
        kills += end is None
    assert kills >= 2 * (4 + 1) // stores
    assert differences(end, train(kind)) == set()


def stopped_in_an_epoch(tmp_path, monkeypatch, kind):
    """A checkpoint of an epoch under way, the second, and what is in it."""
    path = tmp_path / "x.npz"
    batches = len(first_epoch(tmp_path, monkeypatch, kind)["epoch.losses"])
    assert killed_after(monkeypatch, kind, path, batches + 1 + 2) is None
    with np.load(path) as arrays:
        return path, dict(arrays)


def first_epoch(tmp_path, monkeypatch, kind):
    """What is in the last checkpoint before the end of the first epoch."""
    kept = {}

    def save(path, progress, adam, best, under_way=None):
        real(path, progress, adam, best, under_way)
        if under_way is None:
            raise Stopped
        with np.load(path) as arrays:
            kept.update(arrays)

    real = epochs_module.save_checkpoint
    with monkeypatch.context() as patched:
        patched.setattr(epochs_module, "save_checkpoint", save)
        with pytest.raises(Stopped):
            train(kind, tmp_path / "first.npz")
    return kept


def write(path, fields, checksum=True):
    fields = {name: a for name, a in fields.items() if name != SHA256} | ({} if checksum is False else {SHA256: fields[SHA256]})
    if checksum:
        fields[SHA256] = np.array(_sha256(fields))
    np.savez(path, **fields)


def changed(fields, **progress):
    return {**fields, "progress": np.array(json.dumps(json.loads(str(fields["progress"])) | progress))}


ANOTHER = dict(np.random.default_rng(99).bit_generator.state)
PIECES = {
    "weights": ("sequences", lambda f: {n: a * 0.99 for n, a in f.items() if n.startswith("parameters.")}),
    "first moment": ("sequences", lambda f: {n: a * 0 for n, a in f.items() if n.startswith("mean.")}),
    "second moment": ("sequences", lambda f: {n: a * 0 for n, a in f.items() if n.startswith("square.")}),
    "gradient steps": ("sequences", lambda f: changed(f, steps=0)),
    "best weights": ("sequences, a worse epoch", lambda f: {n: a * 0 for n, a in f.items() if n.startswith("best.")}),
    "log": ("sequences", lambda f: changed(f, epochs=[json.loads(str(f["progress"]))["epochs"][0] | {"loss": 9.0}])),
    "running loss": ("sequences", lambda f: {"epoch.losses": f["epoch.losses"] * [[2, 1, 1]]}),
    "batches done": ("sequences", lambda f: {"epoch.losses": f["epoch.losses"][:1]}),
    "shuffled order": ("sequences", lambda f: {"epoch.carried.course.order": np.sort(f["epoch.carried.course.order"])}),
    "generator": ("sequences, all that draws", lambda f: changed(f, generator=ANOTHER)),
    "chips' generator": ("sequences on chips", lambda f: changed(f, generator=ANOTHER)),
    "wires": ("sequences on chips", lambda f: {n: a**4 for n, a in f.items() if n.endswith(".arrives")}),
    "age of wires": ("text on chips", lambda f: {n: a * 0 + 3 for n, a in f.items() if n.endswith(".steps")}),
    "states": ("text", lambda f: {n: a * 0 for n, a in f.items() if n.endswith((".h", ".c"))}),
    "rows as driven": ("text on chips, delta inputs", lambda f: {n: a * 0 for n, a in f.items() if n.endswith(" held")}),
    "noise kept": ("text on chips, delta inputs", lambda f: {n: a * 0 for n, a in f.items() if n.endswith(" noise")}),
    "learned ramps": ("sequences, learned ramps", lambda f: {n: a * 0 for n, a in f.items() if n.startswith("mean.ramps.")}),
    "binary points": ("sequences, fixed point", lambda f: {n: a - 1 for n, a in f.items() if n.startswith("parameters.formats.")}),
}


@pytest.mark.parametrize("piece", PIECES)
def test_without_one_piece_the_bits_are_others(tmp_path, monkeypatch, piece):
    """Each piece of a checkpoint counts: with another one in its place, under a sound checksum, the comparison fails."""
    kind, planted = PIECES[piece]
    path, fields = stopped_in_an_epoch(tmp_path, monkeypatch, kind)
    sound = path.read_bytes()
    assert planted(fields)
    write(path, fields | planted(fields))
    assert differences(train(kind, path), train(kind))
    path.write_bytes(sound)
    assert not differences(train(kind, path), train(kind))


@pytest.mark.parametrize("kind", ["sequences on chips", "text on chips, delta inputs"])
def test_a_piece_that_is_missing_changed_or_of_another_shape_is_named(tmp_path, monkeypatch, kind):
    path, fields = stopped_in_an_epoch(tmp_path, monkeypatch, kind)
    for name in fields:
        if name == SHA256:
            continue
        write(path, {n: a for n, a in fields.items() if n != name})
        missing = "epoch.carried" if name == "epoch.losses" else name
        with pytest.raises(InputError, match=rf"x\.npz: field '{missing}.*' is (missing|unknown)"):
            train(kind, path)
        if name == "progress" or name.endswith(".arrives"):
            continue
        write(path, fields | {name: fields[name][None]})
        with pytest.raises(InputError, match=rf"x\.npz: {name}: has shape"):
            train(kind, path)
    name = next(n for n in fields if n.startswith("mean."))
    write(path, fields | {name: fields[name] + 1}, checksum=None)
    with pytest.raises(InputError, match=r"x\.npz: does not match its SHA-256: it is damaged or was edited"):
        train(kind, path)
    write(path, fields, checksum=False)
    with pytest.raises(InputError, match=r"x\.npz: field 'sha256' does not belong to schema 2"):
        train(kind, path)


def test_a_changed_byte_is_found_or_makes_no_difference(tmp_path, monkeypatch):
    path, _ = stopped_in_an_epoch(tmp_path, monkeypatch, "text")
    sound, end = path.read_bytes(), train("text")
    refused = 0
    for at in range(0, len(sound), len(sound) // 40):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 0x55]) + sound[at + 1 :])
        try:
            assert not differences(train("text", path), end)
        except InputError:
            refused += 1
    assert refused > 30


def test_a_checkpoint_of_another_training_is_named(tmp_path, monkeypatch):
    path, _ = stopped_in_an_epoch(tmp_path, monkeypatch, "text")
    task, settings, _ = KINDS["text"]
    for change, message in (
        ({"seed": 4}, "was trained with seed=3, now seed=4"),
        ({"settings": replace(settings, steps=6)}, "was trained with steps=5, now steps=6"),
        ({"settings": replace(settings, cell="gru")}, "field 'epoch.carried.course.0.0.c' is unknown"),
        ({"task": task.shortened(150, 100, 100)}, "was trained with data_sha256="),
    ):
        with pytest.raises(InputError, match=rf"x\.npz: {message}"):
            train_task(**({"task": task, "seed": 3, "settings": settings} | change), checkpoint=path, resume=True)


def test_a_checkpoint_of_schema_1_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    """As they were written before: at the end of an epoch, without a checksum."""
    monkeypatch.setattr(epochs_module, "is_due", lambda seconds, writing: False)
    path = tmp_path / "x.npz"
    assert killed_after(monkeypatch, "sequences", path, 1) is None
    with np.load(path) as arrays:
        fields = dict(arrays)
    assert not [n for n in fields if n.startswith("epoch.")]
    progress = json.loads(str(fields["progress"])) | {"schema_version": 1}
    del progress["threads"]
    write(path, fields | {"progress": np.array(json.dumps(progress))}, checksum=False)
    assert not differences(train("sequences", path), train("sequences"))


def test_a_resumed_training_has_the_threads_it_began_with(tmp_path, monkeypatch, capsys):
    task, settings, _ = KINDS["text"]
    path, _ = stopped_in_an_epoch(tmp_path, monkeypatch, "text")
    seen = []
    real = epochs_module.save_checkpoint

    def save(path, progress, adam, best, under_way=None):
        seen.append(progress.threads)
        real(path, progress, adam, best, under_way)

    monkeypatch.setattr(epochs_module, "save_checkpoint", save)
    resumed = train_task(task, seed=3, settings=settings, checkpoint=path, resume=True, threads=3)
    assert set(seen) == {1}
    assert not differences(resumed, train("text"))
    assert capsys.readouterr().err == "training: goes on with threads=1, as it began; 3 would change the last bits\n"


def test_writing_takes_its_share_of_the_time():
    assert [is_due(s, 0.1) for s in (0, 59, 60, 61)] == [False, False, True, True]
    assert [is_due(s, 4.0) for s in (60, 199, 200)] == [False, False, True]


def test_a_line_says_where_it_goes_on(tmp_path, monkeypatch, capsys):
    path, fields = stopped_in_an_epoch(tmp_path, monkeypatch, "sequences")
    task, settings, _ = KINDS["sequences"]
    train_task(task, seed=3, settings=settings, checkpoint=path, resume=True, progress=True)
    assert f"training: goes on after epoch 1 and {len(fields['epoch.losses'])} batches\n" in capsys.readouterr().err
