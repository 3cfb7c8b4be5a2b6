"""A project to start from: its plan is read, its comparator fits, and nothing that is there is replaced."""

from characterization.plan import load_plan_file
from cosim.cli.app import run
from cosim.report.settings import load_settings
from cosim.studies.stuck.settings import StuckSettings
from netlists import load_user_subcircuit


def test_a_project_is_written_once_and_its_files_are_sound(tmp_path, capsys):
    folder = tmp_path / "mine"
    assert run(["init", str(folder)]) == 0
    plan = load_plan_file(folder / "plan.toml")
    assert (plan.samples, [p.bits for _, p in plan.plans()]) == (256, [5])
    assert load_user_subcircuit(f"{folder / 'comparator.cir'}:mycomp", "comparator").ports
    assert load_settings(StuckSettings, folder / "study.toml").samples == 64
    assert "cosim study stuck --preset study.toml" in (folder / "Makefile").read_text()
    assert "cosim characterize --plan plan.toml" in (folder / "Makefile").read_text()
    (folder / "plan.toml").write_text("mine")
    assert run(["init", str(folder)]) == 2
    assert "plan.toml: is there already" in capsys.readouterr().err
    assert (folder / "plan.toml").read_text() == "mine"
