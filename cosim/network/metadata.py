"""Where a network comes from: its training, epoch by epoch, or the file that it was imported from."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class EpochRecord(BaseModel):
    """One epoch of training: mean training loss (nats), and loss and accuracy on the validation sequences if there are any."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    epoch: int
    loss: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


class ImportOrigin(BaseModel):
    """Where an imported network comes from, what was taken for its ``forward``, and whether that was held against its outputs.

    Attributes
    ----------
    source : str
        File or package.
    convention : str
        What the scores are taken to be.
    checked : str
        What it was held against and how far apart the scores are; empty: nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str
    convention: str
    checked: str = ""


class NetworkMetadata(BaseModel):
    """Where a network comes from.

    Attributes
    ----------
    schema_version : int
    cell : str
        Kind of the cells.
    task : str
    seed : int or None
        Seed of the generator that the training used.
    versions : dict
        Versions of Python and of the packages that took part.
    settings : dict
        Settings of the training.
    epochs : tuple of EpochRecord
    best_epoch : int or None
        Epoch whose weights were kept.
    seconds : float or None
        Wall time of the training.
    data_sha256 : str or None
        Digest of the training's data; None: not known.
    imported : ImportOrigin or None
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    schema_version: Literal[1] = 1
    cell: str = "lstm"
    task: str = ""
    seed: int | None = None
    versions: dict[str, str | None] = {}
    settings: dict[str, int | float | str | None] = {}
    epochs: tuple[EpochRecord, ...] = ()
    best_epoch: int | None = None
    seconds: float | None = None
    data_sha256: str | None = None
    imported: ImportOrigin | None = None

    def text(self) -> str:
        """JSON; without the later fields where they say nothing, as files of before."""
        return self.model_dump_json(exclude={n for n in ("data_sha256", "imported") if getattr(self, n) is None})
