"""Page of the cost study, made from the tables in its folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cosim.report import Beside, Page, Section, beside, percent, read_table
from cosim.report.published import published
from netlists.files import read_json

QUANTITY = {
    "area": "area",
    "power": "power",
    "tops": "throughput",
    "tops_per_watt": "energy-efficiency",
    "tops_per_mm2": "area-efficiency",
}
"""Names of the printed figures in published.toml."""


def page(folder: Path) -> Page:
    """The report of a folder that `cosim study cost` wrote."""
    summary = read_json(folder / "summary.json", "study summary")
    verdict, raw = summary["table1"], summary["table1_bottom_up"]
    return Page(
        title="What it costs: energy, time and area",
        lead=(
            "Energies of the simulated blocks are integrated from ngspice's currents and held against V I t and C V^2. A cost "
            "model puts them together with stated figures into networks. Table 1 of Yang et al. 2025 is compared in two ways: "
            "with a model of six constants that are fitted to its 5-bit column, and with the cost model itself, to which "
            f"nothing is fitted. The first predicts {verdict['predicted_within']} of the {verdict['predicted']} figures at 8 "
            "bits within the limits of 15 % (keyword spotting) and 10 % (language model); of the second "
            f"{raw['predicted_within']} of {raw['predicted']} are within them, and the section on terms says which of its parts "
            "the published text does not tell."
        ),
        highlights=_highlights(summary),
        sections=[
            _table1(folder, summary),
            _bottom_up(folder),
            _unknown(folder),
            _implied(folder),
            _energy(folder, summary),
            _terms(folder),
            _sources(folder),
            _pareto(folder, summary),
            _sweeps(folder),
            _figures(folder, summary),
        ],
    )


def _highlights(summary: dict) -> list[tuple[str, str]]:
    verdict = summary["table1"]
    quarter = [r for r in summary["halving"] if r["block"].startswith("cells")]
    network = summary["network"]
    return [
        (
            f"{verdict['predicted_within']} / {verdict['predicted']}",
            "figures of Table 1 at 8 bits predicted within the limits from its 5-bit column",
        ),
        (percent(abs(verdict["worst_deviation"]), 1), f"largest deviation of a predicted figure: {verdict['worst_predicted']}"),
        (
            f"{quarter[-1]['ratio']:.4f}" if quarter else "-",
            f"array energy at half V_read over that at V_read, {quarter[-1]['level'] if quarter else ''}",
        ),
        (f"{1e9 * network['conversion_energy']:.3g} nJ", "a converted column of the keyword network, 5 bits, 130 nm as simulated"),
    ]


def _table1(folder: Path, summary: dict) -> Section:
    rows = read_table(folder, "table1.csv", ("network", "quantity", "bits", "ours", "how"))
    entries = []
    for r in rows.to_dict("records"):
        chip = "kws" if r["network"].startswith("keyword") else "lm"
        key = f"{chip}-{QUANTITY[r['quantity']]}" + ("" if r["quantity"] == "area" else f"-{r['bits']}-bit")
        note = f"{percent(r['deviation'], 1)}; {r['how']}; limit {percent(r['limit'], 0)}: {'met' if r['within'] else 'missed'}"
        entries.append(Beside(published(key), r["ours"], True, note))
    constants = summary["constants"]
    return Section(
        "Table 1 from six constants: 5 bits fitted, 8 bits predicted",
        text=[
            "Of the five figures that the table prints for a network and a resolution, two follow from the others (TOPS/W = "
            "TOPS / power, TOPS/mm2 = TOPS / area), and the area is the same at both resolutions. So the 5-bit column holds six "
            "independent figures, and six constants are fitted to it: a column's power, a weight's energy and nanosecond, the "
            "area of each, and one fixed time for each network. That the fitted figures agree says nothing. The constants "
            "do not use the 8-bit figures, of which four are independent (two times, two powers).",
            "Besides the constants there are choices that were made with both columns in sight: that a step's time grows with "
            "2 L 2^b clock periods for L weight layers, L = 2 (LSTM, classifier) and L = 3 (LSTM, projection, classifier), and "
            "the form of time, energy and area; other forms of the energy were tried and dropped. So this is no blind test. What "
            "it shows is that six constants, two whole numbers and these forms are enough for 18 figures. The section on what "
            "the table implies shows what other whole numbers would give.",
            "Fitted to the 8-bit column instead, the model fails at 5 bits for keyword spotting (table1_from_8_bits.csv): its "
            "throughput at 8 bits is printed with one digit, and the fixed time is then a small difference of large numbers.",
        ],
        picture="table1",
        caption="Deviation from each printed figure; grey bars: what rounding of the printed figure leaves open.",
        table=beside(entries),
        notes=["Constants: " + "; ".join(f"{name} = {value:.3g}" for name, value in constants.items()) + "."],
    )


def _bottom_up(folder: Path) -> Section:
    rows = read_table(folder, "table1_bottom_up.csv", ("network", "quantity", "bits", "printed", "ours", "deviation", "within"))
    table = pd.DataFrame(
        {
            "network": rows["network"],
            "quantity": rows["quantity"].map(QUANTITY).str.replace("-", " ") + " (" + rows["unit"] + ")",
            "bits": rows["bits"],
            "Table 1": rows["printed"],
            "cost model": rows["ours"],
            "ratio": rows["ours"] / rows["printed"],
            "within": rows["within"],
        }
    )
    return Section(
        "Table 1 from the cost model, nothing fitted",
        text=[
            "The circuit of this project, moved from SKY130 to 16 nm and 1 GHz by the stated rules: blocks from SPICE scaled as "
            "digital energy and speed as 1 / node, digital figures by Stillmaker and Baas, cells of 22FFL. Its integrators "
            "carry the charge of every weight cell on one capacitor a column, and the op-amps are sized for that: most of power "
            "and area is theirs.",
            "It takes one period of pulses and one ramp a step, for the LSTM alone, so it is faster than the table. A figure "
            "within the limits is luck here, not a reproduction: power and throughput beside it are not.",
        ],
        table=table,
    )


def _unknown(folder: Path) -> Section:
    return Section(
        "Term by term: what the published text does not tell",
        text=[
            "Keyword spotting at 5 bits. The detailed calculation is in the paper's supplement (Notes S3 and S4, Tab. S9), "
            "which was not at hand."
        ],
        table=read_table(folder, "unknown.csv", ("term", "ours", "Table 1", "not known")),
    )


def _implied(folder: Path) -> Section:
    rows = read_table(folder, "implied.csv", ("network", "bits", "time_low", "time_high", "contradiction"))
    table = pd.DataFrame(
        {
            "network": rows["network"],
            "bits": rows["bits"],
            "time of a step (ns)": [_span(1e9 * a, 1e9 * b) for a, b in zip(rows["time_low"], rows["time_high"], strict=True)],
            "power (mW)": [_span(1e3 * a, 1e3 * b) for a, b in zip(rows["power_low"], rows["power_high"], strict=True)],
            "area (mm2)": [_span(1e6 * a, 1e6 * b) for a, b in zip(rows["area_low"], rows["area_high"], strict=True)],
            "energy of a step (nJ)": 1e9 * rows["energy"],
            "energy a column (pJ)": 1e12 * rows["energy_column"],
            "energy a weight (fJ)": 1e15 * rows["energy_weight"],
            "area a weight (um2)": 1e12 * rows["area_weight"],
            "contradiction": [percent(v) for v in rows["contradiction"]],
        }
    )
    phases = read_table(folder, "phases.csv", ("network", "phases", "off", "taken", "t_fixed", "against_implied"))
    best = phases[phases["taken"]]
    said = [
        f"{r['network']}: {int(r['phases'])} periods leave {1e9 * r['t_fixed']:.0f} ns at 5 bits and predict a time at 8 bits "
        f"{percent(r['against_implied'], 1)} from the implied one"
        for r in best.to_dict("records")
    ]
    neighbours = [
        f"{r['network']}, {int(r['phases'])} periods: {percent(r['against_implied'], 1)}"
        for r in phases[phases["off"].abs() == 1].to_dict("records")
    ]
    return Section(
        "What Table 1 implies by itself",
        text=[
            "Operations are two for each of rows x columns: then throughput gives the time of a step. Every printed figure "
            "leaves half a unit of its last digit open; all figures of a network together leave these intervals. A "
            "contradiction is what some of them have to be off beyond rounding; where there is one, only the point of least "
            "contradiction is left.",
            "Energy grows nearly as 2^b, and time with a whole number of periods of 2^b clocks: "
            + "; ".join(said)
            + ". The neighbours: "
            + "; ".join(neighbours)
            + ".",
        ],
        table=table,
    )


def _span(low: float, high: float) -> str:
    return f"{low:.4g}" if f"{low:.4g}" == f"{high:.4g}" else f"{low:.4g} to {high:.4g}"


def _energy(folder: Path, summary: dict) -> Section:
    rows = read_table(folder, "energy.csv", ("block", "level", "window", "v_read", "energy", "bound", "rule", "within"))
    table = pd.DataFrame(
        {
            "block": rows["block"],
            "level": rows["level"],
            "part": rows["window"],
            "V_read (V)": rows["v_read"],
            "energy (pJ)": 1e12 * rows["energy"],
            "power (uW)": 1e6 * rows["power"],
            "bound (pJ)": 1e12 * rows["bound"],
            "rule": rows["rule"],
            "holds": rows["within"],
            "condition": rows["condition"],
        }
    )
    halving = "; ".join(
        f"{r['block']}, {r['level']}: {r['ratio']:.4f} in SPICE, {r['model']:.4f} in the model" for r in summary["halving"]
    )
    return Section(
        "Energy from SPICE",
        text=[
            "Each block has a supply of its own, and the cells' drive lines count from analog ground. Macro-models of op-amp "
            "and comparator draw nothing from a supply: there only the cells' energy is known, and the power of both comes from "
            "the transistors of level sky130.",
            "'equal' holds to 0.1 % and what the op-amp's finite bandwidth takes: while charge flows, the summing node follows "
            f"the drive line, and the cells see less than V_read. All bounds hold: {'yes' if summary['bounds_hold'] else 'no'}.",
            f"Energy of the array at another V_read over that at the first: {halving}. The op-amps' and comparators' power does "
            "not follow V_read.",
        ],
        table=table,
    )


def _terms(folder: Path) -> Section:
    rows = read_table(folder, "terms.csv", ("where", "converter", "block", "energy", "time", "area", "kind", "source"))
    rows = rows[rows["converter"] == "ramp"]
    table = pd.DataFrame(
        {
            "where": rows["where"],
            "block": rows["block"],
            "count": rows["count"],
            "energy (pJ)": 1e12 * rows["energy"],
            "share": [percent(v, 1) for v in rows["share"]],
            "time (ns)": 1e9 * rows["time"],
            "area (um2)": 1e12 * rows["area"],
            "kind of figures": rows["kind"],
        }
    )
    return Section(
        "Every term of a keyword network's time step",
        text=[
            "LSTM of 32 units on 40 inputs, 5 bits. 'ramp': bent ramps in memory; 'conventional': a linear ramp and 32 activation "
            "units. The table has the first; terms.csv has both. Sources follow in the next table. At 16 nm the analog blocks are "
            "scaled by an assumption, whatever the kind of their figures.",
        ],
        picture="terms",
        caption="Shares in energy and area.",
        table=table,
    )


def _sources(folder: Path) -> Section:
    rows = read_table(folder, "terms.csv", ("block", "kind", "source")).drop_duplicates("block")
    return Section("Where each term comes from", table=rows[["block", "kind", "source"]])


def _pareto(folder: Path, summary: dict) -> Section:
    rows = read_table(folder, "accuracy.csv", ("converter", "bits", "accuracy", "low", "high", "energy"))
    table = pd.DataFrame(
        {
            "converter": rows["converter"],
            "bits": rows["bits"],
            "accuracy": [percent(v) for v in rows["accuracy"]],
            "95 %": [f"{percent(a)} to {percent(b)}" for a, b in zip(rows["low"], rows["high"], strict=True)],
            "energy an inference (nJ)": 1e9 * rows["energy"],
            "latency (us)": 1e6 * rows["latency"],
            "area (mm2)": 1e6 * rows["area"],
            "energy at 16 nm (nJ)": 1e9 * rows["projected_energy"],
            "TOPS/W at 16 nm": rows["projected_tops_per_watt"],
        }
    )
    settings = summary["settings"]
    return Section(
        "Accuracy against energy",
        text=[
            f"{settings['task']}, ideal ramps with {settings['threshold_noise']:g} LSB rms of threshold noise on "
            f"{settings['chips']} chips (seed {settings['seed']}); intervals are those of {rows['sequences'].iloc[0]} test "
            "sequences. Both converters have the same accuracy here: what the conventional one rounds twice is not in it. In "
            "energy the two are nearly equal, as integrators and comparators take most of it; they differ in time (latency, and "
            "the sweep below).",
            "On the right the published systems, on Google Speech Commands. Their efficiencies and ours are in the same unit; "
            "the accuracies are of other data and are there to show where a point lies, not to be compared.",
        ],
        picture="pareto",
        caption="Left: resolution against energy. Right: published keyword spotting and our projection.",
        table=table,
        notes=[
            "In the next picture, energy and area efficiency of all columns of Table 1.",
        ],
    )


def _sweeps(folder: Path) -> Section:
    bottleneck = read_table(folder, "bottleneck.csv", ("cycles", "activation_time", "ratio"))
    inside = bottleneck[(bottleneck["ratio"] >= 2) & (bottleneck["ratio"] <= 5)]["cycles"]
    return Section(
        "Resolution, hidden units, array size",
        text=[
            "At 16 nm, inputs of as many bits as outputs but 5 at least; every point is in sweep.csv. Smaller arrays repeat row "
            "drivers and ramp columns.",
            "Cycles of a digital activation: for 512 hidden units and 32 units in parallel the paper's Fig. 1c says that "
            f"activations take 2 to 5 times as long as the products. With 5-bit pulses and ramps of 32 ns that is {inside.min()} "
            f"to {inside.max()} cycles; 3 are taken.",
        ],
        picture="sweeps",
        caption="Energy and time of a step, and what smaller arrays cost.",
        table=bottleneck.assign(
            activation_time=1e9 * bottleneck["activation_time"], product_time=1e9 * bottleneck["product_time"]
        ).rename(columns={"activation_time": "activations (ns)", "product_time": "products (ns)"}),
    )


def _figures(folder: Path, summary: dict) -> Section:
    rows = read_table(folder, "figures.csv", ("name", "value", "unit", "node", "v_dd", "source", "kind"))
    measured = summary["measured"]
    note = "; ".join(f"{r['figure']} {r['ratio']:.3f}" for r in measured)
    return Section(
        "Figures behind the model, and where Table 1's columns lie",
        text=["Figures from SPICE are those of the package; the others are stated with their source and kind."],
        picture="efficiencies",
        caption="Energy and area efficiency: Table 1, its rivals as normalised by its authors, and our projection.",
        table=rows,
        notes=[f"Measured in this run over the package's figures: {note}."] if note else [],
    )
