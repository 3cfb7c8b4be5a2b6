import pickle

import pytest

from netlists.errors import InputError, SimulationError, ToolkitError


def test_both_kinds_are_toolkit_errors():
    assert issubclass(InputError, ToolkitError)
    assert issubclass(SimulationError, ToolkitError)


def test_message_keeps_what_ngspice_said():
    error = SimulationError("the simulation failed", " singular matrix\n")
    assert str(error) == "the simulation failed\nngspice: singular matrix"


@pytest.mark.parametrize("words", ["", "singular matrix\nngspice: twice"])
def test_it_travels_between_processes(words):
    error = SimulationError("failed", words)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - an object of our own, as joblib moves it
    assert (str(copy), copy.ngspice_message) == (str(error), error.ngspice_message)
