"""A finished run and the files of its tables: written piece by piece from the chunks, and read again when they are asked for."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from characterization.chips import draw, scope_shifts
from characterization.figures import dnl, inl_input, inl_output, is_monotonic, missing_codes, offset_and_gain, sine_test
from characterization.notebook import page
from characterization.parquet import open_parquet, read_frame
from characterization.plan import RampPlan
from netlists.errors import InputError, ToolkitError
from netlists.files import sha256_of, write_atomic
from netlists.machine import require_memory

from .chunks import ChunkStore, Index
from .rows import TABLES, long_tables

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

GROUP = 1024
"""Samples in a row group of the tables. Fixed, so that the same samples give the same bytes."""
FITTED_BYTES = 80.0
"""Memory of a level while its distribution is fitted or its figures are computed."""
FIGURES = ("max_inl_in", "max_inl_out", "max_dnl", "offset", "gain", "missing_codes", "enob")
"""Figures of merit of a chip that are numbers."""


class Run:
    """A finished run: its plan and its tables.

    Attributes
    ----------
    plan : RampPlan
    transitions : DataFrame
        One row per sample, k and calibrated: ``sample, k, x_ideal, x, calibrated, status``; NaN where it failed.
    conversions : DataFrame
        The same levels met by another column's comparator in one noisy conversion: ``sample, k, x_ideal, x, status``.
    samples : DataFrame
        One row a sample: what was drawn, status, and ngspice's message where it failed. With the plan, ``seed`` and
        ``sample`` are all that is needed to draw and simulate it again.
    warnings : tuple of str
        What a reader of the numbers must know, such as what ngspice warned of in a block of the user's own.
    """

    def __init__(
        self,
        plan: RampPlan,
        transitions: pd.DataFrame,
        conversions: pd.DataFrame,
        samples: pd.DataFrame,
        warnings: tuple[str, ...] = (),
    ) -> None:
        self.plan, self.warnings = plan, warnings
        self._tables = dict(zip(TABLES, (transitions, conversions, samples), strict=True))

    @property
    def transitions(self) -> pd.DataFrame:
        return self._table("transitions")

    @property
    def conversions(self) -> pd.DataFrame:
        return self._table("conversions")

    @property
    def samples(self) -> pd.DataFrame:
        return self._table("samples")

    @property
    def failed(self) -> int:
        """Samples of which at least one measurement failed."""
        return int((self.samples["status"] != "ok").sum())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.title})"

    @property
    def title(self) -> str:
        """The run in one line."""
        return f"{self.plan.title}, {len(self.samples)} samples ({self.failed} failed)"

    def figures(self, columns: str = "calibrating") -> pd.DataFrame:
        """Figures of merit, one row per sample and calibration state.

        Parameters
        ----------
        columns : {"calibrating", "any", "all"}
            Whose: the column that calibrated the ramp, another column taken at random, or of each figure that of the chip's
            worst column (`shifts`).

        Returns
        -------
        DataFrame
            ``sample, columns, calibrated, status, max_inl_in`` and ``max_inl_out`` (largest |INL|, input- and output-referred LSB),
            ``max_dnl`` (largest |DNL|, LSB), ``offset`` (input units), ``gain``, ``monotonic``, ``missing_codes``, and
            ``enob`` (effective number of bits in a noiseless sine test; linear ramps only). NaN where a chip failed.
        """
        import pandas as pd

        program = self.plan.program()
        linear = self.plan.activation == "identity" and len(program.x) > 2
        tables = []
        for calibrated in (False, True):
            one = self.levels(calibrated=calibrated)
            good, shifts = np.isfinite(one).all(axis=1), self.shifts(columns, calibrated=calibrated)
            # (samples, columns that decide, levels)
            x = one[:, None] + shifts[..., None]
            offset, gain = offset_and_gain(x, program)
            farthest = np.abs(offset).argmax(axis=1)[:, None]
            table = pd.DataFrame(
                {
                    "sample": self.samples["sample"].to_numpy(),
                    "columns": columns,
                    "calibrated": calibrated,
                    "status": np.where(good, "ok", self.samples["status"].to_numpy()),
                    "max_inl_in": np.abs(inl_input(x, program)).max(axis=(1, 2)),
                    "max_inl_out": np.abs(inl_output(x, program)).max(axis=(1, 2)),
                    # A common shift of all levels changes none of these but the offset.
                    "max_dnl": np.abs(dnl(one, program)).max(axis=1, initial=0.0),
                    "offset": np.take_along_axis(offset, farthest, 1)[:, 0],
                    "gain": gain[:, 0],
                    "monotonic": is_monotonic(one),
                    "missing_codes": missing_codes(one, program).astype(float),
                    "enob": [_enob(rows) if ok else np.nan for rows, ok in zip(x, good, strict=True)] if linear else np.nan,
                }
            )
            table.loc[~good, [*FIGURES]] = np.nan
            table.loc[~good, "monotonic"] = False
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def _repr_html_(self) -> str:
        table, rows = self.figures(), []
        for figure, unit in (("max_inl_in", "LSB"), ("max_dnl", "LSB"), ("offset", "input units"), ("gain", "")):
            cells = [table.loc[table["calibrated"] == state, figure].dropna() for state in (False, True)]
            rows.append([figure, *(f"{c.mean():.4g} +- {c.std():.2g}" if len(c) > 1 else "-" for c in cells), unit])
        return page(
            f"{self.title}; the calibrating column",
            ("figure, mean +- sigma", "as programmed", "calibrated", ""),
            rows,
            self._draw_inl,
        )

    def _draw_inl(self, axes: Any) -> None:
        """The middle 90 % of the chips' INL over the levels, before and after calibration."""
        program = self.plan.program()
        for calibrated, label in ((False, "as programmed"), (True, "calibrated")):
            inl = inl_input(self.levels(calibrated=calibrated), program)
            inl = inl[np.isfinite(inl).all(axis=1)]
            if len(inl):
                low, middle, high = np.quantile(inl, [0.05, 0.5, 0.95], axis=0)
                k = np.arange(1, len(middle) + 1)
                axes.fill_between(k, low, high, alpha=0.3)
                axes.plot(k, middle, label=label)
        axes.set(xlabel="level", ylabel="INL, LSB")
        axes.legend()

    def shifts(self, columns: str, *, calibrated: bool) -> np.ndarray:
        """How much higher the levels of the columns that decide lie than `levels`, input units; see `scope_shifts`.

        The shifts are drawn, not simulated: a comparator's offset moves all its levels alike.
        """
        drawn = draw(self.plan, self.samples["sample"].to_numpy())
        return scope_shifts(self.plan, drawn, columns, calibrated=calibrated)

    def levels(self, *, calibrated: bool) -> np.ndarray:
        """Transition levels of the calibrating column (samples, thresholds), input units; rows of failed samples are NaN."""
        rows = self.transitions
        return _by_sample(rows[rows["calibrated"] == calibrated])

    def conversion_levels(self) -> np.ndarray:
        """Levels of the noisy conversion (samples, thresholds), input units."""
        return _by_sample(self.conversions)

    def _table(self, name: str) -> pd.DataFrame:
        return self._tables[name]


