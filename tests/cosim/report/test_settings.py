"""What studies share: settings and presets, published figures, the command of a folder."""

import pytest

from cosim.report.published import Beside, beside, published
from cosim.report.registry import STUDIES, command, load_study
from cosim.report.settings import StudySettings, describe_settings, load_settings
from netlists.errors import InputError


class Settings(StudySettings):
    samples: int = 3
    tasks: tuple[str, ...] = ("voices",)
    sigma: float = 1.0


@pytest.mark.parametrize("name", [name for name, entry in STUDIES.items() if entry.question])
def test_presets_hold_the_defaults(name):
    study = load_study(name)
    assert study.name == name
    preset = load_settings(study.settings, study.preset)
    if name == "devices":
        # Its defaults say nothing about anybody's cells; the preset is one publication's.
        preset = study.settings(data=preset.data, tables=preset.tables)
    assert preset == study.settings()


def test_changes_come_after_the_preset(tmp_path):
    preset = tmp_path / "mine.toml"
    preset.write_text('samples = 5\ntasks = ["digits"]\n')
    found = load_settings(Settings, preset, ["samples=7", "sigma=2"])
    assert found == Settings(samples=7, tasks=("digits",), sigma=2.0)
    assert "samples=7" in describe_settings(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("samples=x", "samples='x'"),
        ("samples=1.5", "samples=1.5"),
        ("other=1", "other: unknown; the names are samples, tasks, sigma"),
        ("samples", "must be NAME=VALUE"),
        ("sigma=nan", "finite"),
        ("tasks=3", "tasks=3"),
    ],
)
def test_settings_that_cannot_be(change, message):
    with pytest.raises(InputError, match=message):
        load_settings(Settings, None, [change])


@pytest.mark.parametrize("content", [b"samples = ", b"\xff", b"\xff\xfes\0"])
def test_presets_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.toml: not (a valid preset|valid TOML)"):
        load_settings(Settings, path)
    with pytest.raises(InputError, match="there is no such preset"):
        load_settings(Settings, tmp_path / "none.toml")


def test_published_figures_beside_ours():
    figure = published("lm-bpc")
    assert (figure.value, figure.unit) == (1.349, "bits per character")
    table = beside([Beside(figure, 1.729, False, "another text")])
    assert table.iloc[0]["published"] == "1.349"
    assert table.iloc[0]["ours"] == "1.729"
    with pytest.raises(InputError, match="unknown"):
        published("nothing")


def test_the_command_of_a_folder_names_what_differs_from_the_preset():
    settings = load_study("vread").settings().model_dump(mode="json")
    assert command({"study": "vread", "settings": settings}) == "cosim study vread"
    changed = command({"study": "vread", "settings": settings | {"samples": 4}})
    assert changed == "cosim study vread --set 'samples=4'"
    before = {"study": "error-sources", "tasks": {"voices": "recordings", "digits": "images"}, "chips": 16, "seed": 1}
    assert command(before) == """cosim study error-sources --set 'tasks=["voices", "digits"]'"""
    assert command({"study": "loop", "command": "cosim loop --seed 3"}) == "cosim loop --seed 3"
