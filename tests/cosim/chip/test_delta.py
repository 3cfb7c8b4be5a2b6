"""Rows that are driven only when they change: against a loop in plain NumPy, and against rows that are driven at every step."""

from dataclasses import replace

import numpy as np
import pytest

from cosim.chip import (
    Arrays,
    DeltaInputs,
    Hardware,
    Integrators,
    LinearAdc,
    PulseCount,
    PwmInputs,
    RowsDriven,
    mapped_pairs,
    matrix_places,
)
from cosim.cost import delta_saving, design_of, figure
from cosim.evaluation import compare, evaluate, evaluate_text
from cosim.network import Layer, LSTMNetwork, Network
from cosim.network.cells import GRU, Vanilla
from cosim.tasks import SequenceSet, Task
from netlists.errors import InputError
from netlists.technology import load_profile

N_IN, N, CLASSES = 3, 4, 3
PROFILE = load_profile("taox-100-400")
PWM = PwmInputs(bits=5, input_range=2.0)
EXACT = Hardware(bits=5, pwm=PWM)


@pytest.fixture
def net():
    rng = np.random.default_rng(1)
    return LSTMNetwork(rng.normal(0, 1, (N_IN + N + 1, 4 * N)), rng.normal(0, 1, (N + 1, CLASSES)))


@pytest.fixture
def data():
    rng = np.random.default_rng(2)
    # Slow inputs, sequences of different lengths.
    x = [np.cumsum(rng.normal(0, 0.15, (k, N_IN)), axis=0) for k in rng.integers(2, 12, 70)]
    return SequenceSet.from_list(x, rng.integers(0, CLASSES, len(x)))


def loop(net, data, threshold, state_threshold):
    """Scores, pulses that were driven and their sum by part, sequence by sequence, from the definition of a delta network."""
    w, bits = net.weights, 5

    def ramp(z, inverse, low, high):
        y = low + np.arange(1, 2**bits) * (high - low) / 2**bits
        steps = low + (np.arange(2**bits) + 0.5) * (high - low) / 2**bits
        return steps[np.sum(z[:, None] > inverse(y), axis=1)]

    def rounded(v, full):
        return np.clip(np.rint(v * 15 / full), -15, 15) * full / 15

    scores, driven, width = [], {"x": 0, "h": 0, "bias": 0}, {"x": 0.0, "h": 0.0, "bias": 0.0}
    for x, length in zip(data.inputs, data.lengths, strict=True):
        h, c, last = np.zeros(N), np.zeros(N), np.zeros(N_IN + N + 1)
        charge = np.zeros(4 * N)
        for t in range(length):
            now = np.concatenate([rounded(x[t], 2.0), rounded(h, 1.0), [1.0]])
            pulses = np.zeros(len(now))
            for i, value in enumerate(now):
                part = "x" if i < N_IN else "h" if i < N_IN + N else "bias"
                if abs(value - last[i]) > {"x": threshold, "h": state_threshold, "bias": 0.0}[part] + 1e-12:
                    pulses[i], last[i] = value - last[i], value
                    driven[part] += 1
                    width[part] += abs(pulses[i]) / (2.0 if part == "x" else 1.0)
            charge = charge + pulses @ w
            z = charge.reshape(4, N)
            i, f, o = (ramp(z[k], lambda y: np.log(y / (1 - y)), 0, 1) for k in (0, 1, 3))
            a = ramp(z[2], np.arctanh, -1, 1)
            c = f * c + i * a
            h = o * np.tanh(c)
        scores.append(h @ net.readout[:-1] + net.readout[-1])
    return np.array(scores), driven, width


