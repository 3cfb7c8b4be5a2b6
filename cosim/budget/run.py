"""The error budget of a network: what each source costs alone, what all but it cost, its share of the total, its tolerance."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from characterization.provenance import versions
from characterization.streams import part_sequences
from cosim.chip import describe_split_biases, describe_wire_losses, saturation, split_biases, wire_losses
from cosim.evaluation import Change, accuracy_change, chip_interval, weigh_chips
from cosim.network import Network
from cosim.report import Results, Study, Work
from netlists.converter import AutoZero
from netlists.errors import InputError
from netlists.files import sha256_of
from netlists.technology import load_profile

from ..tasks import load_task
from ..tasks.registry import info
from . import shapley
from .bench import BudgetBench
from .chips import ChipBuilder, fitting_circuit
from .pictures import draw_tolerances, draw_waterfall
from .settings import BudgetSettings
from .sources import GROUPS, check_amounts, default_amounts, measured_comparator, source
from .tolerance_table import tolerance_tables


def compute(settings: BudgetSettings, work: Work) -> Results:
    """Computes losses, Shapley shares, shares of the circuit's parts and tolerances.

    Raises
    ------
    InputError
        A network that the task does not fit or that has no budget, a source or an amount that cannot be, a folder with the parts of
        a stopped budget of other settings.
    """
    path, run = Path(settings.network), work.options
    network = Network.load(path)
    network.task_name(settings.task)
    if info(settings.task).kind != "sequences":
        raise InputError(f"task {settings.task!r}: is a text; a budget is drawn up for classification tasks")
    task = load_task(settings.task)
    notes = network.check_data(task)
    profile = load_profile(settings.profile)
    circuit = fitting_circuit(network, profile, settings.bits)
    autozero = AutoZero() if settings.autozero else None
    own, unmeasured = ({}, []) if settings.comparator is None else measured_comparator(settings.comparator, settings.amounts)
    amounts = default_amounts(profile, circuit, settings.bits, autozero=autozero) | own | settings.amounts
    check_amounts(amounts, profile)
    builder = ChipBuilder(
        network,
        profile,
        settings.bits,
        settings.seed,
        circuit,
        array_rows=settings.array_rows or None,
        array_columns=settings.array_columns or None,
        compensate=settings.compensate,
        autozero=autozero,
        calibration=settings.calibration,
        bias_rows=settings.bias_rows,
    )
    if (bits := amounts["ramp_bits"]) not in (0, settings.bits):
        raise InputError(f"ramp_bits={bits:g}: the ramps have {settings.bits} bits; give bits={bits:g}, or ramp_bits=0")
    if not any(amounts.values()):
        raise InputError("amounts: all are 0; a budget needs a source")
    digest = sha256_of(path)
    # Sets of sources: those of the orders, and about twenty of each source's tolerance.
    sets = (settings.permutations + 20) * sum(map(bool, amounts.values()))
    asked = f"permutations={settings.permutations}" if settings.permutations > 8 * settings.chips else f"chips={settings.chips}"
    if line := weigh_chips(asked, network, task, sets * settings.chips, run.jobs):
        run.say(line)
    bench = BudgetBench(
        builder, task.test, settings.chips, amounts, work.parts(network=digest, data_sha256=task.sha256, own=own), run.jobs
    )
    names = ("orders", "shares", "groups", "tolerances")
    clipped = saturation(network, task.test, builder.hardware(amounts).pwm)
    rng = dict(zip(names, map(np.random.default_rng, part_sequences(settings.seed, len(names))), strict=True))

    orders, parts = shapley.orders(len(bench.names), settings.permutations // 2, rng["orders"]), _parts(bench)
    bench.prepare(_masks(bench, orders, parts), run)
    sources = _losses(bench)
    shares, everything = _shares(bench, orders, rng["shares"])
    groups = _groups(bench, parts)
    tolerances, losses = tolerance_tables(bench, settings.max_loss, rng["tolerances"], run)
    return Results(
        summary={
            "seed": settings.seed,
            **everything,
            "test_sequences": len(task.test),
            "network_sha256": digest,
            "sources": _rows(sources),
            "shapley": _rows(shares),
            "groups": _rows(groups),
            "tolerances": _rows(tolerances),
            "warnings": [
                *notes,
                *unmeasured,
                *network.warnings,
                *(clipped.warnings if clipped else ()),
                *builder.hardware(amounts).warnings,
            ],
            "wires": wire_losses(network, builder.hardware(amounts)),
            "bias_rows": split_biases(network, builder.hardware(amounts)),
            "saturation": clipped.as_dict() if clipped else None,
            "data_sha256": task.sha256,
            "tasks": {task.name: str(task.provenance)},
            "versions": versions(with_ngspice=False),
        },
        tables={
            "sources.csv": sources,
            "shapley.csv": shares,
            "groups.csv": groups,
            "tolerances.csv": tolerances,
            "losses.csv": losses,
        },
        pictures={
            "waterfall": partial(draw_waterfall, shares, everything),
            "tolerances": partial(draw_tolerances, tolerances, losses, settings.max_loss),
        },
        float_format="%.8g",
    )


def _masks(bench: BudgetBench, orders: np.ndarray, parts: dict[str, int]) -> list[int]:
    """Every set of sources that losses, shares and parts of the circuit need."""
    single = [1 << i for i in range(len(bench.names))]
    joining = [mask for order in orders for mask in shapley.coalitions(order)]
    return [*single, *(bench.everything ^ mask for mask in single), *joining, *_unions(parts)]


def _parts(bench: BudgetBench) -> dict[str, int]:
    """The sources of each part of the circuit that has any, as a mask."""
    index = {name: i for i, name in enumerate(bench.names)}
    bits = {g: sum(1 << index[n] for n in names if n in index) for g, names in GROUPS.items()}
    return {g: b for g, b in bits.items() if b}


def _unions(parts: dict[str, int]) -> list[int]:
    """Mask of the sources of each set of parts, whose place is the set's own mask."""
    return [sum(b for i, b in enumerate(parts.values()) if groups >> i & 1) for groups in range(2 ** len(parts))]


