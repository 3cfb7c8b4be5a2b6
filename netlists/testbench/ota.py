"""Test benches of the transistor-level OTA, integrator and access transistor: what is connected, driven and written.

Every bench runs outside Python too: write the deck, put `pdk.spiceinit` beside it as ``.spiceinit``, ``ngspice -b``.
"""

from __future__ import annotations

from collections.abc import Sequence

from netlists.spice import Deck
from netlists.technology import Conditions

from .run import OPTIONS, commands, header, table


def ota_noise_deck(conditions: Conditions, *, c_load: float = 1e-12) -> Deck:
    """OTA at unity gain: table ``noise``, its output noise density in V/sqrt(Hz) from 100 Hz to 100 GHz."""
    text = header("SKY130 OTA bench: noise at unity gain", conditions, "ota_sky130") + OPTIONS
    text += f"vdd vdd 0 {conditions.v_dd!r}\nvin inp com dc 0 ac 1\nx1 inp out out vdd 0 ota_sky130\ncl out 0 {c_load!r}\n"
    return Deck(text, commands("noise v(out) vin dec 20 100 100g", "setplot previous", ("noise", ["onoise_spectrum"])))


def ota_deck(
    conditions: Conditions, *, c_load: float = 1e-12, c_f: float = 7e-12, c_in: float = 300e-15, i_load: float = 150e-6
) -> Deck:
    """OTA: loop broken for AC, servo for the DC gain against output voltage, capacitive inverter for slewing.

    Parameters
    ----------
    c_load : float
        Load of the output, farads (assumption: wiring and the comparators on a shared ramp).
    c_f, c_in : float
        Feedback capacitor and capacitance of the summing node, farads: they load the output and divide its
        signal as in the integrator, so that ``v(fb)/v(inp)`` is the integrator's loop gain.
    i_load : float
        Current drawn from (``+``) and forced into (``-``) the output in two further servo circuits, amperes.

    Returns
    -------
    Deck
        Tables ``op`` (supply current, output; reference device's gm), ``ac`` (output, feedback node), ``dc`` (for each of
        the loads 0, +, -: output, input that holds it), ``limit`` (output current, sourcing and sinking), ``slew`` (output
        up, output down).
    """
    v_dd, v_cm = conditions.v_dd, conditions.v_cm
    text = header("SKY130 OTA bench", conditions, "ota_sky130") + OPTIONS
    # AC: unity feedback at DC through an inductor, none at any frequency of the sweep.
    text += (
        f"vdda vdda 0 {v_dd!r}\nvina inpa com dc 0 ac 1\nxa inpa inna outa vdda 0 ota_sky130\nlfb outa inna 1e9\ncfb inna 0 1e9\n"
        f"cla outa 0 {c_load!r}\ncfa outa fb {c_f!r}\ncina fb 0 {c_in!r}\nrfb fb 0 1e12\n"
    )
    # DC gain against output voltage: a servo finds the input that puts the output at the swept target. Its low pass keeps
    # it still in the transient.
    text += f"vtgt tgt 0 {v_cm!r}\nvdds vdds 0 {v_dd!r}\n"
    for k, load in enumerate((0.0, i_load, -i_load)):
        text += (
            f"bs{k} servo{k} com v={{0.1*tanh(1e4*(v(tgt)-v(outs{k})))}}\nrs{k} servo{k} inps{k} 1e6\ncs{k} inps{k} com 1e-6\n"
            f"xs{k} inps{k} com outs{k} vdds 0 ota_sky130\nils{k} outs{k} 0 {load!r}\n"
        )
    # Largest output currents: output held at analog ground, input overdriven by 0.2 V.
    for name, drive in (("p", 0.2), ("n", -0.2)):
        text += f"vdl{name} inl{name} com {drive}\nxl{name} inl{name} com outl{name} vdds 0 ota_sky130\nvl{name} outl{name} com 0\n"
    # Slewing: gain -1 through two capacitors of 1 pF, a step of 0.8 V in 0.1 ns each way.
    for name, low, high in (("u", 0.4, -0.4), ("d", -0.4, 0.4)):
        text += (
            f"vs{name} src{name} com pwl(0 {low} 5e-9 {low} 5.1e-9 {high})\ncs{name} src{name} sum{name} 1p\n"
            f"cf{name} sum{name} out{name} 1p\nrf{name} sum{name} out{name} 1e9\ncl{name} out{name} 0 {c_load!r}\n"
            f"x{name} com sum{name} out{name} vdds 0 ota_sky130\n"
        )
    gm = "@m.xa.x2.x1.msky130_fd_pr__nfet_01v8_lvt[gm]"
    text += f".save all {gm}\n"
    control = commands(
        "op",
        f"let gm={gm}",
        ("op", ["i(vdda)", "v(outa)", "gm"]),
        ("limit", ["i(vlp)", "i(vln)"]),
        "ac dec 40 10 10g",
        ("ac", ["v(outa)", "v(fb)"]),
        f"dc vtgt 0.02 {v_dd - 0.02:.4f} 0.005",
        ("dc", [f"v(outs{k}) v(inps{k},com)" for k in range(3)]),
        "tran 0.05n 80n",
        ("slew", ["v(outu)", "v(outd)"]),
    )
    return Deck(text, control)


