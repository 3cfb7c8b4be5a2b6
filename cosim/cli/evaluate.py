"""The command that says what hardware does to a network: evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cosim.chip import ENGINES, PARTIAL_SUMS, STATE_UNITS, Arrays, Hardware, LinearAdc, PwmInputs
from cosim.evaluation import compare, load_models
from cosim.network import Network
from netlists.errors import InputError
from netlists.technology import load_profile

from ..tasks import TASKS
from . import options as o
from .app import answer, app


@app.command()
def evaluate(
    network: Annotated[Path, typer.Option(help="Network file.")],
    task: Annotated[
        str | None, typer.Option(help=f"Task: {', '.join(TASKS)}. Default: the one the network was trained on.")
    ] = None,
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
    state_unit: Annotated[
        str, typer.Option(help=f"What computes activations of digital values, such as tanh(c): {', '.join(STATE_UNITS)}.")
    ] = "float",
    threshold_noise: Annotated[
        float, typer.Option(metavar="LSB", help="Rms error of each threshold of each column, local steps of the ramp.")
    ] = 0.0,
    weights: Annotated[
        str | None,
        typer.Option(metavar="PROFILE", help="Weights on memristors of this device profile: a built-in name or a .toml file."),
    ] = None,
    no_variation: Annotated[
        bool, typer.Option("--no-variation", help="Weights exactly as programmed: no programming error, no read noise.")
    ] = False,
    r_wire: Annotated[
        float, typer.Option(metavar="OHM", help="Wire resistance of a cell along rows and columns; needs --weights.")
    ] = 0.0,
    array_rows: Annotated[int | None, typer.Option(help="Cells along a column of an array. Default: one array a matrix.")] = None,
    array_columns: Annotated[int | None, typer.Option(help="Cells along a row of an array.")] = None,
    partial_sums: Annotated[
        str, typer.Option(help=f"Where sums of arrays meet: {', '.join(PARTIAL_SUMS)} (digital needs --adc-bits).")
    ] = "charge",
    drift: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Time since programming; needs --weights with relaxation data.")
    ] = None,
    pwm_bits: Annotated[int | None, typer.Option(help="Round inputs and states to pulse widths of so many bits.")] = None,
    v_read: Annotated[float | None, typer.Option(metavar="VOLTS", help="Read voltage. Default: that of the models, 0.2.")] = None,
    temperature: Annotated[float | None, typer.Option(metavar="CELSIUS", help="Needs models with a table of it.")] = None,
    supply: Annotated[float | None, typer.Option(metavar="VOLTS", help="Needs models with a table of it.")] = None,
    characters: Annotated[int | None, typer.Option(help="Only so many characters of the test text. Default: all.")] = None,
    engine: Annotated[str, typer.Option(help=f"Converters: {', '.join(ENGINES)}; both give the same codes.")] = "numba",
    chips: Annotated[int, typer.Option(help="Chips to draw; one if nothing about the hardware is random.")] = 16,
    seed: Annotated[int, typer.Option(help="Chip i depends on the seed and i alone.")] = 1,
    jobs: Annotated[int, typer.Option(help="Threads; 0 takes every core. The numbers do not depend on it.")] = 0,
    json: o.Json = False,
) -> None:
    """What hardware does to a network: float, ideal converters and drawn chips, compared on the same test items.

    Converters are ramps of fitted models (--sigmoid, --tanh, --model), ideal ramps (--bits), or the conventional scheme
    (--adc-bits); without any of them activations are exact. Options for weights, inputs and conditions add to each.

    Example: cosim evaluate --task vowels --network nets/vowels.npz
    --sigmoid models/sigmoid5.json --tanh models/tanh5.json --chips 16 --seed 1

    Example: cosim evaluate --network nets/voices.npz --bits 4 --threshold-noise 0.5 --weights taox-100-400 --pwm-bits 5

    Example: cosim evaluate --network nets/voices.npz --adc-bits 5 --table-bits 5 --v-read 0.15
    """
    if table_bits is not None and adc_bits is None:
        raise InputError(f"--table-bits {table_bits}: is of the conventional scheme; give --adc-bits as well")
    models = load_models(model or [], sigmoid=sigmoid, tanh=tanh)
    options: dict[str, Any] = {
        "adc": None if adc_bits is None else LinearAdc(adc_bits, **({} if table_bits is None else {"table_bits": table_bits})),
        "state_unit": state_unit,
        "threshold_noise": threshold_noise,
        "arrays": _arrays(weights, no_variation, r_wire, array_rows, array_columns, partial_sums, drift),
        "pwm": None if pwm_bits is None else PwmInputs(pwm_bits),
        "v_read": v_read,
        "temperature": temperature,
        "supply": supply,
    }
    hardware = Hardware.fitted(models, bits, **options) if models else Hardware(bits=bits, **options)
    result = compare(
        Network.load(network),
        task,
        hardware,
        chips=chips,
        seed=seed,
        characters=characters,
        engine=engine,
        threads=o.workers(jobs),
    )
    held_out = [f"    {a} {m.bits} bits, held out: {m.validated()}" for a, m in models.items()]
    answer(
        result.as_dict() | {"validation": {a: m.validation for a, m in models.items()}},
        "\n".join([result.report(), *held_out]),
        json,
    )


def _arrays(
    profile: str | None,
    no_variation: bool,
    r_wire: float,
    rows: int | None,
    columns: int | None,
    partial_sums: str,
    drift: float | None,
) -> Arrays | None:
    """Arrays of memristors; None: exact weights."""
    if profile is None:
        asked = {
            "--r-wire": r_wire != 0.0,
            "--array-rows": rows is not None,
            "--array-columns": columns is not None,
            "--drift": drift is not None,
            "--no-variation": no_variation,
            "--partial-sums": partial_sums != "charge",
        }
        if given := [option for option, is_given in asked.items() if is_given]:
            raise InputError(
                f"{given[0]}: says how arrays of memristors behave; give --weights PROFILE as well, such as taox-100-400"
            )
        return None
    device = load_profile(profile)
    return Arrays(
        device.without_variation() if no_variation else device,
        max_rows=rows,
        max_columns=columns,
        partial_sums=partial_sums,
        r_row=r_wire,
        r_col=r_wire,
        drift_time=drift,
    )
