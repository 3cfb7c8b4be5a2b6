"""A peer of `train.py`: ``python benchmarks/jax_epoch.py --sequences N [--one-thread] [--unroll N] [--by-batch]``.

Each line on the standard input runs an epoch and answers with its seconds of processor time and by the clock. The network is that
of `train.epoch_of_sequences`: the products of all inputs in one matrix product, `lax.scan` over the steps, `value_and_grad`,
gradients clipped to norm 1, AdamW. All batches of an epoch are one compiled `lax.scan`, or with ``--by-batch`` one compiled step
each, whose arrays are donated.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

STEPS, FEATURES, HIDDEN, CLASSES, BATCH = 49, 40, 32, 12, 128


def epoch(sequences: int, unroll: int, *, by_batch: bool) -> Callable[[], None]:
    import jax
    import jax.numpy as jnp
    from jax import lax

    rng = np.random.default_rng(1)

    def matrix(*shape: int) -> Any:
        return jnp.asarray(0.1 * rng.standard_normal(shape), jnp.float32)

    weights = {"x": matrix(FEATURES, 4 * HIDDEN), "h": matrix(HIDDEN, 4 * HIDDEN), "b": matrix(4 * HIDDEN)}
    weights |= {"readout": matrix(HIDDEN, CLASSES), "bias": matrix(CLASSES)}
    zeros = jax.tree.map(jnp.zeros_like, weights)
    # Steps in front, so that each is contiguous.
    inputs = jnp.asarray(rng.standard_normal((sequences, STEPS, FEATURES)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, CLASSES, sequences))

    def loss(w: dict[str, Any], x: Any, y: Any) -> Any:
        driven = x.transpose(1, 0, 2) @ w["x"] + w["b"]

        def step(state: tuple[Any, Any], z: Any) -> tuple[tuple[Any, Any], None]:
            h, c = state
            i, f, a, o = jnp.split(z + h @ w["h"], 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(a)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        start = jnp.zeros((len(y), HIDDEN), jnp.float32)
        (h, _), _ = lax.scan(step, (start, start), driven, unroll=unroll)
        scores = h @ w["readout"] + w["bias"]
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], axis=1))

    def update(state: tuple[Any, Any, Any, Any], some: Any) -> tuple[tuple[Any, Any, Any, Any], Any]:
        w, mean, square, t = state
        value, g = jax.value_and_grad(loss)(w, inputs[some], labels[some])
        norm = jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(g)))
        g = jax.tree.map(lambda leaf: leaf * jnp.minimum(1.0, 1.0 / norm), g)
        t = t + 1
        mean = jax.tree.map(lambda m, d: 0.9 * m + 0.1 * d, mean, g)
        square = jax.tree.map(lambda v, d: 0.999 * v + 0.001 * d * d, square, g)
        w = jax.tree.map(
            lambda p, m, v: 0.99999 * p - 1e-3 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), w, mean, square
        )
        return (w, mean, square, t), value

    state = [(weights, zeros, jax.tree.map(jnp.zeros_like, zeros), jnp.float32(0))]
    whole = sequences // BATCH * BATCH
    all_batches = jax.jit(partial(lax.scan, update), donate_argnums=0)
    one_batch = jax.jit(update, donate_argnums=0)

    def run() -> None:
        order = rng.permutation(sequences)
        batches = order[:whole].reshape(-1, BATCH)
        if by_batch:
            for some in batches:
                state[0], _ = one_batch(state[0], jnp.asarray(some))
        else:
            state[0], _ = all_batches(state[0], jnp.asarray(batches))
        if whole < sequences:
            state[0], _ = one_batch(state[0], jnp.asarray(order[whole:]))
        jax.block_until_ready(state[0])

    return run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--one-thread", action="store_true")
    parser.add_argument("--unroll", type=int, default=1)
    parser.add_argument("--by-batch", action="store_true")
    options = parser.parse_args()
    if options.one_thread:
        # XLA makes as many threads as there are processors that it may use.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    run = epoch(options.sequences, options.unroll, by_batch=options.by_batch)
    run()
    for _ in sys.stdin:
        start, busy = time.perf_counter(), time.process_time()
        run()
        print(time.process_time() - busy, time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
