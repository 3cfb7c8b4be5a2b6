"""The whole budget on a small task: shares that add up, a stopped run that goes on, a page from its folder, and the command."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from characterization.resume import Parts
from cosim.budget import bench as bench_module, run as run_module
from cosim.budget.bench import BudgetBench
from cosim.budget.chips import ChipBuilder
from cosim.budget.run import BudgetSettings, run_budget
from cosim.budget.shapley import exact_shares
from cosim.budget.sources import NAMES, default_amounts, source
from cosim.budget.tolerance_table import scaled_amount
from cosim.chip.hardware import Hardware
from cosim.cli import app
from cosim.cli.networks.budget import command_line
from cosim.evaluation.evaluator import evaluate
from cosim.evaluation.statistics import paired_difference
from cosim.network import Network
from cosim.report.registry import write_report
from cosim.report.settings import RunOptions
from cosim.tasks import SequenceSet, load_task
from netlists.errors import InputError
from netlists.technology.profile import load_profile
from netlists.technology.profile_file import write_profile

NETWORK = Path(__file__).parents[3] / "results" / "demo" / "network.npz"
ON = ("programming", "comparator_offset", "stuck", "ramp_bits")
AMOUNTS = dict.fromkeys(set(NAMES) - set(ON), 0.0) | {"programming": 8e-6, "comparator_offset": 0.02, "stuck": 0.01}
TABLES = ("sources", "shapley", "groups", "tolerances", "losses")
QUIET = RunOptions(progress=False)


def short_task(name):
    """With every sixth test sequence."""
    task = load_task(name)
    few = (getattr(task.test, part)[::6] for part in ("inputs", "lengths", "labels"))
    return replace(task, test=SequenceSet(*few))


@pytest.fixture(scope="module", autouse=True)
def _small():
    with pytest.MonkeyPatch.context() as m:
        m.setattr(run_module, "load_task", short_task)
        yield


def settings(**changes):
    values = {"network": str(NETWORK), "task": "vowels", "bits": 3, "chips": 3, "permutations": 8, "amounts": AMOUNTS}
    return BudgetSettings(**(values | changes))


@pytest.fixture(scope="module")
def evaluations():
    """How often the evaluator ran for `done`."""
    return []


@pytest.fixture(scope="module")
def done(tmp_path_factory, evaluations):
    def counted(*args, **kwargs):
        evaluations.append(1)
        return evaluate(*args, **kwargs)

    out = tmp_path_factory.mktemp("budget") / "vowels"
    with pytest.MonkeyPatch.context() as m:
        m.setattr(bench_module, "evaluate", counted)
        return out, run_budget(settings(), out, QUIET)


def test_shares_add_up_to_the_total(done):
    out, summary = done
    shares = pd.read_csv(out / "shapley.csv")
    assert set(shares["source"]) == set(ON)
    total = summary["float"] - summary["everything"]
    assert total > 0
    assert shares["share"].sum() == pytest.approx(total, abs=1e-6)
    assert pd.read_csv(out / "groups.csv")["share"].sum() == pytest.approx(total, abs=1e-6)
    assert summary["total"]["total_loss"] == pytest.approx(total, abs=1e-9)
    assert (shares["low"] <= shares["share"]).all()
    assert (shares["share"] <= shares["high"]).all()
    assert not (out / ".parts").exists()


def test_sampled_shares_meet_all_coalitions(done, tmp_path):
    """16 sets of 4 sources, by brute force, against the sampled shares within what the orders leave."""
    _, summary = done
    builder = ChipBuilder(Network.load(NETWORK), load_profile("taox-100-400"), 3, seed=1)
    amounts = default_amounts(builder.profile, builder.circuit, 3) | AMOUNTS
    bench = BudgetBench(builder, short_task("vowels").test, 3, amounts, Parts(tmp_path, {}), 1)
    exact = exact_shares(4, lambda mask: -bench.coalition(mask).astype(float)).mean(axis=(1, 2))
    found = {row["source"]: row for row in summary["shapley"]}
    for name, share in zip(bench.names, exact, strict=True):
        half = found[name]["sampling_high"] - found[name]["share"]
        assert abs(found[name]["share"] - share) <= 2 * half + 1 / (62 * 3), name  # an answer of one chip


def test_losses_are_paired_differences_of_the_same_chips(done):
    """Quantisation draws nothing: its loss alone, found again by the evaluator; the interval is Agresti and Min's."""
    _, summary = done
    network, test = Network.load(NETWORK), short_task("vowels").test
    exact, ideal = (evaluate(network, test, h).correct[0] for h in (Hardware(), Hardware(bits=3)))
    row = next(r for r in summary["sources"] if r["source"] == "ramp_bits")
    pair = paired_difference(exact, ideal)
    assert row["alone_loss"] == pytest.approx(pair.value)
    assert (row["alone_low"], row["alone_high"]) == pytest.approx((pair.low, pair.high))
    assert row["accuracy_alone"] == pytest.approx(ideal.mean())


