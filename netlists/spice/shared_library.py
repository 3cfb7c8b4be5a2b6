"""PySpice 1.5 with today's ngspice and NumPy: what must be mended, in one place. Imported when a simulation starts.

Each mend says what it mends and does nothing where it is not needed:

* the library: PySpice looks for ``libngspice.so``, which only development packages install; `netlists.spice.pyspice` names the
  versioned file.
* messages: PySpice takes any ``Note:`` on stderr, and any title with the word "error", for a failure;
  `NgSpice` decides by `is_error` instead and keeps every line.
* the warning "Unsupported Ngspice version" is cosmetic and silenced with the rest of PySpice's own log.

PySpice's subprocess mode (whose raw-file reader breaks on NumPy 2.3) is not used: see `netlists.spice.program`.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from PySpice.Spice.Netlist import Circuit
from PySpice.Spice.NgSpice.Shared import NgSpiceShared, ffi, ffi_string_utf8

from .pyspice import is_error

__all__ = ["Circuit", "NgSpice"]

for _name in ("PySpice", "PySpice.Spice.NgSpice.Shared.NgSpiceShared"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class NgSpice(NgSpiceShared):
    """PySpice's shared-library interface with `is_error` as the judge of what ngspice prints."""

    reports = 0
    """How often ngspice has said how far it is: at each thousandth of a transient, ten times a second at most."""

    @staticmethod
    def _send_stat(message_c: Any, ngspice_id: int, user_data: Any) -> int:
        ffi.from_handle(user_data).reports += 1
        return 0

    @staticmethod
    def _send_char(message_c: Any, ngspice_id: int, user_data: Any) -> int:
        self = ffi.from_handle(user_data)
        stream, _, line = ffi_string_utf8(message_c).partition(" ")
        (self._stderr if stream == "stderr" else self._stdout).append(line)
        if is_error(line):
            self._error_in_stderr = True
        return 0

    @property
    def messages(self) -> list[str]:
        """Lines that ngspice printed since the last command, errors last."""
        return [*self._stdout, *self._stderr]

    @property
    def failed(self) -> bool:
        return bool(self._error_in_stderr)

    def alter_wave(self, source: str, wave: np.ndarray) -> None:
        """Gives a PWL source of the loaded circuit another waveform: times and values in turn, shape (2 points,).

        They go through a vector: a command line is cut past about 1,000 characters.
        """
        self.exec_command(f"let wave = vector({len(wave)})")
        vector = self._ngspice_shared.ngGet_Vec_Info(b"wave")
        np.frombuffer(ffi.buffer(vector.v_realdata, 8 * len(wave)))[:] = wave
        self.exec_command(f"alter @{source}[pwl] = wave")

    def release_history(self) -> None:
        """Frees the history of commands, which ngspice keeps for ever: call it every hundred runs."""
        self._ngspice_shared.ngSpice_Command(ffi.NULL)
