"""Test benches of the transistor-level OTA, integrator and access transistor: what is connected, driven and written.

Every bench runs outside Python too: write the deck, put `pdk.spiceinit` beside it as ``.spiceinit``, ``ngspice -b``.
"""

from __future__ import annotations

from collections.abc import Sequence

from netlists.spice import Deck
from netlists.technology import Conditions

from .run import OPTIONS, commands, header, table
from .tested import OTA, At, BlockOnBench


def ota_noise_deck(conditions: Conditions, *, c_load: float = 1e-12) -> Deck:
    """OTA at unity gain: table ``noise``, its output noise density in V/sqrt(Hz) from 100 Hz to 100 GHz."""
    text = header("SKY130 OTA bench: noise at unity gain", conditions, "ota_sky130") + OPTIONS
    text += f"vdd vdd 0 {conditions.v_dd!r}\nvin inp com dc 0 ac 1\nx1 inp out out vdd 0 ota_sky130\ncl out 0 {c_load!r}\n"
    return Deck(text, commands("noise v(out) vin dec 20 100 100g", "setplot previous", ("noise", ["onoise_spectrum"])))


def ota_deck(
    conditions: At,
    *,
    c_load: float = 1e-12,
    c_f: float = 7e-12,
    c_in: float = 300e-15,
    i_load: float = 150e-6,
    block: BlockOnBench = OTA,
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
    block : BlockOnBench
        The op-amp. Another than ours has a table ``z`` too (output per ampere into it, loop open at all frequencies but DC), and
        no reference device: its ``gm`` is 0.

    Returns
    -------
    Deck
        Tables ``op`` (supply current, output; reference device's gm), ``ac`` (output, feedback node), ``dc`` (for each of
        the loads 0, +, -: output, input that holds it), ``limit`` (output current, sourcing and sinking), ``slew`` (output
        up, output down).
    """
    v_dd, v_cm = conditions.v_dd, conditions.v_cm
    text = block.head("op-amp bench", conditions) + OPTIONS
    # AC: unity feedback at DC through an inductor, none at any frequency of the sweep.
    text += (
        f"vdda vdda 0 {v_dd!r}\nvina inpa com dc 0 ac 1\n{block.card('a', 'inpa', 'inna', 'outa', 'vdda')}"
        "lfb outa inna 1e9\ncfb inna 0 1e9\n"
        f"cla outa 0 {c_load!r}\ncfa outa fb {c_f!r}\ncina fb 0 {c_in!r}\nrfb fb 0 1e12\n"
    )
    # DC gain against output voltage: a servo finds the input that puts the output at the swept target. Its low pass keeps
    # it still in the transient.
    # A softer one converges from point to point where ngspice 44 starts each anew with the other.
    text += f"vtgt tgt 0 {v_cm!r}\nvdds vdds 0 {v_dd!r}\n"
    stiffness = "1e4" if block == OTA else "1e2"
    for k, load in enumerate((0.0, i_load, -i_load)):
        text += (
            f"bs{k} servo{k} com v={{0.1*tanh({stiffness}*(v(tgt)-v(outs{k})))}}\n"
            f"rs{k} servo{k} inps{k} 1e6\ncs{k} inps{k} com 1e-6\n"
            f"{block.card(f's{k}', f'inps{k}', 'com', f'outs{k}', 'vdds')}ils{k} outs{k} 0 {load!r}\n"
        )
    # Largest output currents: output held at analog ground, input overdriven by 0.2 V.
    for name, drive in (("p", 0.2), ("n", -0.2)):
        held = block.card(f"l{name}", f"inl{name}", "com", f"outl{name}", "vdds")
        # Another op-amp may be an ideal source, which no other may hold.
        wire = f"vl{name} outl{name} com 0" if block == OTA else f"rl{name} outl{name} endl{name} 1\nvl{name} endl{name} com 0"
        text += f"vdl{name} inl{name} com {drive}\n{held}{wire}\n"
    # Slewing: gain -1 through two capacitors of 1 pF, a step of 0.8 V in 0.1 ns each way.
    for name, low, high in (("u", 0.4, -0.4), ("d", -0.4, 0.4)):
        text += (
            f"vs{name} src{name} com pwl(0 {low} 5e-9 {low} 5.1e-9 {high})\ncs{name} src{name} sum{name} 1p\n"
            f"cf{name} sum{name} out{name} 1p\nrf{name} sum{name} out{name} 1e9\ncl{name} out{name} 0 {c_load!r}\n"
            f"{block.card(name, 'com', f'sum{name}', f'out{name}', 'vdds')}"
        )
    ours = block == OTA
    gm = "@m.xa.x2.x1.msky130_fd_pr__nfet_01v8_lvt[gm]" if ours else "0*v(outa)"
    if ours:
        text += f".save all {gm}\n"
    else:
        text += f"vinz inpz com 0\n{block.card('z', 'inpz', 'innz', 'outz', 'vdds')}lfz outz innz 1e9\n"
        text += "cfz innz 0 1e9\niz 0 outz dc 0 ac 1\n"
    control = commands(
        "op",
        f"let gm={gm}",
        ("op", ["i(vdda)", "v(outa)", "gm"]),
        ("limit", ["i(vlp)", "i(vln)"]),
        "ac dec 40 10 10g",
        ("ac", ["v(outa)", "v(fb)"]),
        *([] if ours else [("z", ["v(outz)"])]),
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


R_Z = 500.0
"""Nulling resistor of ``ota_sky130``, ohm."""


def stages_deck(conditions: Conditions, feedback: Sequence[float]) -> Deck:
    """Integrators at rest, output at analog ground: operating point of their OTA, impedance at their summing nodes.

    Parameters
    ----------
    feedback : sequence of float
        Feedback capacitor of each, farads.

    Returns
    -------
    Deck
        Tables ``op`` (gm and gds of the input transistor, gds of its mirror, gm and gds of the second stage, gds of its current
        source; S) and ``ac`` (voltage of each summing node for 1 A into it, 1 to 100 MHz).
    """
    text = header("SKY130 OTA stages bench", conditions, "integrator_sky130") + OPTIONS + f"vdd vdd 0 {conditions.v_dd!r}\n"
    for k, c_f in enumerate(feedback):
        # At DC the inductor closes the loop, as the reset did before.
        text += f"x{k} sum{k} out{k} com 0 vdd 0 integrator_sky130 c_f={c_f!r} r_z={R_Z!r}\n"
        text += f"l{k} sum{k} out{k} 1\ni{k} 0 sum{k} ac 1\n"
    kinds = {"x2": "nfet_01v8_lvt", "x4": "pfet_01v8", "x6": "pfet_01v8", "x7": "nfet_01v8"}
    wanted = [("x2", "gm"), ("x2", "gds"), ("x4", "gds"), ("x6", "gm"), ("x6", "gds"), ("x7", "gds")]
    names = [f"@m.x0.xota.{device}.x1.msky130_fd_pr__{kinds[device]}[{figure}]" for device, figure in wanted]
    text += f".save {' '.join(f'v(sum{k})' for k in range(len(feedback)))} {' '.join(names)}\n"
    vectors = [f"v(sum{k})" for k in range(len(feedback))]
    op = [f"let p{k}={name}" for k, name in enumerate(names)]
    control = commands("op", *op, ("op", [f"p{k}" for k in range(len(names))]), "ac dec 20 1meg 100meg", ("ac", vectors))
    return Deck(text, control)


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
