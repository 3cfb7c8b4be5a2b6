"""Pictures of a run show the numbers that its tables give; chips are made by hand, nothing is simulated."""

import numpy as np
import pandas as pd
import pytest

from characterization.estimates import summary
from characterization.figures import inl_input
from characterization.plan import Limits, RampPlan
from characterization.run import Run
from cosim.report import draw_inl_bands, draw_run, write_figure
from netlists.errors import InputError


def made(sigma=0.3, n=40, seed=1, failed=()):
    """Chips whose levels are off by so many LSB before calibration and a third of it after."""
    plan = RampPlan("sigmoid", 3, seed=seed)
    program = plan.program()
    rng = np.random.default_rng(seed)
    k, x = np.arange(1, len(program.x) + 1), program.x
    tables = {True: [], False: []}
    for sample in range(n):
        off = sigma * rng.standard_normal() * program.lsb + 0.05 * program.lsb * rng.standard_normal(len(x))
        for state in tables:
            values = np.where(sample in failed, np.nan, x + off * (1 / 3 if state else 1))
            tables[state].append(pd.DataFrame({"sample": sample, "k": k, "x_ideal": x, "x": values, "calibrated": state}))
    status = ["failed" if i in failed else "ok" for i in range(n)]
    samples = pd.DataFrame({"sample": range(n), "status": status})
    rows = pd.concat(tables[True] + tables[False], ignore_index=True)
    return Run(plan, rows, rows[rows["calibrated"]].drop(columns="calibrated"), samples)


def line(axis, label):
    return next(drawn for drawn in axis.get_lines() if drawn.get_label() == label)


def test_the_picture_shows_median_inl_and_the_yield_of_the_table():
    run, limits = made(failed=(3,)), Limits(max_inl=0.2, max_dnl=5.0)
    figure = draw_run(run, limits)
    (above, inl), (_, share) = np.reshape(figure.axes, (2, 2))
    levels = np.delete(run.levels(calibrated=False), 3, axis=0)
    np.testing.assert_allclose(line(inl, "as programmed").get_ydata(), np.median(inl_input(levels, run.plan.program()), axis=0))
    np.testing.assert_allclose(line(above, "target").get_ydata(), run.plan.program().x)
    found = summary(run, limits)
    for state, label in (("before", "as programmed"), ("after", "calibrated")):
        wanted = found["columns"]["calibrating"]["yield"][state]
        curve = line(share, f"{label}, calibrating column")
        at, value = curve.get_xdata(), curve.get_ydata()
        assert value[np.searchsorted(at, 0.2, side="right") - 1] == pytest.approx(100 * wanted["value"])
    bar = next(c for c in share.containers)
    assert bar.lines[0].get_ydata()[0] == pytest.approx(100 * found["columns"]["calibrating"]["yield"]["before"]["value"])


def test_a_run_without_a_measured_chip_and_other_files_are_named(tmp_path):
    with pytest.raises(InputError, match="none of its 2 chips was measured"):
        draw_run(made(n=2, failed=(0, 1)))
    figure = draw_inl_bands({"a": made(), "b": made(0.6)})
    for name in ("a.png", "a.svg", "a.pdf"):
        write_figure(tmp_path / name, figure)
        assert (tmp_path / name).stat().st_size > 1000
    # A fifth would have no colour, and was left out.
    with pytest.raises(InputError, match="runs: are 5"):
        draw_inl_bands({name: made(n=2) for name in "abcde"})
    with pytest.raises(InputError, match=r"a\.bmp: a picture must end in"):
        write_figure(tmp_path / "a.bmp", figure)
