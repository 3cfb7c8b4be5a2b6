import pytest

from netlists.pyspice import find_executable_version, find_library, is_error, shared_instance


@pytest.mark.parametrize(
    "line",
    [
        "Error: unknown subckt: x1 a 0 nothing",
        "Fatal error: instance x1",
        "doAnalyses: TRAN:  Timestep too small; time = 1e-9",
        "tran simulation(s) aborted",
        "singular matrix:  check node a",
        "Error on line 3 : r1 a",
        "  error: no such vector v(x)",
        "could not find a valid modelname",
    ],
)
def test_failures(line):
    assert is_error(line)


@pytest.mark.parametrize(
    "line",
    [
        "Circuit: error amplifier",
        "Circuit: * error budget of a ramp",
        "Note: No compatibility mode selected!",
        "Warning: r1: resistance to low, set to 1 mOhm",
        "Warning: singular matrix:  check node a",
        "Doing analysis at TEMP = 27.000000 and TNOM = 27.000000",
        "No. of Data Rows : 1553",
        "",
    ],
)
def test_everything_else(line):
    assert not is_error(line)


def test_one_instance_a_process():
    assert shared_instance() is shared_instance()
    assert shared_instance().ngspice_version >= 39


def test_library_from_the_environment(monkeypatch):
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", "/somewhere/libngspice.so.0")
    assert find_library() == "/somewhere/libngspice.so.0"


def test_program_version():
    assert find_executable_version() >= 39
    assert find_executable_version("ngspice-none") is None