def test_tolerances_are_where_the_loss_is_the_limit(done):
    out, summary = done
    losses = pd.read_csv(out / "losses.csv")
    for t in summary["tolerances"]:
        here = losses[losses["source"] == t["source"]]
        assert (np.diff(here["fit"]) >= -1e-9).all()
        if t["reached"] and not source(t["source"]).resolution:
            fit = np.interp(np.log(t["tolerance"]), np.log(here["amount"]), here["fit"])
            assert fit == pytest.approx(0.01, abs=1e-6)
            assert t["tolerance"] == pytest.approx(t["amount"] * t["factor"])
    assert sum(t["reached"] for t in summary["tolerances"]) >= 3


def test_bits_have_a_step_for_a_factor():
    bits, ohm = source("ramp_bits"), source("ir_drop")
    assert [scaled_amount(bits, 5, f) for f in (0.5, 1, 2, 8)] == [6, 5, 4, 2]
    assert scaled_amount(ohm, 1.5, 4) == 6.0


def test_a_profile_is_its_content(no_pictures, tmp_path, monkeypatch):
    """A stopped budget does not go on with another profile in the same file."""

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench_module, "evaluate", stopped)
    file = write_profile(load_profile("taox-100-400"), tmp_path / "mine.toml")
    with pytest.raises(KeyboardInterrupt):
        run_budget(settings(profile=str(file)), tmp_path / "out", QUIET)
    with pytest.raises(KeyboardInterrupt):
        run_budget(settings(profile=str(shutil.copy(file, tmp_path / "moved.toml"))), tmp_path / "out", QUIET)
    write_profile(replace(load_profile("taox-100-400"), read_sigma=2e-7), file)
    with pytest.raises(InputError, match="other settings \\(profile"):
        run_budget(settings(profile=str(file)), tmp_path / "out", QUIET)


def test_a_stopped_budget_goes_on_and_computes_nothing_twice(done, evaluations, no_pictures, tmp_path, monkeypatch):
    """Stopped three times, and with another number of threads: the same tables from as many evaluations."""
    whole, _ = done
    calls = []

    def stopped_at(stop):
        def counted(*args, **kwargs):
            if len(calls) == stop:
                raise KeyboardInterrupt
            calls.append(1)
            return evaluate(*args, **kwargs)

        monkeypatch.setattr(bench_module, "evaluate", counted)

    for stop in (3, 14, 25):
        stopped_at(stop)
        with pytest.raises(KeyboardInterrupt):
            run_budget(settings(), tmp_path, QUIET)
    stopped_at(None)
    with pytest.raises(InputError, match="parts of a stopped study with other settings \\(chips: 3 there, 4 now\\)"):
        run_budget(settings(chips=4), tmp_path, QUIET)
    # The network is its content, wherever it lies.
    moved = shutil.copy(NETWORK, tmp_path / "moved.npz")
    run_budget(settings(network=str(moved)), tmp_path, RunOptions(jobs=2, progress=False))
    for name in TABLES:
        assert (tmp_path / f"{name}.csv").read_bytes() == (whole / f"{name}.csv").read_bytes()
    assert len(calls) == len(evaluations) > 25


