"""A study: settings that a TOML file can give, and what is computed from them; the frame makes its folder of that."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from inspect import getfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import joblib

from characterization.lock import locked
from characterization.processes import in_workers
from characterization.progress_bar import progress_bar
from characterization.provenance import versions
from characterization.resume import Parts
from cosim.compiled import chosen_engine
from netlists.errors import InputError
from netlists.files import make_folder, sha256_of, write_json
from netlists.machine import weigh

from .file_names import EVALUATION
from .registry import command, write_report, write_sums
from .settings import RunOptions
from .tables import write_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Rows = list[dict[str, Any]]


class Settings(Protocol):
    """Settings of a study: a `StudySettings`, or a dataclass that can be written as JSON too."""

    def as_dict(self) -> dict[str, Any]: ...


class Work:
    """What a study works with: its settings, its folder, its finished parts, and how it runs.

    The folder is made when it is first asked for: what cannot be is said before anything is written.
    """

    def __init__(self, settings: Settings, out: Path, options: RunOptions) -> None:
        self.settings, self.options = settings, options
        self.place = Path(out)
        self._parts: Parts | None = None
        self._lock = ExitStack()

    @cached_property
    def out(self) -> Path:
        """Makes the study's folder."""
        return make_folder(self.place)

    def files(self) -> dict[str, str]:
        """Digests of the device profiles and the like that settings name: such a file is its content, wherever it lies."""
        texts = {name: value for name, value in self.settings.as_dict().items() if isinstance(value, str)}
        return {n: sha256_of(Path(v)) for n, v in texts.items() if v.endswith(".toml") and Path(v).is_file()}

    def parts(self, **more: Any) -> Parts:
        """Opens the finished parts, which depend on the settings and on ``more``, as JSON has it."""
        if self._parts is None:
            place = self.options.work or self.out
            self._lock.enter_context(locked(make_folder(place / ".parts")))
            self._parts = Parts(place, self.settings.as_dict() | self.files() | more)
        return self._parts

    def rows(self, jobs: Mapping[str, Callable[[], Rows]], unit: str, title: str) -> list[Rows]:
        """Computes the rows of each part in worker processes, or reads them, in the order of the names."""
        parts = self.parts()
        calls = [joblib.delayed(parts.rows)(name, compute) for name, compute in jobs.items()]
        found = in_workers(calls, self.options.jobs)
        return list(progress_bar(found, title, len(calls), unit, show=self.options.progress))

    def done(self) -> None:
        """Removes the parts, unless they lie in a folder that was asked for."""
        if self._parts is not None and self.options.work is None:
            self._parts.done()
        self.close()

    def close(self) -> None:
        """Lets another process work here."""
        self._lock.close()


