"""The crossbar's description, its differential pairs and its SPICE decks."""

import itertools
import re
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from netlists.array.crossbar import Crossbar
from netlists.array.deck import KLU_SINCE, AccessTransistor, has_klu, mesh_subcircuit, operating_point_deck
from netlists.array.pairs import weights_to_pairs
from netlists.array.solver import ArraySolver
from netlists.errors import InputError
from netlists.spice.deck import Deck
from netlists.spice.engine import simulate
from netlists.spice.program import run_batch
from netlists.spice.pyspice import find_executable_version
from netlists.technology.profile import load_profile

G = np.full((3, 2), 1e-4)


def with_cell(value: float) -> np.ndarray:
    g = G.copy()
    g[2, 1] = value
    return g


@pytest.mark.parametrize("value", [0.0, np.nan, 1e-310])
def test_bad_conductance_is_named_by_row_and_column(value):
    with pytest.raises(InputError, match=r"conductance\[2, 1\]=.*: must be .* give an open cell"):
        Crossbar(with_cell(value))


@pytest.mark.parametrize("g", [np.ones(3), np.ones((0, 2)), np.ones((1, 2, 3)), "text", [[1.0], [1.0, 2.0]], np.ones((2, 2)) * 1j])
def test_bad_shape_or_type_of_conductance(g):
    with pytest.raises(InputError, match="conductance"):
        Crossbar(g)


def test_resistance_whose_reciprocal_overflows():
    with pytest.raises(InputError, match="r_col=1e-309: must be 0, which is exact, or at least"):
        Crossbar(G, r_col=1e-309)


@pytest.mark.parametrize(("name", "value"), [("driven", "right"), ("sensed", "top")])
def test_unknown_ends(name, value):
    with pytest.raises(InputError, match=f"{name}='{value}'.*both"):
        Crossbar(G, **{name: value})


def test_crossbar_is_immutable_and_keeps_its_own_copy():
    g = G.copy()
    crossbar = Crossbar(g)
    g[0, 0] = 1.0
    assert crossbar.conductance[0, 0] == 1e-4
    with pytest.raises(ValueError, match="read-only"):
        crossbar.conductance[0, 0] = 1.0
    with pytest.raises(AttributeError):
        crossbar.r_row = 2.0
    assert crossbar.with_(r_row=2.0).r_row == 2.0
    with pytest.raises(InputError, match="'r_wire': unknown"):
        crossbar.with_(r_wire=1.0)


def test_cell_kind_and_conductance_with_access_transistor():
    crossbar = Crossbar(np.array([[400e-6]]), r_access=819.0)
    assert (Crossbar(G).cell, crossbar.cell) == ("0T1R", "1T1R")
    assert crossbar.cell_conductance[0, 0] == pytest.approx(1.0 / (2500.0 + 819.0), rel=1e-15)


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 5)),
    layout=st.sampled_from(["columns", "rows"]),
)
@settings(max_examples=40)
def test_pairs_give_back_the_weights_and_multiply(seed, shape, layout):
    rng = np.random.default_rng(seed)
    w = rng.normal(size=shape)
    profile = load_profile("taox-100-400")
    pairs = weights_to_pairs(w, profile, layout=layout)
    g = pairs.conductance
    assert g.min() >= profile.g_min
    assert g.max() <= profile.g_max * (1 + 1e-12)
    plus, minus = (g[:, 0::2], g[:, 1::2]) if layout == "columns" else (g[0::2], g[1::2])
    np.testing.assert_allclose((plus - minus) / pairs.scale, w, atol=1e-12)
    v = rng.uniform(-0.2, 0.2, (4, shape[0]))
    ideal = ArraySolver(Crossbar(g, r_row=0.0, r_col=0.0))
    np.testing.assert_allclose(pairs.combine(ideal.column_currents(pairs.drive(v))) / pairs.scale, v @ w, atol=1e-12)


def test_zero_weights_and_given_range():
    profile = load_profile("taox-100-400")
    assert np.all(weights_to_pairs(np.zeros((2, 2)), profile).conductance == profile.g_min)
    assert weights_to_pairs([[1.0]], profile, w_max=2.0).conductance[0, 0] == pytest.approx(250e-6)


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ([[0.0, np.nan]], {}, r"weights\[0, 1\]=nan"),
        ([[0.0], [3.0]], {"w_max": 2.0}, r"weights\[1, 0\]=3.0: must be a finite number -2..2: beyond w_max=2"),
        ([[1.0]], {"w_max": 0.0}, "w_max=0.0"),
        ([[1.0]], {"layout": "diagonal"}, "layout='diagonal'.*columns, rows"),
        ([1.0], {}, r"weights: has shape \(1,\)"),
    ],
)
def test_bad_weights(weights, options, message):
    with pytest.raises(InputError, match=message):
        weights_to_pairs(weights, load_profile("taox-100-400"), **options)


def currents(deck, folder) -> np.ndarray:
    printed = run_batch(deck.write(folder / "crossbar.cir"))
    return np.array([float(x) for x in re.findall(r"^i\(vc\d+\) = (\S+)", printed, re.MULTILINE)])


