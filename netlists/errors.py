"""The errors a user can cause or meet, as two families with one clear line each."""


class ToolkitError(Exception):
    """Something failed while working: a simulation, a file, a missing program."""


class InputError(ToolkitError, ValueError):
    """A request that cannot be met: the message names the thing, the value and what is allowed."""


class SimulationError(ToolkitError):
    """ngspice did not produce the result; its own message is kept in ``ngspice_message``."""

    def __init__(self, message: str, ngspice_message: str = "") -> None:
        self.ngspice_message = ngspice_message.strip()
        super().__init__(message + (f"\nngspice: {self.ngspice_message}" if self.ngspice_message else ""))

    def __reduce__(self):
        # Exceptions travel from workers to the parent; keep both parts on the way.
        head = str(self).split("\nngspice: ", 1)[0]
        return (type(self), (head, self.ngspice_message))
