"""Fitted blocks around the ramps of a network: what its columns make of their pre-activations, seen as changes of the levels.

    V = volts_per_unit x           v = pedestal + offset_gain O + (1 + gain_error) V           v' = clip(v) + t (droop + leak v)

Column j passes ramp step k where v' reaches the step's level. All of it rises with x, so that each level is met at one
pre-activation, and a network of many conversions costs nothing more. O is what auto-zero leaves of the op-amp's offset, times
1 + S T / C_f of the column's conductance S (`mac`). What depends on the inputs in another way than their sum does is no change of
a level: the charge of pulse edges and of active rows. `warnings` says how large it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netlists.array import Pwm
from netlists.checks import NonNegative, checked
from netlists.converter import AutoZero
from netlists.errors import InputError
from netlists.technology import RampCircuit

from .comparator import ComparatorModel
from .integrator import IntegratorModel
from .mac import MacModel, offset_rise

BLOCKS: dict[str, Any] = {"comparator": ComparatorModel, "integrator": IntegratorModel, "mac": MacModel}
"""Files of a folder of block models, and what is in them."""


@checked
@dataclass(frozen=True, eq=False)
class FittedColumns:
    """Block models of the columns of a network.

    Attributes
    ----------
    comparator : ComparatorModel or None
        Of ideal ramps; a fitted ramp holds its own.
    integrator : IntegratorModel or None
        Its soft clip, droop and leak; gain, pedestal and offset too where there is no ``mac``.
    mac : MacModel or None
    autozero : AutoZero or None
        None: the whole offset of the op-amps counts.
    circuit : RampCircuit
    pwm : Pwm
        Times of the pulses; the longest fixes C_f.
    hold_time : float
        From the end of the MAC to the comparison, seconds.
    """

    comparator: ComparatorModel | None = None
    integrator: IntegratorModel | None = None
    mac: MacModel | None = None
    autozero: AutoZero | None = field(default_factory=AutoZero)
    circuit: RampCircuit = field(default_factory=RampCircuit)
    pwm: Pwm = field(default_factory=Pwm)
    hold_time: NonNegative = 0.0

    @classmethod
    def load(cls, folder: str | Path, **options: Any) -> FittedColumns:
        """Reads the models of a folder, as `fit_blocks` writes them; ``options`` are the other attributes.

        Raises
        ------
        InputError
            A folder without any of them; a file that is not a valid model.
        """
        found = {name: kind.load(path) for name, kind in BLOCKS.items() if (path := Path(folder) / f"{name}.json").exists()}
        if not found:
            names = ", ".join(f"{n}.json" for n in BLOCKS)
            raise InputError(f"{folder}: holds none of {names}; `fit_blocks` makes them (on the command line: cosim fit)")
        return cls(**found, **options)

    @property
    def models(self) -> dict[str, Any]:
        """The models that are there, by name."""
        return {name: model for name in BLOCKS if (model := getattr(self, name)) is not None}

    @property
    def settling(self) -> float:
        """Seconds that the op-amp is late: a column loses charge as they and its conductance say (`MacModel.loading`)."""
        return 0.0 if self.mac is None else max(-self.mac.loading.value, 0.0)

    @property
    def held_out(self) -> dict[str, dict[str, float]]:
        """How far off each model is of samples that it has not seen."""
        return {name: model.validation for name, model in self.models.items()}

    def warnings(self, fitted_ramps: bool) -> tuple[str, ...]:
        """What of the models does not reach a network, and models that nothing was held against; a line each."""
        out = []
        if fitted_ramps and self.comparator is not None:
            out.append("columns: the fitted ramps hold their comparator; the comparator model is not used")
        if self.mac is not None:
            edge = abs(self.mac.edge_time.value) / self.pwm.t_unit
            out.append(
                f"columns: the edges of pulses ({edge:.2g} of the shortest) and the charge of active rows"
                f" ({abs(self.mac.row_charge.value):.2g} V each) depend on the inputs and are left out"
            )
        if self.mac is None and self.integrator is not None:
            out.append(
                "columns: no MAC model; the op-amp's offset counts once, and what the conductance of a column makes of it does not"
            )
        out += [
            f"columns: the {name} model was not held against samples it has not seen"
            for name, m in self.models.items()
            if not m.validation
        ]
        return tuple(out)

    def offsets(self, load: np.ndarray, feedback: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What drawn op-amps' offsets come to at the outputs of columns, volts, shape (columns,).

        Parameters
        ----------
        load, feedback : ndarray (columns,)
            Sum of the conductances and C_f of each column, siemens and farads.
        """
        block = self.mac or self.integrator
        if block is None:
            return np.zeros(len(load))
        drawn = block.sample(1, rng, n_columns=len(load)).offset[0]
        left = drawn if self.autozero is None else self.autozero.residue(drawn, self.circuit)
        rise = offset_rise(load, feedback, self.pwm.duration) if self.mac is not None else 1.0
        return np.asarray(left * rise)

    def autozero_noise(self, load: np.ndarray, feedback: np.ndarray) -> np.ndarray:
        """Rms noise of the auto-zero at the outputs of columns, volts, shape (columns,)."""
        if self.mac is None or self.autozero is None:
            return np.zeros(len(load))
        return self.autozero.noise * offset_rise(load, feedback, self.pwm.duration)

    def met_at(self, levels: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """Pre-activations at which columns meet levels: both in volts of an ideal column, shape (columns, levels).

        Parameters
        ----------
        levels : ndarray (columns, levels)
            Above analog ground.
        offset : ndarray (columns,)
            As from `offsets`.

        Returns
        -------
        ndarray
            Beyond the soft clip infinite: no input reaches such a level.
        """
        v = levels
        if (i := self.integrator) is not None:
            held = (v - self.hold_time * i.droop.value) / (1 + self.hold_time * i.leak.value)
            v = held if i.clip is None else _unclipped(held, i.clip.low.value, i.clip.high.value, i.clip.sharpness.value)
        if (m := self.mac) is not None:
            pedestal, gain, scale = m.pedestal.value, m.offset_gain.value, 1 + m.gain_error.value
        elif i is not None:
            pedestal, gain, scale = i.pedestal.value, 1.0, 1 + i.gain_error.value
        else:
            return v
        return np.asarray((v - pedestal - gain * offset[:, None]) / scale)


def _unclipped(y: np.ndarray, low: float, high: float, sharpness: float) -> np.ndarray:
    """The inverse of `soft_clip`."""
    limit = np.where(y < 0, low, high)
    inside = 1 - (np.abs(y) / limit) ** sharpness
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(inside > 0, y / np.maximum(inside, 1e-300) ** (1 / sharpness), np.copysign(np.inf, y))
