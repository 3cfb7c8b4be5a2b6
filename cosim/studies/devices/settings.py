"""Settings of the study of measured cells."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from characterization.devices import LARGEST_VOLTAGE
from cosim.report import StudySettings, Words
from netlists.checks import Name, Number, Seconds, Seed

Microsiemens = Annotated[float, Number(above=0, unit="uS")]
AboveZero = Annotated[float, Number(above=0, unit="V")]


class DevicesSettings(StudySettings):
    """Which tables are read, and what they do not tell."""

    data: str = Field("../shared/data/readc-taox", description="folder of the tables")
    tables: Words = Field(("written.csv", "reads.csv", "iv.csv"), min_length=1, description="CSV tables, in that folder or by path")
    columns: tuple[str, ...] = Field((), description="what columns are, ROLE=NAME or ROLE=NAME:UNIT, where names do not say it")
    name: Name = Field("measured", description="name of the profile")
    origin: str = Field("", description="where the tables come from; the profile cites it")
    base: str | None = Field(None, description="device profile that gives what the tables do not tell; none: it is left out")
    g_min_us: Microsiemens | None = Field(
        None, description="lowest conductance that is programmed, uS; the lowest target by default"
    )
    g_max_us: Microsiemens | None = Field(None, description="highest one, uS; the highest target by default")
    g_hrs_us: Microsiemens | None = Field(None, description="conductance of the OFF state, uS")
    window_us: Microsiemens | None = Field(
        None, description="largest error that write-verify accepts, uS; the largest measured by default"
    )
    stuck_beyond_us: Microsiemens | None = Field(
        None, description="cells farther from their target count as stuck, uS; by default only notes do"
    )
    read_interval: Seconds | None = Field(None, description="seconds between two reads")
    largest_voltage: AboveZero = Field(LARGEST_VOLTAGE, description="volts up to which I-V sweeps are fitted")
    resample: bool = Field(False, description="cells draw from the measured errors themselves, not from a law fitted to them")
    seed: Seed = Field(1, description="of the halves that are held out")
