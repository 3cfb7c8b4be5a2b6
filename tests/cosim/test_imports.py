"""Networks, tasks, costs and settings start no machine: what importing them loads."""

import subprocess
import sys

LOADED = """
import sys
import cosim.cost, cosim.network, cosim.tasks, cosim.training
from cosim.cost import Design, figure, fit, lstm_shape, network_cost
from cosim.network import Network
from cosim.network.importers import from_torch
from cosim.tasks import Task, load_task
from cosim.training.settings import TrainingSettings
print(*sys.modules)
"""
HEAVY = {
    "numba",
    "pandas",
    "pyarrow",
    "scipy",
    "matplotlib",
    "joblib",
    "tqdm",
    "PySpice",
    "torch",
    "safetensors",
}


def test_networks_tasks_and_costs_load_no_compiler_and_no_tables():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()
