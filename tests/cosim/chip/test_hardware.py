"""What networks run on: every error source at zero and by itself, both engines, wires against the solver, bad hardware."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from characterization.ramp_model.draw import RampDraw
from characterization.ramp_model.model import RampModel
from cosim.chip.hardware import Arrays, Hardware, LinearAdc
from cosim.chip.pulses import PwmInputs
from cosim.evaluation import evaluator, ideal_hardware
from cosim.evaluation.evaluator import draw_chips
from cosim.network import Layer, LSTMNetwork, Network
from cosim.network.cells.gru import GRU
from cosim.network.cells.lstm import LSTM
from cosim.network.cells.slstm import SLSTM
from cosim.tasks import SequenceSet
from netlists.array.crossbar import Crossbar
from netlists.array.pairs import weights_to_pairs
from netlists.array.pwm import Pwm
from netlists.array.solver import ArraySolver
from netlists.errors import InputError
from netlists.function.activations import ACTIVATIONS
from netlists.function.output_levels import Quantizer
from netlists.technology.profile import load_profile

N_IN, N_HIDDEN, N_CLASSES = 3, 5, 4
MODELS = Path(__file__).parents[3] / "results" / "demo" / "models"

PROFILE = load_profile("taox-100-400")
PERFECT = PROFILE.without_variation()


def run(network, sequences, hardware, chips=4, seed=3, **options):
    options = {"dtype": np.float64} | options
    return evaluator.evaluate(network, sequences, hardware, chips, np.random.default_rng(seed), **options).scores


NETWORKS = {
    "lstm": lambda: Layer(LSTM(N_IN, 6, n_projection=4, projection_full_scale=2.0), parameters(LSTM(N_IN, 6, n_projection=4))),
    "gru": lambda: Layer(GRU(N_IN, 5), parameters(GRU(N_IN, 5)), parameters(GRU(N_IN, 5), 1)),
    "gru before": lambda: Layer(GRU(N_IN, 5, reset="before"), parameters(GRU(N_IN, 5, reset="before"))),
    "slstm": lambda: Layer(SLSTM(N_IN, 5), parameters(SLSTM(N_IN, 5))),
}


def parameters(cell, seed=0):
    rng = np.random.default_rng(seed)
    return {m.name: rng.normal(0, 0.5, m.shape) * m.connected() for m in cell.matrices}


def of_layer(layer):
    return Network((layer,), np.random.default_rng(9).normal(0, 1, (layer.n_out + 1, N_CLASSES)))


EVERYTHING = {
    "noisy ramps": Hardware(
        ramps={a: RampDraw.ideal(a, 4) for a in ("sigmoid", "tanh", "identity")},
        threshold_noise=0.5,
        arrays=Arrays(PROFILE, max_rows=8, max_columns=8),
        pwm=PwmInputs(6, 3.0),
        state_unit="ramp",
    ),
    "conventional, digital sums": Hardware(
        adc=LinearAdc(6, 6.0, offset_sigma=0.05, noise_sigma=0.05, table_bits=5),
        arrays=Arrays(PROFILE, layout="columns", max_rows=4, partial_sums="digital"),
        pwm=PwmInputs(5),
        state_unit="table",
        state_bits=6,
    ),
}


@pytest.mark.parametrize("hardware", EVERYTHING.values(), ids=EVERYTHING)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_compiled_engine_and_the_reference_agree(name, hardware, sequences):
    network = of_layer(NETWORKS[name]())
    for dtype in (np.float32, np.float64):
        results = [run(network, sequences, hardware, engine=e, dtype=dtype) for e in ("numba", "numpy")]
        np.testing.assert_array_equal(*results)
        assert len({s.tobytes() for s in results[0]}) == 4
        np.testing.assert_array_equal(run(network, sequences, hardware, [2, 0], dtype=dtype), results[0][[2, 0]])


def test_drawn_chips_answer_as_when_drawn_on_the_way(network, sequences):
    hardware = EVERYTHING["noisy ramps"]
    chips = draw_chips(network, hardware, 3, np.random.default_rng(3))
    result = evaluator.evaluate(network, sequences, hardware, chips)
    np.testing.assert_array_equal(result.scores, run(network, sequences, hardware, 3, dtype=np.float32))
    with pytest.raises(InputError, match="chip 0 was drawn for other hardware"):
        evaluator.evaluate(network, sequences, Hardware(bits=4), chips)
    with pytest.raises(InputError, match="another network"):
        evaluator.evaluate(LSTMNetwork(2 * network.weights, network.readout), sequences, hardware, chips)


SOURCES_AT_ZERO = {
    "threshold noise": {"threshold_noise": 0.0},
    "perfect arrays": {"arrays": Arrays(PERFECT)},
    "perfect arrays, column pairs": {"arrays": Arrays(PERFECT, layout="columns")},
    "perfect split arrays": {"arrays": Arrays(PERFECT, max_rows=4, max_columns=6)},
    "perfect wires": {"arrays": Arrays(PERFECT, max_rows=8, r_row=1e-9, r_col=1e-9, r_driver=1e-9)},
    "nominal read voltage": {"v_read": 0.3, "v_read_nominal": 0.3},
}


@pytest.mark.parametrize("source", SOURCES_AT_ZERO)
def test_a_source_at_zero_is_no_source(network, sequences, source):
    plain = run(network, sequences, Hardware(bits=5), 2)
    np.testing.assert_allclose(run(network, sequences, Hardware(bits=5, **SOURCES_AT_ZERO[source]), 2), plain, atol=1e-9)


SOURCES = {
    "threshold noise": {"threshold_noise": 0.5},
    "programming error": {"arrays": Arrays(PROFILE)},
    "IR drop": {"arrays": Arrays(PERFECT, r_row=20.0, r_col=20.0)},
    "few input bits": {"pwm": PwmInputs(3)},
    "drift": {"arrays": Arrays(load_profile("hfox-wan-1-40"), drift_time=1e4)},
    "coarse tanh(c)": {"state_unit": "ramp"},
}


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_alone_moves_the_scores(network, sequences, source):
    plain = run(network, sequences, Hardware(bits=5), 2)
    assert np.abs(run(network, sequences, Hardware(bits=5, **SOURCES[source]), 2) - plain).max() > 1e-3


def test_switching_a_source_off_leaves_the_draws_of_the_others(network):
    """Chips with and without threshold noise have the same weights."""
    with_, without = (
        draw_chips(network, Hardware(bits=5, arrays=Arrays(PROFILE), threshold_noise=t), 1, np.random.default_rng(1))[0]
        for t in (0.5, 0.0)
    )
    a, b = (c.layers[0][0].matrices["weights"].sums[0].weights for c in (with_, without))
    np.testing.assert_array_equal(a, b)


def test_wires_weaken_weights_as_the_solver_says(network):
    chip = draw_chips(network, Hardware(arrays=Arrays(PERFECT, r_row=2.0, r_col=1.0, compensate="none")), 1, dtype=np.float64)[0]
    pairs = weights_to_pairs(network.weights, PERFECT, layout="rows")
    array = ArraySolver(Crossbar(pairs.conductance, r_row=2.0, r_col=1.0))
    x = np.random.default_rng(1).normal(0, 0.1, len(network.weights))
    current = array.solve(pairs.drive(x)).column_current
    np.testing.assert_allclose(chip.layers[0][0].matrices["weights"].sums[0].weights @ x, current / pairs.scale, rtol=1e-9)


def test_read_noise_has_the_variance_of_its_cells():
    """One column, one step: the scores' spread over sequences is that of the sum of the cells' noise."""
    cell = LSTM(2, 1)
    w = np.array([[0.5, 0, 0, 0], [-1.0, 0, 0, 0], [0, 0, 0, 0], [0.25, 0, 0, 0]])
    # The input gate's pre-activation, through nearly linear functions, is read off the state.
    w[-1, 2], w[-1, 3], w[-1, 1] = 1.0, 1.0, 0.0
    n = 4000
    data = SequenceSet(np.tile([[[0.3, -0.2]]], (n, 1, 1)), np.ones(n, int), np.zeros(n, int))
    network = Network((Layer(cell, {"weights": w}),), np.array([[1.0], [0.0]]))
    arrays = Arrays(load_profile("taox-100-400"))
    quiet = arrays.profile.without_variation()
    chip = draw_chips(network, Hardware(arrays=arrays), 1, np.random.default_rng(1), dtype=np.float64)[0]
    total = chip.layers[0][0].matrices["weights"].sums[0]
    scale = quiet.g_max - quiet.g_min
    assert total.read_variance.shape == (4, 4)
    assert np.all(total.read_variance <= 2 * (2.5 * arrays.profile.read_sigma / scale) ** 2)
    assert np.all(total.read_variance > 0)
    scores = evaluator.evaluate(network, data, Hardware(arrays=arrays), [0], np.random.default_rng(1), dtype=np.float64).scores[0]
    v = np.array([0.3, -0.2, 0.0, 1.0])
    z = total.weights @ v
    s = expit(z)
    a = math.tanh(z[2])
    tc = math.tanh(s[0] * a)
    gain = np.array([
        s[3] * (1 - tc**2) * a * s[0] * (1 - s[0]), 0.0, s[3] * (1 - tc**2) * s[0] * (1 - a**2), tc * s[3] * (1 - s[3]),
    ])  # fmt: skip
    expected = gain**2 @ (total.read_variance @ v**2)
    assert scores.var() == pytest.approx(expected, rel=6 * math.sqrt(2 / n))


def test_partial_sums_as_charge_are_one_conversion_and_as_numbers_several(network, sequences):
    """Fine linear converters lose nothing whichever way; coarse ones lose more when each part is rounded."""
    exact = run(network, sequences, Hardware(), 1)
    loss = {}
    for bits in (4, 12):
        for where in ("charge", "digital"):
            hardware = Hardware(adc=LinearAdc(bits, 16.0, table_bits=16), arrays=Arrays(PERFECT, max_rows=6, partial_sums=where))
            loss[bits, where] = np.abs(run(network, sequences, hardware, 1) - exact).max()
    assert max(loss[12, "charge"], loss[12, "digital"]) < 0.1 * loss[4, "charge"]
    assert loss[4, "charge"] != loss[4, "digital"]


def test_a_linear_adc_drifts_with_the_read_voltage_and_a_ramp_of_cells_does_not(network, sequences):
    def moved(**converter):
        return np.abs(
            run(network, sequences, Hardware(**converter, v_read=0.15), 1) - run(network, sequences, Hardware(**converter), 1)
        ).max()

    assert moved(bits=5) == 0.0
    assert moved(adc=LinearAdc(8)) > 0.05


def test_pulse_widths_are_those_of_the_netlists():
    v = np.random.default_rng(1).normal(0, 3, 500)
    for bits in (2, 5, 8):
        codes = Pwm(n_in=bits).encode(v, 4.0)
        np.testing.assert_allclose(PwmInputs(bits).quantize(v, 4.0), codes * 4.0 / Pwm(n_in=bits).max_code, atol=1e-12)


def test_many_input_bits_are_exact_inputs(network, sequences):
    fine = Hardware(bits=5, pwm=PwmInputs(12, input_range=5.0))
    plain = run(network, sequences, Hardware(), 1)
    np.testing.assert_allclose(run(network, sequences, Hardware(pwm=fine.pwm), 1), plain, atol=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Hardware(bits=5, adc=LinearAdc()), "bits and adc: are different converters"),
        (lambda: Hardware(ramps={"sigmold": None}), "activation='sigmold': unknown"),
        (lambda: Hardware(state_unit="ramp"), "state_unit='ramp': this hardware has no ramps"),
        (lambda: Hardware(threshold_noise=0.5), "threshold_noise=0.5: floating point has no thresholds"),
        (lambda: Hardware(bits=5, arrays=Arrays(PERFECT, partial_sums="digital")), "partial_sums='digital': a bent ramp"),
        (lambda: Arrays(PERFECT, drift_time=10.0), "drift_time=10: device profile taox-100-400 has no relaxation data"),
    ],
)
def test_bad_hardware_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_an_activation_without_a_ramp_is_named(sequences):
    network = of_layer(NETWORKS["slstm"]())
    ramps = {a: RampDraw.ideal(a, 4) for a in ("sigmoid", "tanh")}
    with pytest.raises(InputError, match="activation 'identity': the network needs a ramp of it, this hardware has sigmoid, tanh"):
        evaluator.evaluate(network, sequences, Hardware(ramps=ramps))


def test_ramps_of_other_bits_are_named():
    ramps = {"sigmoid": RampDraw.ideal("sigmoid", 5), "tanh": RampDraw.ideal("tanh", 4)}
    with pytest.raises(InputError, match="tanh: has a ramp of 4 bits, 5 are asked for"):
        Hardware.fitted(ramps, 5)
    assert Hardware.fitted(ramps | {"tanh": None}, 5, state_unit="ramp").state_unit == "ramp"


def test_ideal_converters_of_a_model_have_the_levels_of_its_plan():
    model = RampModel.load(MODELS / "sigmoid4.json")
    found = ideal_hardware(Hardware(ramps={"sigmoid": model})).ramps["sigmoid"]
    np.testing.assert_array_equal(found.thresholds, RampDraw.ideal("sigmoid", 4).thresholds)
    plan = replace(model.ramp_plan, quantizer=Quantizer(outputs=(0.1, 0.9)))
    fields = {field.alias or name: getattr(model, name) for name, field in RampModel.model_fields.items()}
    program = plan.program()
    saturating = RampModel(**fields | {"plan": plan.as_dict(), "x_ideal": program.x, "lsb": program.lsb})
    found = ideal_hardware(Hardware(ramps={"sigmoid": saturating})).ramps["sigmoid"]
    np.testing.assert_allclose(expit(found.thresholds[0]), np.linspace(0.1, 0.9, 17)[1:-1], atol=1e-9)
    np.testing.assert_allclose(found.values, np.linspace(0.1, 0.9, 33)[1::2], atol=1e-9)


def test_chips_are_drawn_from_fitted_models_one_by_one(network, sequences):
    """A chip's ramps are those the model draws for the chip's own stream; more chips leave it alone."""
    models = {a: RampModel.load(MODELS / f"{a}5.json") for a in ("sigmoid", "tanh")}
    hardware = Hardware.fitted(models, 5)
    few, many = (run(network, sequences, hardware, n) for n in (2, 5))
    np.testing.assert_array_equal(few, many[:2])
    assert len({s.tobytes() for s in many}) == 5
    chip = draw_chips(network, hardware, [3], np.random.default_rng(3))[0]
    bank = chip.layers[0][0].matrices["weights"].units[0].bank
    candidate = bank.thresholds[2 * N_HIDDEN : 3 * N_HIDDEN, :31]
    spread = candidate - models["tanh"].mean
    assert np.abs(spread).max() < 8 * np.sqrt(
        np.diag(models["tanh"].covariance).max() + 2 * models["tanh"].comparator_offset.value ** 2
    )
    # The levels of a chip's columns differ by one offset a column.
    np.testing.assert_allclose(candidate - candidate[:1], (candidate - candidate[:1])[:, :1].repeat(31, axis=1), atol=1e-5)
    with pytest.raises(InputError, match="rng=None: chips are drawn"):
        evaluator.evaluate(network, sequences, hardware)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_any_activation_of_the_toolkit_can_be_a_gates(activation, sequences):
    """Those that rise and fall too: their ramps count up and down. Finer ramps come closer to floating point."""
    cell = LSTM(N_IN, N_HIDDEN, candidate=activation)
    weights = {name: 0.3 * w for name, w in parameters(cell).items()}
    network = of_layer(Layer(cell, weights))
    exact = network.scores(sequences)
    loss = {}
    for bits in (3, 8):
        both = [run(network, sequences, Hardware(bits=bits), 1, engine=e)[0] for e in ("numba", "numpy")]
        np.testing.assert_array_equal(*both)
        loss[bits] = np.abs(both[0] - exact).max()
    assert loss[8] < 0.25 * loss[3]


def test_hardware_shows_what_differs_from_floating_point():
    ramps = {"sigmoid": RampDraw.ideal("sigmoid", 4), "tanh": None}
    assert repr(Hardware()) == "Hardware()"
    shown = repr(Hardware(ramps=ramps, pwm=PwmInputs(4), v_read=0.15))
    assert shown.startswith("Hardware(ramps={'sigmoid': 'RampDraw of 4 bits', 'tanh': None}, pwm=PwmInputs(bits=4")
    assert shown.endswith("v_read=0.15)")


@pytest.mark.parametrize("make", [lambda v: Hardware(bits=4, v_read=v), lambda v: Arrays(load_profile("taox-100-400"), v_read=v)])
def test_millivolts_are_no_volts(make):
    assert make(0.2).v_read == 0.2
    with pytest.raises(InputError, match=r"v_read=200.*at most 2 \(V\)"):
        make(200.0)


def test_a_supply_may_be_that_of_thick_oxides_and_not_in_millivolts():
    with pytest.raises(InputError, match=r"supply=5: only fitted models know"):
        Hardware(bits=4, supply=5.0)
    with pytest.raises(InputError, match=r"supply=1800.*at most 20 \(V\)"):
        Hardware(bits=4, supply=1800.0)


def test_cells_that_age_longer_than_they_were_measured_are_said():
    """The profile of Wan et al. has two days; a week is its slope carried on."""
    profile = load_profile("hfox-wan-1-40")
    last = profile.relaxation_times[-1]
    within, beyond = (Hardware(bits=4, arrays=Arrays(profile, drift_time=t)).warnings for t in (last, 3.5 * last))
    assert not any("was measured up to" in w for w in within)
    assert [w for w in beyond if "was measured up to" in w] == [
        f"drift_time={3.5 * last:g}: hfox-wan-1-40 was measured up to {last:g} s; what comes after goes on at its mean slope a "
        "decade, an assumption"
    ]