def test_the_page_comes_from_the_folder_alone(done, monkeypatch):
    out, _ = done
    first = (out / "report.html").read_bytes()
    monkeypatch.setattr(bench_module, "evaluate", None)
    assert write_report(out).read_bytes() == first
    text = first.decode()
    for word in ("Waterfall", "programming error", "comparator offset", "Tolerances for 1 %", "docs/budget.md"):
        assert word in text
    for picture in ("waterfall", "tolerances"):
        assert (out / "pictures" / f"{picture}.png").stat().st_size > 10_000
        assert (out / "pictures" / f"{picture}.svg").exists()


@pytest.mark.parametrize("changes", [{}, {"autozero": False, "max_loss": 0.02, "bias_rows": 3}, {"amounts": {"stuck": 1 / 3}}])
def test_the_command_gives_the_same_settings_again(changes, monkeypatch, capsys):
    first, found = settings(**changes), []

    def remember(settings, out, run):
        found.append((settings, run.command))
        raise InputError("far enough")

    monkeypatch.setattr(run_module, "run_budget", remember)
    assert app.run(shlex.split(command_line(first))[1:]) == 2
    ((again, command),) = found
    assert again.amounts == pytest.approx(first.amounts, rel=1e-11)
    assert again.model_copy(update={"amounts": first.amounts}) == first
    assert command == command_line(first)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"permutations": 7}, "permutations=7"),
        ({"chips": 1}, "chips=1"),
        ({"bits": 9}, "bits=9"),
        ({"max_loss": 0.0}, "max_loss=0.0"),
        ({"network": "nowhere.npz"}, "nowhere.npz"),
        ({"task": "sotu"}, "trained on task 'vowels', not on 'sotu'"),
        ({"amounts": {"wires": 1.0}}, "source 'wires': unknown; the sources are programming"),
        ({"amounts": {"stuck": 2.0}}, "stuck=2: must be 1 at most"),
        ({"amounts": {"ramp_bits": 4.0}}, "ramp_bits=4: the ramps have 3 bits"),
        ({"amounts": {"integrator_settling": 1e-6}}, "integrator_settling=1e-06: must be .* at most"),
        ({"amounts": dict.fromkeys(NAMES, 0.0)}, "all are 0"),
        ({"profile": "nothing"}, "profile='nothing'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes, message, tmp_path):
    with pytest.raises(InputError, match=message):
        run_budget(settings(**changes), tmp_path, QUIET)


@pytest.mark.slow
def test_command(tmp_path, capsys):
    zeros = [f"--set={name}=0" for name in NAMES if name not in ("pwm_bits", "ramp_bits")]
    arguments = ["budget", "--network", str(NETWORK), "--chips", "2", "--permutations", "4", "--out", str(tmp_path)]
    arguments += ["--max-loss", "2%", "--quiet", "--json", "--jobs", "1", *zeros]
    assert app.run(arguments) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["settings"]["max_loss"] == 0.02
    assert {row["source"] for row in summary["shapley"]} == {"pwm_bits", "ramp_bits"}
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--network: is not given.*cosim train"),
        (["--network", str(NETWORK), "--max-loss", "much"], "--max-loss 'much'"),
        (["--network", str(NETWORK), "--set", "ir_drop"], "--set 'ir_drop': must be NAME=VALUE"),
        (["--network", str(NETWORK), "--task", "voices"], "was trained on task 'vowels'"),
    ],
)
def test_command_that_is_refused(arguments, message, tmp_path, capsys):
    assert app.run(["budget", *arguments, "--out", str(tmp_path)]) == 2
    assert re.search(message, capsys.readouterr().err)