@pytest.mark.parametrize("engine", ["numba", "numpy"])
@pytest.mark.parametrize(("x", "h"), [(0.0, 0.0), (0.3, 0.2)])
def test_scores_and_pulses_are_those_of_a_loop(net, data, engine, x, h):
    scores, driven, width = loop(net, data, x, h)
    count = PulseCount()
    hardware = replace(EXACT, delta=DeltaInputs(x, h))
    found = evaluate(net, data, hardware, engine=engine, dtype=np.float64, count=count)
    np.testing.assert_allclose(found.scores[0], scores, atol=1e-9)
    steps = int(data.lengths.sum())
    for part, rows in (("x", N_IN), ("h", N), ("bias", 1)):
        total, on, wide = count.tallies["0.0.weights", part]
        assert (total, on) == (rows * steps, driven[part])
        assert wide == pytest.approx(width[part])
    # One bias a sequence; and a threshold of 0.3 must not count as one of 0.
    assert driven["bias"] == len(data)
    if x:
        assert driven["x"] < 0.7 * loop(net, data, 0.0, 0.0)[1]["x"]


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_threshold_0_gives_the_bits_of_rows_that_are_driven_at_every_step(net, data, engine):
    arrays = Arrays(replace(PROFILE, read_sigma=0.0))
    # Rows that are driven at every step are summed in tiles, changed ones by BLAS, which on some processors sums in another order.
    same_order = np.array_equal(*(evaluate(net, data, Hardware(), 1, 3, engine=e).scores for e in (engine, "numpy")))
    for hardware in (Hardware(), Hardware(bits=4), EXACT, Hardware(bits=5, pwm=PWM, arrays=arrays)):
        always, changed = (
            evaluate(net, data, replace(hardware, delta=d), 1, 3, engine=engine).scores for d in (None, DeltaInputs(0.0))
        )
        np.testing.assert_allclose(always, changed, rtol=0, atol=0 if same_order else 1e-5)
    held = evaluate(net, data, replace(EXACT, delta=DeltaInputs(0.2)), engine=engine).scores
    assert np.abs(held - evaluate(net, data, EXACT, engine=engine).scores).max() > 1e-3


def test_both_directions_of_layers_start_anew(data):
    """A sequence gives the same alone as among others of other lengths, also read backwards."""
    rng, cell = np.random.default_rng(3), GRU(N_IN, N, reset="before")
    one = Layer(cell, *({m.name: rng.normal(0, 1, m.shape) for m in cell.matrices} for _ in range(2)))
    two = replace(cell, n_in=2 * N)
    net = Network((one, Layer(two, {m.name: rng.normal(0, 1, m.shape) for m in two.matrices})), rng.normal(0, 1, (N + 1, CLASSES)))
    hardware = Hardware(bits=5, pwm=PWM, delta=DeltaInputs(0.3, 0.2), arrays=Arrays(PROFILE))
    numbers = np.arange(len(data))
    together = evaluate(net, data, hardware, 1, 5, identities=numbers, dtype=np.float64).scores[0]
    for k in (int(np.argmin(data.lengths)), int(np.argmax(data.lengths))):
        alone = evaluate(net, data.select(np.array([k])), hardware, 1, 5, identities=numbers[k : k + 1], dtype=np.float64).scores[0]
        np.testing.assert_allclose(alone[0], together[k], atol=1e-12)


def test_read_noise_stays_in_charge_that_is_kept():
    """Noise of pulses adds up: its variance goes with the number of pulses that a row has been driven with."""
    cell, sequences = Vanilla(1, N, activation="identity"), 4000
    weights = np.zeros(cell.matrix("weights").shape)
    weights[0] = 1e-3
    net = Network((Layer(cell, {"weights": weights}),), np.vstack([np.eye(N), np.zeros((1, N))]))
    profile = replace(PROFILE.without_variation(), read_sigma=5e-6)
    always = Hardware(pwm=PwmInputs(None, input_range=1.0), arrays=Arrays(profile))

    def variance(x, hardware):
        data = SequenceSet(
            np.tile(np.array(x, float)[None, :, None], (sequences, 1, 1)), np.full(sequences, len(x)), np.zeros(sequences, int)
        )
        return evaluate(net, data, hardware, 1, 7, dtype=np.float64).scores[0].var(axis=0).mean()

    kept = replace(always, delta=DeltaInputs(0.0))
    row = variance([1], always) - variance([0], always)
    assert row > 0
    two, eight = (variance([1, 0] * n, kept) for n in (1, 4))
    assert (eight - two) / 6 == pytest.approx(row, rel=0.1)
    # Driven at every step, the charge of earlier steps is gone.
    assert variance([1, 0] * 4 + [1], always) - variance([0], always) == pytest.approx(row, rel=0.1)


def test_a_text_goes_on_with_what_its_rows_stand_for():
    rng = np.random.default_rng(4)
    lstm = LSTMNetwork(rng.normal(0, 1, (N_IN + N + 1, 4 * N)), rng.normal(0, 1, (N + 1, 5)))
    net = Network(lstm.layers, lstm.readout, embedding=rng.normal(0, 1, (5, N_IN)))
    hardware = replace(EXACT, delta=DeltaInputs(0.5, 0.3))
    symbols = rng.integers(0, 5, 90)
    # One piece of 89 symbols spans three chunks of steps.
    bits = evaluate_text(net, symbols, hardware, streams=1, dtype=np.float64).bits[0]
    whole = SequenceSet(net.embedding[symbols[None, :-1]], np.array([89]), np.zeros(1, int))
    scores = evaluate(Network(net.layers, net.readout), whole, hardware, dtype=np.float64).scores[0, 0]
    expected = np.log2(np.exp(scores).sum()) - scores[symbols[-1]] / np.log(2)
    assert bits[-1] == pytest.approx(expected, abs=1e-5)


