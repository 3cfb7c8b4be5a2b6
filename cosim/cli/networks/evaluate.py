"""``cosim evaluate``: what hardware does to a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from characterization.compact import CompactModel
from netlists.errors import InputError
from netlists.files import make_folder, write_json
from netlists.technology import load_profile

from ...chip import ENGINES, Arrays, Hardware
from ...report import EVALUATION
from ...tasks import TASKS, load_data
from .. import options as o
from ..fields import Given, Options
from ..output import answer, notes
from .whole_chip import FLAGS, WholeChip

HARDWARE = Options(
    only=("state_unit", "threshold_noise", "v_read", "temperature", "supply"),
    helps={
        "v_read": "Read voltage. Default: that of the models, 0.2",
        "temperature": "Deg C; needs models with a table of it",
        "supply": "Volts; needs models with a table of it",
    },
)
ARRAYS = Options(
    only=("max_rows", "max_columns", "partial_sums", "drift_time", "compensate", "bias_rows"),
    flags=FLAGS,
    helps={
        "drift_time": "Seconds after programming, of weights and fitted ramps alike. Default: no relaxation",
        "max_rows": "Cells along a column of an array. 0 is one array a matrix. Default: 0; with --everything 64",
        "max_columns": "Cells along a row of an array, likewise",
    },
)


WHOLE = ("bits", "pwm_bits", "adc_bits")
SWEPT = (*WHOLE, "threshold_noise", "delta", "r_wire", "v_read", "temperature", "supply")


def evaluate(
    *,
    network: o.NetworkFile,
    task: Annotated[
        str | None, typer.Option(help=f"Task: {', '.join(TASKS)}. Default: the one the network was trained on.")
    ] = None,
    data: o.Data = None,
    sigmoid: Annotated[Path | None, typer.Option(metavar="FILE", help="Model of the sigmoid ramp.")] = None,
    tanh: Annotated[Path | None, typer.Option(metavar="FILE", help="Model of the tanh ramp.")] = None,
    model: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Model of a ramp of any activation; may be repeated.")
    ] = None,
    bits: Annotated[
        int | None, typer.Option(help="Ideal ramps of this resolution, 1..16; with models: the resolution they must have.")
    ] = None,
    adc_bits: Annotated[
        int | None, typer.Option(help="Conventional scheme: linear converters of this resolution, 1..12, and a digital table.")
    ] = None,
    table_bits: Annotated[int | None, typer.Option(help="Bits of the values in that table. Default: 8.")] = None,
    hardware: Annotated[Given[Hardware], HARDWARE],
    profile: Annotated[
        str | None,
        typer.Option(
            "--weights", metavar="PROFILE", help="Weights on memristors of this device profile: a built-in name or a .toml file."
        ),
    ] = None,
    no_variation: Annotated[
        bool, typer.Option("--no-variation", help="Weights exactly as programmed: no programming error, no read noise.")
    ] = False,
    r_wire: Annotated[
        float, typer.Option(metavar="OHM", help="Wire resistance of a cell along rows and columns; needs --weights.")
    ] = 0.0,
    arrays: Annotated[Given[Arrays], ARRAYS],
    columns: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Fitted models of the columns' blocks (`cosim fit --blocks`) around the ramps; needs --weights."
        ),
    ] = None,
    pwm_bits: Annotated[int | None, typer.Option(help="Round inputs and states to pulse widths of so many bits.")] = None,
    input_range: o.InputRange = "4",
    delta: o.DeltaThreshold = None,
    delta_state: o.DeltaStateThreshold = None,
    whole: WholeChip,
    characters: Annotated[int | None, typer.Option(help="Only so many characters of the test text. Default: all.")] = None,
    engine: Annotated[
        str | None,
        typer.Option(help=f"Converters: {', '.join(ENGINES)}; both give the same codes. Default: numba, if it is installed."),
    ] = None,
    chips: Annotated[int, typer.Option(help="Chips to draw; one if nothing about the hardware is random.")] = 16,
    seed: o.Seed = o.SEED,
    swept: Annotated[
        list[str] | None,
        typer.Option("--sweep", metavar="NAME=VALUES", help=f"Vary {', '.join(SWEPT)}: bits=3..8, or 0,0.5,1; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help=f"Folder to write: {EVALUATION}, the answer of --json; of --sweep its table and page."),
    ] = None,
    jobs: o.Jobs = 0,
    quiet: o.Quiet = False,
    json: o.Json = False,
) -> None:
    """What hardware does to a network: float, ideal converters and drawn chips, compared on the same test items.

    Converters are ramps of fitted models (--sigmoid, --tanh, --model), ideal ramps (--bits), or the conventional scheme
    (--adc-bits); without any of them activations are exact. Options for weights, inputs and conditions add to each.

    Example: cosim evaluate --task vowels --network nets/vowels.npz
    --sigmoid models/sigmoid5.json --tanh models/tanh5.json --chips 16 --seed 1

    Example: cosim evaluate --network nets/vowels.npz --sigmoid models/sigmoid5.json --tanh models/tanh5.json
    --weights taox-100-400 --columns models/blocks

    Example: cosim evaluate --network nets/voices.npz --bits 4 --threshold-noise 0.5 --weights taox-100-400 --pwm-bits 5

    Example: cosim evaluate --network nets/mine.npz --data mine.npz --bits 5 --pwm-bits 8 --input-range auto

    Example: cosim evaluate --network nets/mine.npz --data mine.npz --sweep bits=3..8 --sweep threshold_noise=0,0.5,1 --out sweep

    Example: cosim evaluate --network nets/voices.npz --bits 5 --pwm-bits 5 --delta 0.25

    Example: cosim evaluate --network nets/voices.npz --adc-bits 5 --table-bits 5 --v-read 0.15

    Example: cosim evaluate --network nets/voices.npz --everything --bits 5 --bias-rows 2 --set stuck=0.001
    """
    from characterization.compact import FittedColumns
    from netlists.converter import AutoZero

    from ...chip import Integrators, LinearAdc, PwmInputs
    from ...evaluation import compare, load_models
    from ...network import Network

    if table_bits is not None and adc_bits is None:
        raise InputError(f"--table-bits {table_bits}: is of the conventional scheme; give --adc-bits as well")
    net, models = Network.load(network), load_models(model or [], sigmoid=sigmoid, tanh=tanh)
    if columns is not None and profile is None:
        raise InputError(f"--columns {columns}: their arrays load them; give --weights PROFILE as well, such as taox-100-400")
    blocks = None if columns is None else FittedColumns.load(columns, **({"autozero": None} if whole.autozero is False else {}))
    variables = o.sweep_from(swept, SWEPT)
    taken = {"bits": bits, "pwm_bits": pwm_bits, "adc_bits": adc_bits, "delta": delta, "r_wire": r_wire or None}
    taken |= {name: hardware.values[name] for name in hardware.changed}
    if pwm_bits is None and "pwm_bits" not in variables and input_range != "4":
        raise InputError(f"--input-range {input_range}: is the range of pulse widths; give --pwm-bits as well")
    if variables and out is None:
        raise InputError("--sweep: needs --out FOLDER, for its table, pictures and page")
    if out is not None and not variables:
        from ...report import check_owner

        check_owner(out, "evaluate")
    if fixed := [name for name in variables if name in taken and taken[name] is not None]:
        raise InputError(f"--{fixed[0].replace('_', '-')}: is varied by --sweep; give one of them")

    def hardware_of(point: Mapping[str, float]) -> Hardware:
        if broken := [n for n, v in point.items() if n in WHOLE and v != int(v)]:
            raise InputError(f"--sweep {broken[0]}={point[broken[0]]:g}: must be a whole number")
        whole_numbers = {n: int(v) for n, v in point.items() if n in WHOLE}
        others = {n: v for n, v in point.items() if n not in (*WHOLE, "r_wire", "delta")}
        return build(
            given=replace(hardware, values={**hardware.values, **others}),
            r_wire=point.get("r_wire", r_wire),
            delta=point.get("delta", delta),
            **whole_numbers,
        )

    def build(
        given: Given[Hardware],
        r_wire: float,
        delta: float | None,
        bits: int | None = bits,
        pwm_bits: int | None = pwm_bits,
        adc_bits: int | None = adc_bits,
    ) -> Hardware:
        if whole.everything:
            others = {
                "--model, --sigmoid, --tanh": bool(models),
                "--adc-bits": adc_bits is not None,
                "--no-variation": no_variation,
                "--columns": columns is not None,
            }
            others |= {"--delta": delta is not None, "--r-wire": r_wire != 0.0} | {
                HARDWARE.flag(name): True for name in given.changed
            }
            others |= {ARRAYS.flag(name): True for name in arrays.changed if name in ("partial_sums", "drift_time")}
            if unfit := [flag for flag, is_given in others.items() if is_given]:
                raise InputError(f"{unfit[0]}: is not for --everything, whose circuit has its own; change amounts with --set")
            return whole.hardware(net, profile, bits, pwm_bits, arrays)
        whole.check(integrators=True)
        table = {} if table_bits is None else {"table_bits": table_bits}
        adc = None if adc_bits is None else LinearAdc(adc_bits, **table)
        return given.make(
            **({"ramps": Hardware.fitted(models, bits).ramps} if models else {"bits": bits}),
            adc=adc,
            integrators=None
            if whole.autozero is None or blocks is not None
            else Integrators.measured(AutoZero() if whole.autozero else None),
            arrays=_arrays(profile, no_variation, r_wire, arrays, ramps_age=bool(models)),
            drift_time=arrays.values["drift_time"],
            columns=blocks,
            pwm=None if pwm_bits is None else PwmInputs(pwm_bits, o.input_range(input_range)),
            delta=o.delta_inputs(delta, delta_state),
        )

    named = o.task_or_data(task, data)
    how: dict[str, Any] = {"chips": chips, "seed": seed, "characters": characters, "engine": engine}
    how |= {"threads": o.workers(jobs)}
    if variables:
        assert out is not None
        from ...report import read_table
        from ...sweep import run_sweep

        del how["threads"]
        options = o.run_options(jobs, quiet, command=o.as_typed())
        found = run_sweep(net, load_data(net.task_name(named)), hardware_of, variables, out, options, **how)
        table = read_table(out, "sweep.csv")
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        shown = table[[*variables, "float", "ideal", "mean", "minus_float"]].to_string(index=False)
        answer(found | {"out": str(out), "rows": rows}, f"{shown}\nwritten: {out}, with report.html", json)
        return
    on = hardware_of({})
    result = compare(net, named, on, tell=notes(quiet), **how)
    judged, saved = result.as_dict(), None
    judged["warnings"] = [*judged["warnings"], *whole.warnings]
    if result.delta is not None:
        from ...cost import delta_saving

        try:
            saved = delta_saving(net, on, result.delta)
        except InputError as e:
            judged["warnings"].append(f"delta: the energy that it saves has no price here ({e})")
    held_out = [] if blocks is None else [f"    {name}, held out: {_errors(m)}" for name, m in blocks.models.items()]
    held_out += [f"    {a} {m.bits} bits, held out: {m.validated()}" for a, m in models.items()]
    judged |= {} if saved is None else {"delta_saving": saved.as_dict()}
    judged["validation"] = {a: m.validation for a, m in models.items()} | ({} if blocks is None else {"columns": blocks.held_out})
    lines = [result.report(), *([] if saved is None else saved.report()), *held_out]
    if out is not None:
        write_json(make_folder(out) / EVALUATION, judged | {"command": o.as_typed()})
        lines.append(f"written: {out / EVALUATION}")
    answer(judged, "\n".join(lines), json)


def _errors(model: CompactModel) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in model.validation.items()) or "not checked yet"


def _arrays(profile: str | None, no_variation: bool, r_wire: float, given: Given[Arrays], ramps_age: bool) -> Arrays | None:
    """Arrays of memristors; None: exact weights. Ramps of models age without them."""
    if profile is None:
        changed = [name for name in given.changed if name != "drift_time" or not ramps_age]
        asked = {"--r-wire": r_wire != 0.0, "--no-variation": no_variation}
        if flags := [*(flag for flag, is_given in asked.items() if is_given), *map(ARRAYS.flag, changed)]:
            raise InputError(
                f"{flags[0]}: says how arrays of memristors behave; give --weights PROFILE as well, such as taox-100-400"
            )
        return None
    device = load_profile(profile)
    drawn = device.without_variation() if no_variation else device
    return given.or_none("max_rows", "max_columns").make(profile=drawn, r_row=r_wire, r_col=r_wire)