def integrator_deck(conditions: Conditions, *, c_f: float = 7e-12, currents: Sequence[float] = (20e-6, 80e-6, -80e-6)) -> Deck:
    """Integrator: reset, release, one current pulse of 16 ns; and the reset switch's resistance.

    Parameters
    ----------
    currents : sequence of float
        Drawn out of the summing node, amperes (positive lifts the output); a circuit without pulse comes first.

    Returns
    -------
    Deck
        Tables ``switch`` (v(out) - v(sum) under reset with 10 uA into the node) and ``tran`` (output of the idle circuit,
        its summing node, then for each current the output). Release ends at 20 ns, the pulse is 40..56 ns, the end 200 ns.
    """
    text = header("SKY130 integrator bench", conditions, "integrator_sky130") + OPTIONS
    text += f"vdd vdd 0 {conditions.v_dd!r}\nvrst rst 0 pwl(0 {conditions.v_dd!r} 19.9n {conditions.v_dd!r} 20n 0)\n"
    for k, i in enumerate((0.0, *currents)):
        text += f"x{k} sum{k} out{k} com rst vdd 0 integrator_sky130 c_f={c_f!r}\n"
        text += f"i{k} sum{k} 0 pwl(0 0 40n 0 40.1n {i!r} 56n {i!r} 56.1n 0)\n"
    text += f"vhi hi 0 {conditions.v_dd!r}\nxr sumr outr com hi vdd 0 integrator_sky130 c_f={c_f!r}\nir 0 sumr 10u\n"
    outs = [f"v(out{k})" for k in range(1, len(currents) + 1)]
    tables = ("switch", ["v(sumr,outr)"]), ("tran", ["v(out0)", "v(sum0)", *outs])
    return Deck(text, commands("op", tables[0], "tran 0.1n 200n 0 0.5n", tables[1]))


def access_deck(
    conditions: Conditions,
    widths: Sequence[float],
    *,
    length: float,
    selects: Sequence[float],
    sources: Sequence[float],
    v_ds: float = 0.02,
) -> Deck:
    """Access transistor: drain current at a small drain-source voltage, for each width, select level and source voltage.

    Parameters
    ----------
    widths, length : float
        Metres.
    selects, sources : sequence of float
        Gate and source voltages, volts.

    Returns
    -------
    Deck
        Table ``current0``...: drain currents, widths fastest, then sources, then selects.
    """
    text = header("SKY130 access transistor bench", conditions, "access_sky130") + OPTIONS
    vectors = []
    for a, gate in enumerate(selects):
        text += f"vg{a} g{a} 0 {gate!r}\n"
        for b, source in enumerate(sources):
            for k, w in enumerate(widths):
                tag = f"{a}_{b}_{k}"
                # r_on so that the subcircuit's resistor is 1 mohm: what is measured is the transistor.
                text += (
                    f"vd{tag} d{tag} s{tag} {v_ds!r}\nvs{tag} s{tag} 0 {source!r}\n"
                    f"xt{tag} d{tag} s{tag} g{a} 0 access_sky130 g=1e-4 r_on={1e4 - 1e-3!r} w={w * 1e6!r} l={length * 1e6!r}\n"
                )
                vectors.append(f"i(vd{tag})")
    return Deck(text, table("current", vectors, "op"))