@pytest.mark.parametrize("curvature", [0.0, 0.5])
@pytest.mark.parametrize("r_access", [0.0, 819.0])
def test_deck_without_wires_in_plain_ngspice_is_the_closed_form(curvature, r_access, tmp_path):
    rng = np.random.default_rng(5)
    g, v = rng.uniform(1e-4, 4e-4, (4, 3)), rng.uniform(-0.2, 0.2, 4)
    crossbar = Crossbar(g, r_row=0.0, r_col=0.0, curvature=curvature, r_access=r_access)
    expected = np.zeros(3)
    for i, j in itertools.product(range(4), range(3)):
        roots = np.roots([r_access * g[i, j] * curvature, 0.0, 1.0 + r_access * g[i, j], -v[i]])
        share = float(min(roots, key=lambda z: abs(z.imag)).real)
        expected[j] += g[i, j] * (share + curvature * share**3)
    np.testing.assert_allclose(currents(operating_point_deck(crossbar, v), tmp_path), expected, rtol=1e-9)


def test_deck_writes_klu_only_where_ngspice_has_it():
    crossbar, v = Crossbar(G), np.zeros(3)
    version = find_executable_version()
    assert has_klu() == (version is not None and version >= KLU_SINCE)
    assert not has_klu("no-such-program")
    assert (".options klu" in operating_point_deck(crossbar, v).text) == has_klu()
    assert ".options klu" in operating_point_deck(crossbar, v, klu=True).text
    assert ".options klu" not in operating_point_deck(crossbar, v, klu=False).text


def test_mesh_has_wire_capacitance_and_grounds_unchosen_columns():
    text = mesh_subcircuit(Crossbar(G, c_row=1e-15, c_col=2e-15), [1])
    assert "\n.subckt crossbar_mesh r0 r1 r2 c1 com\n" in text
    assert sum(line.startswith("cr") for line in text.splitlines()) == G.size
    assert sum(line.startswith("cc") for line in text.splitlines()) == G.size
    assert "re_c0_0 com c2_0 1.0" in text
    assert "re_c1_0 c1 c2_1 1.0" in text


def test_wire_capacitance_charges_as_an_rc_circuit():
    """One cell, step on the row: the column's node settles through R_row + 1/G from above and R_col from below."""
    crossbar = Crossbar([[1e-3]], r_row=1000.0, r_col=1000.0, c_col=1e-12)
    tau = 1e-12 / (1.0 / 2000.0 + 1.0 / 1000.0)
    lines = ["rc", mesh_subcircuit(crossbar).rstrip(), "vr0 r0 0 PWL(0 0 1p 0.3)", "vc0 c0 0 0", "x1 r0 c0 0 crossbar_mesh"]
    lines += [".options reltol=1e-5", ".save v(x1.c0_0)", f".tran {tau / 100!r} {5 * tau!r} 0 {tau / 100!r}"]
    wave = simulate(Deck("\n".join(lines) + "\n"), ["x1.c0_0"])
    t, v = wave["time"], wave["x1.c0_0"]
    np.testing.assert_allclose(v, np.where(t > 1e-12, 0.1 * (1.0 - np.exp(-(t - 0.5e-12) / tau)), v), atol=1e-5)


def test_cells_with_access_transistors_are_their_verified_conductance():
    """One cell at a small voltage: memristor and transistor together are g to 1 %."""
    deck = operating_point_deck(Crossbar([[2e-4]]), [0.02], access=AccessTransistor())
    with tempfile.TemporaryDirectory() as folder:
        printed = run_batch(deck.write(f"{folder}/cell.cir"))
    current = float(re.search(r"^i\(vc0\) = (\S+)", printed, re.MULTILINE).group(1))
    assert current == pytest.approx(0.02 * 2e-4, rel=0.01)


@pytest.mark.parametrize(
    ("crossbar", "access", "message"),
    [
        (Crossbar(G, curvature=0.5), AccessTransistor(), "curvature=0.5"),
        (Crossbar(G, r_access=10.0), AccessTransistor(), "r_access=10"),
        (Crossbar(with_cell(3e-3)), AccessTransistor(), "row 2, column 1: 0.003 S"),
        (Crossbar(G), AccessTransistor(width=0.1), "the models cover"),
    ],
)
def test_access_transistors_that_cannot_be(crossbar, access, message):
    with pytest.raises(InputError, match=message):
        mesh_subcircuit(crossbar, access=access)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([2], r"column 2: the crossbar has columns 0..1"),
        ([-1], "column -1"),
        ([1, 1], "column 1: chosen twice"),
        ([], "at least one"),
    ],
)
def test_bad_choice_of_columns(columns, message):
    with pytest.raises(InputError, match=message):
        mesh_subcircuit(Crossbar(G), columns)


@pytest.mark.parametrize(
    ("v", "terminal", "message"),
    [
        (np.array([0.0, np.nan, 0.0]), None, r"v\[1\]=nan"),
        (np.zeros((1, 3)), None, r"v: has shape \(1, 3\), must be numbers of shape \(3,\)"),
        (np.zeros(3), np.zeros(3), r"terminal: has shape \(3,\)"),
    ],
)
def test_bad_deck_voltages(v, terminal, message):
    with pytest.raises(InputError, match=message):
        operating_point_deck(Crossbar(G), v, terminal)
