"""The toolkit where numba, an extra, is not installed: the same codes, trainings within single precision, and it is said."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cosim import Network, load_models, load_task
from cosim.chip import Hardware, kernels
from cosim.cli.app import run
from cosim.training import HardwareAware, TrainingSettings, train_task
from cosim.training.gradients import kernels as gradients
from netlists.errors import InputError

DEMO = Path(__file__).parents[2] / "results" / "demo"
RAMPS = ["--sigmoid", DEMO / "models" / "sigmoid5.json", "--tanh", DEMO / "models" / "tanh5.json"]
EVALUATE = ["evaluate", "--network", DEMO / "network.npz", *RAMPS, "--weights", "taox-100-400", "--chips", "2", "--json"]
LINE = "warning: numba is not installed: networks are computed in NumPy, which takes longer; pip install 'nladc-cosim[fast]'\n"
COMMAND = "from cosim.cli import main\nmain()"
TRAIN = """
from pathlib import Path
from cosim import load_models, load_task
from cosim.chip import Hardware
from cosim.training import HardwareAware, TrainingSettings, train_task
out, text, ramps, resume = Path(sys.argv[1]), sys.argv[2], sys.argv[3:5], sys.argv[5:]
hardware = HardwareAware(Hardware(ramps=load_models(ramps))) if text == "chips" else None
settings = TrainingSettings(epochs=2, n_hidden=12, batch=64)
train_task(load_task("vowels"), seed=3, settings=settings, hardware_aware=hardware, resume=bool(resume),
           checkpoint=out.with_suffix(".checkpoint.npz")).save(out)