class StoredRun(Run):
    """A run whose tables are read from its folder when they are asked for: its levels need a fraction of their memory."""

    def __init__(self, plan: RampPlan, folder: Path, warnings: tuple[str, ...] = ()) -> None:
        self.plan, self.folder, self.warnings = plan, folder, warnings
        self._tables = {}

    def _table(self, name: str) -> pd.DataFrame:
        if name not in self._tables:
            self._tables[name] = read_frame(self.folder / f"{name}.parquet")
        return self._tables[name]

    def levels(self, *, calibrated: bool) -> np.ndarray:
        return self._levels("transitions", 2, int(calibrated))

    def conversion_levels(self) -> np.ndarray:
        return self._levels("conversions", 1, 0)

    def _levels(self, name: str, measurements: int, which: int) -> np.ndarray:
        """Column ``x`` of one measurement; `long_tables` gives the order."""
        levels = len(self.plan.program().x)
        with open_parquet(self.folder / f"{name}.parquet") as file:
            samples = file.metadata.num_rows // (measurements * levels)
            require_memory(FITTED_BYTES * samples * levels, f"{self.folder}: {samples} samples")
            out = np.empty((samples, levels))
            first = 0
            for group in range(file.num_row_groups):
                x = file.read_row_group(group, columns=["x"], use_threads=False)["x"].to_numpy()
                x = x.reshape(-1, measurements, levels)[:, which]
                out[first : first + len(x)] = x
                first += len(x)
        return out


def _enob(levels: np.ndarray) -> float:
    """Effective bits of the worst of some columns' levels (columns, levels)."""
    return min(sine_test(row).enob for row in levels)


def _by_sample(rows: pd.DataFrame) -> np.ndarray:
    """Column ``x`` as (samples, levels)."""
    return rows.sort_values(["sample", "k"])["x"].to_numpy().reshape(-1, int(rows["k"].max()))


def write_tables(plan: RampPlan, folder: Path, store: ChunkStore, index: Index, samples: int) -> dict[str, str]:
    """Writes the tables of samples 0 to ``samples`` from the chunks; the SHA-256 of each file.

    Raises
    ------
    ToolkitError
        The folder cannot be written, or a chunk was damaged meanwhile.
    """
    x_ideal = plan.program().x
    paths = {name: folder / f"{name}.parquet" for name in TABLES}

    temporary = {name: path.with_name(f".{path.name}.{os.getpid()}.new.tmp") for name, path in paths.items()}
    try:
        with ExitStack() as stack:
            writers: dict[str, pq.ParquetWriter] = {}
            for rows in store.rows(index, samples, GROUP):
                for name, table in long_tables(rows, plan.seed, x_ideal).items():
                    if name not in writers:
                        writers[name] = stack.enter_context(_writer(temporary[name], table.schema))
                    writers[name].write_table(table, row_group_size=len(table))
        for name, path in paths.items():
            write_atomic(path, temporary[name].rename)
    except OSError as e:
        raise ToolkitError(f"{folder}: the tables cannot be written ({e.strerror or e})") from None
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
    return {name: sha256_of(path) for name, path in paths.items()}


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    import pyarrow.parquet as pq

    repeated = [c for c in ("sample", "k", "x_ideal", "seed", "status", "message") if c in schema.names]
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeated)


def check_tables(folder: Path, sha256: dict[str, str]) -> None:
    """Raises `InputError` naming the table that is missing, or not what was written."""
    for name in TABLES:
        path = folder / f"{name}.parquet"
        try:
            found = sha256_of(path)
        except OSError as e:
            raise InputError(
                f"{path}: a table of the run cannot be read ({e.strerror}); the same command again writes it anew"
            ) from None
        if found != sha256.get(name):
            raise InputError(f"{path}: a table of the run is damaged (its checksum differs); the same command again writes it anew")