def _losses(bench: BudgetBench) -> pd.DataFrame:
    """Loss of each source alone against none, and of all sources against all but it."""
    none, everything, rows = bench.coalition(0), bench.coalition(bench.everything), []
    for i, name in enumerate(bench.names):
        s, amount = source(name), bench.amounts[name]
        alone, rest = bench.coalition(1 << i), bench.coalition(bench.everything ^ 1 << i)
        row: dict[str, Any] = {"source": name, "label": s.label, "amount": amount, "shown": s.display(amount)}
        row |= {"what": s.what, "origin": s.origin, "accuracy_alone": float(alone.mean())}
        row |= _loss("alone", accuracy_change(alone, none))
        row["accuracy_without"] = float(rest.mean())
        rows.append(row | _loss("added", accuracy_change(everything, rest)))
    return pd.DataFrame(rows)


def _loss(name: str, change: Change) -> dict[str, float | None]:
    return {f"{name}_{k}": v for k, v in change.loss_columns().items()}


def _shares(bench: BudgetBench, drawn: np.ndarray, resampling: np.random.Generator) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Shapley shares of the total loss with intervals, largest first, and accuracies with no source and with all."""
    masks = {mask for order in drawn for mask in shapley.coalitions(order)}
    found = shapley.sampled_shares(drawn, lambda mask: -bench.coalition(mask).astype(np.float32))
    low, high = shapley.resampled_interval(found.pairs, resampling)
    sampling_low, sampling_high = found.sampling_interval()
    value = found.value.mean(axis=(1, 2), dtype=np.float64)
    table = pd.DataFrame(
        {
            "source": bench.names,
            "label": [source(n).label for n in bench.names],
            "share": value,
            "low": low,
            "high": high,
            "sampling_low": sampling_low,
            "sampling_high": sampling_high,
        }
    ).sort_values("share", ascending=False, kind="stable")
    none, everything = bench.coalition(0), bench.coalition(bench.everything)
    change = accuracy_change(everything, none)
    figures = {
        "float": float(none.mean()),
        "everything": float(everything.mean()),
        "total": _loss("total", change),
        "sets_of_sources": len(masks),
        "accuracy_of_chips": everything.mean(axis=1).tolist(),
    }
    return table, figures


def _groups(bench: BudgetBench, bits: dict[str, int]) -> pd.DataFrame:
    """Exact Shapley shares of the parts of the circuit, each switched on as a whole; intervals over test items and chips."""
    unions = _unions(bits)
    each = shapley.exact_shares(len(bits), lambda groups: -bench.coalition(unions[groups]).astype(float))
    rows = []
    for group, loss in zip(bits, each, strict=True):
        names = [source(n).label for n in GROUPS[group] if n in bench.names]
        row: dict[str, Any] = {"part": group, "sources": ", ".join(names), "share": float(loss.mean())}
        for kind, values in (("items", loss.mean(axis=0)), ("chips", loss.mean(axis=1))):
            # One number an item, or a chip: Student's t serves both.
            interval = chip_interval(values)
            row |= {f"{kind}_low": interval.low, f"{kind}_high": interval.high}
        rows.append(row)
    return pd.DataFrame(rows)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as strict JSON takes them."""
    clean = table.astype(object).where(table.notna(), None)
    return [{k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()} for row in clean.to_dict("records")]


def describe(summary: dict[str, Any]) -> str:
    """For reading: the total, the shares, the tolerances."""
    total = summary["total"]
    lines = [
        f"{summary['settings']['task']}: float {summary['float']:.4f}, everything on {summary['everything']:.4f}: loss "
        f"{total['total_loss']:.4f} ({total['total_low']:.4f}..{total['total_high']:.4f} on the same sequences)",
        *describe_split_biases(summary["bias_rows"]),
        *describe_wire_losses(summary["wires"]),
        "share of it and tolerance alone:",
    ]
    tolerances = {row["source"]: row for row in summary["tolerances"]}
    limit = summary["settings"]["max_loss"]
    for row in summary["shapley"]:
        t = tolerances[row["source"]]
        lines.append(
            f"  {row['label']:20s} {row['share']:+.4f} ({row['low']:+.4f}..{row['high']:+.4f})   {100 * limit:g} %: {t['text']} "
            f"(has {t['shown']})"
        )
    return "\n".join(lines)


STUDY = Study("budget", BudgetSettings, compute, describe)
run_budget = STUDY.run