@dataclass(frozen=True, eq=False)
class Results:
    """What a study found.

    Attributes
    ----------
    summary : mapping
        Values of ``summary.json`` beside those that every study has.
    tables : mapping of str to DataFrame
        By the name of the file, ``.csv`` or ``.parquet``.
    pictures : mapping of str to callable
        What draws each picture in ``pictures/``; the names are without suffix.
    float_format : str or None
        Of the CSV tables.
    warnings : sequence of str
        What a reader of the numbers must know, as that a model was used outside its fit.
    """

    summary: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    pictures: Mapping[str, Callable[[], Figure]] = field(default_factory=dict)
    float_format: str | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Takes:
    """What a study takes.

    Attributes
    ----------
    seconds : float
        With the default settings on two cores.
    work : callable
        How much is to be computed with some settings, in a unit of its own.
    memory : callable
        Bytes that settings take where they can ask for more than a machine has.
    """

    seconds: float
    work: Callable[[Any], float]
    memory: Callable[[Any], float] = lambda _: 0.0

    def weigh(self, settings: Any, out: Path) -> str:
        """What the settings take, as `netlists.machine.weigh` says it; a message names the one that adds most."""
        standard = type(settings)()
        alone = {n: standard.model_copy(update={n: value}) for n, value in settings if value != getattr(standard, n)}
        name = max(alone, key=lambda n: (self.memory(alone[n]), self.work(alone[n])), default="")
        what = f"{name}={getattr(settings, name)}" if name else "settings"
        seconds = self.seconds * self.work(settings) / self.work(standard)
        return weigh(what, seconds=seconds, memory=self.memory(settings), folder=out)


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes
    ----------
    name : str
        Of the command, the preset and the folder under results/.
    settings : type of Settings
    compute : callable
        From settings and `Work` to `Results`.
    describe : callable
        From the summary to a few lines for the terminal.
    takes : Takes or None
        None: what it computes weighs itself, once it knows its data.
    networks : bool
        Whether it computes networks, of which summary and page say by which engine.
    """

    name: str
    settings: type[Any]
    compute: Callable[[Any, Work], Results]
    describe: Callable[[dict[str, Any]], str]
    takes: Takes | None = None
    networks: bool = True

    @property
    def preset(self) -> Path:
        """Names the file of the defaults, in the study's folder."""
        return Path(getfile(self.settings)).with_name("preset.toml")

    def run(self, settings: Settings, out: Path, options: RunOptions | None = None) -> dict[str, Any]:
        """Computes, and writes tables, ``pictures/``, ``summary.json`` and ``report.html``.

        Returns
        -------
        dict
            What ``summary.json`` holds.

        Raises
        ------
        InputError
            Settings that cannot be, or a folder with the parts of a stopped study of other settings.
        SimulationError, ToolkitError
            As the study's steps raise them.
        """
        start = time.perf_counter()
        check_owner(out, self.name)
        options = options or RunOptions()
        if self.networks:
            # Its workers do not say it.
            chosen_engine()
        if self.takes is not None and (line := self.takes.weigh(settings, Path(out))):
            options.say(line)
        work = Work(settings, out, options)
        try:
            return self._write(settings, work, self.compute(settings, work), start)
        finally:
            work.close()

    def _write(self, settings: Settings, work: Work, found: Results, start: float) -> dict[str, Any]:
        for name, table in found.tables.items():
            write_table(work.out / name, table, found.float_format)
        save_pictures(work.out / "pictures", found.pictures)
        head = {"study": self.name, "settings": settings.as_dict()}
        asked = work.options.command or command(head)
        made: dict[str, Any] = {"command": asked, "warnings": list(dict.fromkeys(found.warnings)), "versions": versions()}
        if self.networks:
            made["engine"] = chosen_engine()
        made["wall_seconds"] = round(time.perf_counter() - start, 1)
        summary = head | dict(found.summary)
        summary |= {name: value for name, value in made.items() if name not in summary}
        write_json(work.out / "summary.json", summary)
        write_sums(work.out, ["summary.json", *found.tables])
        write_report(work.out)
        work.done()
        return summary


def check_owner(out: Path, name: str) -> None:
    """Raises `InputError` if a folder holds a run, or results of something else than the study of this name, or "evaluate"."""
    for owner in _owners(Path(out)):
        if owner != name:
            whose = f"those of {owner!r}" if owner else "not of a study of this toolkit"
            raise InputError(f"{out}: holds results, {whose}; choose another folder")


def _owners(out: Path) -> Iterator[str | None]:
    if (out / EVALUATION).exists():
        yield "evaluate"
    from characterization.run.folder import MANIFEST

    if (out / MANIFEST).exists():
        yield "characterize"
    if (summary := out / "summary.json").exists():
        try:
            yield json.loads(summary.read_text()).get("study")
        except (ValueError, OSError, AttributeError):
            yield None


def save_pictures(folder: Path, pictures: Mapping[str, Callable[[], Figure]]) -> None:
    """Draws the pictures and writes each as PNG and SVG."""
    from .pictures import save_figure

    for name, draw in pictures.items():
        save_figure(draw(), folder / name)
