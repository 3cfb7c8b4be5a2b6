"""Which sample of a batch is at fault is found by halves, and nothing is waited for that cannot tell."""

from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from characterization.run.task import BatchTask
from characterization.workers import Lost


class Fake:
    """Loses a call, as the given status, when ``hangs`` says so of its samples; counts them."""

    def __init__(self, hangs, status):
        self.hangs, self.status, self.calls = hangs, status, 0

    def call(self, work, plan, samples, limit):
        self.calls += 1
        if self.hangs(samples):
            raise Lost(self.status, "")
        return pa.table({"sample": samples})


def isolate(hangs, status):
    worker = Fake(hangs, status)
    return worker, BatchTask(None, partial(pa.table), 1.0)._isolate(worker, np.arange(16))


def test_a_block_that_always_hangs_costs_three_limits_a_batch():
    worker, parts = isolate(lambda samples: True, "timed out")
    assert worker.calls == 3
    assert np.concatenate([samples for samples, _ in parts]).tolist() == list(range(16))
    assert all(isinstance(found, Lost) for _, found in parts)


@pytest.mark.parametrize("status", ["timed out", "crashed"])
def test_one_sample_at_fault_is_found_alone(status):
    _, parts = isolate(lambda samples: 5 in samples, status)
    assert [samples.tolist() for samples, found in parts if isinstance(found, Lost)] == [[5]]
    assert sorted(np.concatenate([samples for samples, _ in parts])) == list(range(16))


def test_a_block_that_always_crashes_is_found_sample_by_sample():
    _, parts = isolate(lambda samples: True, "crashed")
    assert len(parts) == 16