"""


def without_numba(code, *arguments, fault="sys.modules['numba'] = None", cwd=None):
    """What a process prints in which ``import numba`` fails."""
    line = [sys.executable, "-c", f"import sys\n{fault}\n{code}", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, cwd=cwd)


@pytest.fixture(scope="module")
def evaluated():
    return without_numba(COMMAND, *EVALUATE)


def test_chips_give_the_same_answers_and_the_result_says_what_computed_them(evaluated, capsys):
    assert run([str(a) for a in EVALUATE]) == 0
    there = capsys.readouterr()
    assert there.err == ""
    found, expected = json.loads(evaluated.stdout), json.loads(there.out)
    assert (found.pop("engine"), expected.pop("engine")) == ("numpy", "numba")
    assert found == expected


def test_it_is_said_once(evaluated):
    assert (evaluated.returncode, evaluated.stderr) == (0, LINE)


def test_who_asks_for_numba_is_told_how_to_get_it_and_who_asks_for_numpy_nothing():
    done = without_numba(COMMAND, *EVALUATE, "--engine", "numba")
    assert (done.returncode, done.stdout) == (2, "")
    said = "numba is not installed; pip install 'nladc-cosim[fast]', or leave it out to compute in NumPy"
    assert done.stderr == f"error: --engine='numba': {said}\n"
    done = without_numba(COMMAND, *EVALUATE[:-3], "--chips", "1", "--engine", "numpy")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_numba_that_does_not_load_is_none(tmp_path):
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.3 or less. Got NumPy 2.4.')\n")
    code = "from cosim.compiled import chosen_engine\nprint(chosen_engine())\nchosen_engine()\nchosen_engine('numba')"
    done = without_numba(code, fault=f"sys.path.insert(0, {str(tmp_path)!r})")
    assert done.stdout == "numpy\n"
    assert done.stderr.count("warning: numba does not load (Numba needs NumPy 2.3 or less. Got NumPy 2.4.): networks are") == 1
    assert "InputError: engine='numba': numba does not load (Numba needs" in done.stderr


def test_code_without_a_form_in_numpy_is_refused_and_not_looped_through():
    done = without_numba("from cosim.chip import kernels\nkernels.convert(*[None] * 4)")
    assert "ToolkitError: convert: is compiled code, and numba is not installed; pip install" in done.stderr


def test_all_modules_can_be_imported():
    """Those of other extras aside, and what writes machine code."""
    code = (
        "import importlib, pkgutil\n"
        "import cosim\n"
        "for m in pkgutil.walk_packages(cosim.__path__, 'cosim.'):\n"
        "    try:\n"
        "        importlib.import_module(m.name)\n"
        "    except ImportError as e:\n"
        "        print(m.name, e.name)\n"
    )
    done = without_numba(code)
    assert done.returncode == 0, done.stderr
    missing = dict(line.split() for line in done.stdout.splitlines())
    tiled = {f"cosim.chip.tiled.{name}" for name in ("tiles", "tile_code", "codes", "vectors")}
    assert {name for name, package in missing.items() if package.partition(".")[0] in ("numba", "llvmlite")} <= tiled
    assert {package for name, package in missing.items() if name not in tiled} <= {"torch", "jax", "h5py", "onnx", "msgpack"}


@pytest.mark.parametrize("on", ["chips", "floating point"])
def test_a_training_agrees_and_says_what_computed_it(on, tmp_path):
    models = [str(DEMO / "models" / f"{name}5.json") for name in ("sigmoid", "tanh")]
    done = without_numba(TRAIN, tmp_path / "net.npz", on, *models)
    assert (done.returncode, done.stderr) == (0, LINE)
    found = Network.load(tmp_path / "net.npz")
    aware = HardwareAware(Hardware(ramps=load_models(models))) if on == "chips" else None
    how = {"seed": 3, "settings": TrainingSettings(epochs=2, n_hidden=12, batch=64), "hardware_aware": aware}
    expected = train_task(load_task("vowels"), **how)
    assert (found.metadata.settings["engine"], expected.metadata.settings["engine"]) == ("numpy", "numba")
    for name, a in expected.arrays().items():
        if a.dtype.kind == "f":
            np.testing.assert_allclose(found.arrays()[name], a, rtol=1e-4, atol=2e-5, err_msg=name)
    for one, other in zip(found.metadata.epochs, expected.metadata.epochs, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
    # The other engine would go on to other bits.
    with pytest.raises(InputError, match=r"was trained with engine='numpy', now engine=None"):
        train_task(load_task("vowels"), **how, checkpoint=tmp_path / "net.checkpoint.npz", resume=True)
    done = without_numba(TRAIN, tmp_path / "net.npz", on, *models, "resume")
    assert (done.returncode, done.stderr) == (0, LINE)


def test_noise_of_sums_has_the_same_bits():
    rng = np.random.default_rng(4)
    keys, counters = rng.integers(0, 2**32, (3, 2), np.uint32), rng.integers(0, 2**32, 50, np.uint32)
    for dtype in (np.float32, np.float64):
        x, variance = rng.standard_normal((5, 50)).astype(dtype), rng.random((5, 50)).astype(dtype)
        one, other = x.copy(), x.copy()
        kernels._add_noise(one, variance, keys, counters, np.uint32(7))
        kernels._add_noise_in_numpy(other, variance, keys, counters, 7)
        assert np.any(one != x)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("coupled", [0.0, 0.01])
@pytest.mark.parametrize(("dtype", "close"), [(np.float32, 1e-6), (np.float64, 1e-15)])
def test_adam_agrees_but_for_the_last_bit(dtype, close, coupled):
    rng = np.random.default_rng(5)
    arrays = [rng.standard_normal(2**14 + 100).astype(dtype) for _ in range(4)]
    arrays[3] **= 2
    numbers = [dtype(n) for n in (0.7, 0.99, coupled, 1e-2, 0.9, 0.999, 3.0, 200.0, 1e-8)]
    one, other = ([a.copy() for a in arrays] for _ in range(2))
    gradients.adam_update(*one, *numbers)
    gradients._adam_in_numpy(*other, *numbers)
    for a, b, before in zip(one, other, arrays, strict=True):
        assert b.dtype == dtype
        np.testing.assert_allclose(b, a, rtol=close, atol=close)
        assert np.any(a != before) == (before is not arrays[1])


def test_smoothed_converters_agree_within_double_precision():
    rng = np.random.default_rng(6)
    thresholds, widths = np.sort(rng.normal(0, 1, (4, 7)), axis=1), rng.uniform(0.01, 0.5, (4, 7))
    values, x, d = rng.standard_normal((4, 8)), rng.normal(0, 2, (30, 4)), rng.standard_normal((30, 4))
    x[0] = np.nan
    one, other = (np.empty((2, 30, 4)) for _ in range(2))
    gradients.smooth_outputs(x, thresholds, widths, values, *one)
    gradients._smooth_outputs_in_numpy(x, thresholds, widths, values, *other)
    np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-12)
    steps, found = np.diff(values, axis=1), np.zeros((2, 4, 7))
    gradients.smooth_threshold_gradients(x, d, thresholds, widths, steps, found[0])
    gradients._smooth_threshold_gradients_in_numpy(x, d, thresholds, widths, steps, found[1])
    assert np.any(found[0])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12, atol=1e-12)


def test_workers_leave_it_to_the_process_that_asked():
    code = """
from joblib import delayed
from characterization.processes import parallel
from cosim.compiled import chosen_engine
import os
def of_a_worker():
    sys.modules['numba'] = None
    return chosen_engine(), os.getpid()
found = parallel([delayed(of_a_worker)() for _ in range(4)], 2)
assert {engine for engine, _ in found} == {'numpy'} and os.getpid() not in {pid for _, pid in found}
"""
    done = without_numba(code)
    assert (done.returncode, done.stderr) == (0, "")