def test_what_is_saved_is_priced_by_the_pulses(net, data):
    task = Task.from_arrays("slow", data.inputs, data.labels, classes=list("abc"), lengths={"test": data.lengths})
    found = compare(net, task, replace(EXACT, delta=DeltaInputs(0.3, 0.2)))
    rows = {(r["matrix"], r["part"]): r for r in found.as_dict()["delta"]}
    x = rows["0.0.weights", "x"]
    assert x["driven"] < x["driven_before"]
    assert "rows driven at a step" in found.report()
    saved = delta_saving(net, EXACT, found.delta)
    before, after = found.delta.before, found.delta.after
    share = [c.of("0.0.weights", delta=False) for c in (before, after)]
    assert saved.after["weight cells"] / saved.before["weight cells"] == pytest.approx(share[1].width / share[0].width)
    assert saved.after["row drivers"] / saved.before["row drivers"] == pytest.approx(share[1].driven / share[0].driven)
    assert saved.before["differences"] == 0 < saved.after["differences"]
    assert saved.after["all"] == pytest.approx(sum(v for n, v in saved.after.items() if n != "all"))
    # Without a threshold to skip by, differences only cost.
    same = delta_saving(net, EXACT, RowsDriven(before, before))
    assert same.after["all"] > same.before["all"]


def test_pulses_are_priced_on_the_arrays_that_there_are(net):
    """Rows of the bias that share it are driven each, and the cells are those of the hardware's own device."""
    profile = load_profile("yang-0-150").without_variation()
    count = PulseCount()
    for part, rows, full in (("x", N_IN, 2.0), ("h", N, 1.0), ("bias", 1, 1.0)):
        count.add("0.0.weights", part, np.full((rows, 2), full if part == "bias" else 0.25 * full), full)
    on = replace(EXACT, arrays=Arrays(profile, bias_rows=3))
    saved = delta_saving(net, on, RowsDriven(count, count))
    (at,) = matrix_places(net, PWM)
    pairs = mapped_pairs(at, on.arrays).conductance.reshape(-1, 2, 4 * N).sum(axis=1)
    mean = (0.25 * (N_IN + N) + 3) / (N_IN + N + 3)
    assert saved.before["weight cells"] == pytest.approx(0.04 * pairs.sum() * mean * 15 * 40e-9)
    assert saved.before["row drivers"] == pytest.approx((N_IN + N + 3) * figure("driver_energy").value)


def test_pulses_of_full_swings_are_not_cut():
    """An input that goes from one end of its range to the other drives its row twice as long as any value does."""
    count = PulseCount()
    count.add("0.0.weights", "x", np.full((3, 2), 8.0), 4.0)
    assert count.of("0.0.weights", delta=True).width == 2.0


def test_what_does_not_go_together_is_refused(net, data):
    with pytest.raises(InputError, match="delta: integrators that keep their charge"):
        Hardware(bits=5, arrays=Arrays(PROFILE), integrators=Integrators(), delta=DeltaInputs(0.1))
    with pytest.raises(InputError, match="threshold=-1"):
        DeltaInputs(-1.0)
    with pytest.raises(InputError, match="count: this hardware has no pulse widths"):
        evaluate(net, data, Hardware(bits=4), count=PulseCount())
    task = Task.from_arrays("slow", data.inputs, data.labels, classes=list("abc"), lengths={"test": data.lengths})
    assert any("give pwm" in w for w in compare(net, task, Hardware(bits=4, delta=DeltaInputs(0.1))).warnings)


def test_pulses_are_priced_on_the_converters_that_there_are(net):
    """A linear converter's energy is that of the conventional scheme; what the cost model has no converter for has no price."""
    driven = RowsDriven(PulseCount(), PulseCount())
    assert design_of(replace(EXACT, bits=None, adc=LinearAdc(5))).converter == "conventional"
    assert design_of(EXACT).converter == "ramp"
    with pytest.raises(InputError, match="bits=12: must be a whole number"):
        delta_saving(net, replace(EXACT, bits=None, adc=LinearAdc(12)), driven)
