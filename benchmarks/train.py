"""Speed of the training: ``python benchmarks/train.py [--json] [--repeats N] [--no-torch] [--no-jax]``.

``train_epoch_s``: an epoch of an LSTM-32 on 10,000 sequences of 49 x 40, batches of 128, twelve classes, validation aside.
``train_step_2016_s``: a gradient step of a language model with an embedding of 128, LSTM 2016, projection 504 and 50 characters,
64 streams of 64 characters, Adam included. ``ratio_train_vs_torch``: how many times as long torch takes for the same step with
a custom cell in a Python loop, same batch, same threads, alternating with ours in one process; missing without torch.
``train_on_chips_cpu_s``, ``torch_epoch_cpu_s`` and the ratios beside them: an epoch on drawn chips with ideal 5-bit ramps, and
torch's ``nn.LSTM`` with one thread, in turns with ours, in seconds of processor time (``--epochs``: these alone).
``jax_epoch_cpu_s``: JAX at the best of the settings `JAX_SETTINGS` of `jax_epoch.py`, in processes of their own, in these turns.
``products_2016_s``: the matrix products of that step and nothing else, NumPy's ``matmul`` on all cores: no step can be shorter.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from cosim.chip import Hardware
from cosim.training import Adam, HardwareAware, Model, TrainingSettings, initial_network
from cosim.training.classification import ClassifierCourse, LabelledData
from cosim.training.language import Streams, loss_and_gradients

SEQUENCES, STEPS, FEATURES, CLASSES, BATCH = 10_000, 49, 40, 12, 128
EMBEDDING, HIDDEN, PROJECTION, CHARACTERS = 128, 2016, 504, 50
STREAMS, WINDOW = 64, 64
CORES = joblib.cpu_count()
JAX_SETTINGS = {
    "one thread": ("--one-thread",),
    "one thread, 7 steps unrolled": ("--one-thread", "--unroll", "7"),
    "one thread, a call a batch": ("--one-thread", "--by-batch"),
    "all cores": (),
    "all cores, a call a batch": ("--by-batch",),
}


def timed(repeats: int, **work: Callable[[], object]) -> dict[str, list[float]]:
    """Seconds of each piece of work, after one turn that is not counted; they take turns, so that a slow spell meets all."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(repeats + 1):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def epoch_of_sequences(sequences: int = SEQUENCES, *, on_chips: bool = False) -> Callable[[], None]:
    """One epoch of the classifier; random data, whose values do not change the work."""
    rng = np.random.default_rng(1)
    settings = TrainingSettings(batch=BATCH)
    inputs = rng.standard_normal((sequences, STEPS, FEATURES), np.float32)
    data = LabelledData(inputs, np.full(sequences, STEPS), rng.integers(0, CLASSES, sequences))
    aware = HardwareAware(Hardware(bits=5)) if on_chips else None
    model = Model(initial_network(settings, FEATURES, CLASSES, rng), hardware_aware=aware)
    adam = Adam(model.parameters, settings, model.decayed_rows())
    course = ClassifierCourse(model, data, None, settings.batch)

    def run() -> None:
        with threadpool_limits(1, user_api="blas"):
            for _, gradients in course.epoch(rng):
                adam.step(gradients, 1e-3)

    return run


def epoch_of_torch(sequences: int) -> Callable[[], None]:
    """The same in torch at its best: ``nn.LSTM`` and autograd, AdamW, one thread."""
    import torch
    from torch import nn

    lstm, readout = nn.LSTM(FEATURES, 32, batch_first=True), nn.Linear(32, CLASSES)
    parameters = [*lstm.parameters(), *readout.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    inputs, labels = torch.randn(sequences, STEPS, FEATURES), torch.randint(0, CLASSES, (sequences,))

    def run() -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        for some in torch.randperm(sequences).split(BATCH):
            loss = nn.functional.cross_entropy(readout(lstm(inputs[some])[1][0][0]), labels[some])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        torch.set_num_threads(before)

    return run


@contextmanager
def epochs_of_jax(sequences: int) -> Iterator[dict[str, Callable[[], tuple[float, float]]]]:
    """By setting, what runs an epoch of JAX in a process of its own and tells its seconds, of the processor and by the clock."""
    with ExitStack() as stack:
        out: dict[str, Callable[[], tuple[float, float]]] = {}
        for name, options in JAX_SETTINGS.items():
            command = [sys.executable, str(Path(__file__).with_name("jax_epoch.py")), "--sequences", str(sequences), *options]
            peer = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            assert peer.stdin is not None
            stack.callback(peer.stdin.close)
            out[name] = partial(_ask, peer)
        yield out


def _ask(peer: Any) -> tuple[float, float]:
    peer.stdin.write("\n")
    peer.stdin.flush()
    busy, seconds = map(float, peer.stdout.readline().split())
    return busy, seconds


def measure_epochs(repeats: int, *, torch: bool = True, jax: bool = False, sequences: int = 2000) -> dict[str, Any]:
    """Seconds of processor time of an epoch of 10,000 sequences, in turns, from epochs of fewer; medians."""
    with epochs_of_jax(sequences) if jax else nullcontext({}) as peers:
        return _measure_epochs(repeats, peers, torch=torch, sequences=sequences)


def _measure_epochs(
    repeats: int, peers: dict[str, Callable[[], tuple[float, float]]], *, torch: bool, sequences: int
) -> dict[str, Any]:
    work = {
        "train_epoch_cpu_s": epoch_of_sequences(sequences),
        "train_on_chips_cpu_s": epoch_of_sequences(sequences, on_chips=True),
    }
    if torch:
        work["torch_epoch_cpu_s"] = epoch_of_torch(sequences)
    busy: dict[str, list[float]] = {name: [] for name in [*work, *peers]}
    clock: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(repeats + 1):
        for name, run in work.items():
            start = time.process_time()
            run()
            if turn:
                busy[name].append((time.process_time() - start) * SEQUENCES / sequences)
        for name, ask in peers.items():
            seconds = ask()
            if turn:
                busy[name].append(seconds[0] * SEQUENCES / sequences)
                clock[name].append(seconds[1] * SEQUENCES / sequences)
    out: dict[str, Any] = {name: median(busy[name]) for name in work}
    if peers:
        out["jax_best"] = best = min(peers, key=lambda name: median(busy[name]))
        out["jax_epoch_cpu_s"] = median(busy[best])
        out["jax_settings_cpu_s"] = {name: median(busy[name]) for name in peers}
        out["jax_settings_s"] = {name: median(values) for name, values in clock.items()}
        out["ratio_epoch_vs_jax_best"] = out["jax_epoch_cpu_s"] / out["train_epoch_cpu_s"]
    out["ratio_on_chips"] = out["train_on_chips_cpu_s"] / out["train_epoch_cpu_s"]
    if torch:
        out["ratio_epoch_vs_torch_best"] = out["torch_epoch_cpu_s"] / out["train_epoch_cpu_s"]
    return out


def step_of_text() -> Callable[[], None]:
    """One gradient step of the large language model."""
    rng = np.random.default_rng(2)
    settings = TrainingSettings(n_hidden=HIDDEN, n_projection=PROJECTION, n_embedding=EMBEDDING, batch=STREAMS, steps=WINDOW)
    model = Model(initial_network(settings, EMBEDDING, CHARACTERS, rng, symbols=CHARACTERS), threads=CORES)
    adam = Adam(model.parameters, settings, model.decayed_rows())
    windows = _windows(rng)
    start: list[Any] = [None]

    def run() -> None:
        with threadpool_limits(1, user_api="blas"):
            _, gradients = loss_and_gradients(model, next(windows), start[0])
            start[0] = model.states()
            adam.step(gradients, 1e-3)

    return run


def products_of_text() -> Callable[[], None]:
    """The matrix products of the same step: forward, backward, and one for the gradient of each matrix."""
    rng = np.random.default_rng(3)
    shapes = ((4 * HIDDEN, EMBEDDING + PROJECTION + 1), (PROJECTION, HIDDEN + 1))
    small: list[tuple[np.ndarray, np.ndarray]] = []
    large: list[tuple[np.ndarray, np.ndarray]] = []
    for rows, columns in shapes:
        weights = rng.standard_normal((rows, columns), np.float32)
        small.append((weights, rng.standard_normal((columns, STREAMS), np.float32)))
        small.append((np.ascontiguousarray(weights.T), rng.standard_normal((rows, STREAMS), np.float32)))
        times = STREAMS * WINDOW
        large.append((rng.standard_normal((rows, times), np.float32), rng.standard_normal((times, columns), np.float32)))

    def run() -> None:
        for a, b in small * WINDOW + large:
            np.matmul(a, b)

    return run


def step_of_torch() -> Callable[[], None]:
    """The same step in torch: a custom cell in a Python loop, its gradients by autograd, AdamW."""
    import torch
    from torch import nn

    torch.set_num_threads(CORES)
    torch.manual_seed(0)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(CHARACTERS, EMBEDDING)
            self.gates = nn.Linear(EMBEDDING + PROJECTION, 4 * HIDDEN)
            self.projection = nn.Linear(HIDDEN, PROJECTION, bias=False)
            self.readout = nn.Linear(PROJECTION, CHARACTERS)

        def forward(self, symbols: Any, h: Any, c: Any) -> Any:
            outputs = []
            for x in self.embedding(symbols):
                i, f, a, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(a)
                h = self.projection(torch.sigmoid(o) * torch.tanh(c))
                outputs.append(h)
            return self.readout(torch.stack(outputs)), h, c

    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    windows = _windows(np.random.default_rng(2))
    state = [torch.zeros(STREAMS, PROJECTION), torch.zeros(STREAMS, HIDDEN)]

    def run() -> None:
        window = next(windows)
        symbols, following = (torch.from_numpy(a).reshape(WINDOW, STREAMS) for a in (window.symbols, window.following))
        scores, h, c = network(symbols, *state)
        loss = nn.functional.cross_entropy(scores.reshape(-1, CHARACTERS), following.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        state[:] = h.detach(), c.detach()

    return run


def _windows(rng: np.random.Generator) -> Iterator[Any]:
    text = rng.integers(0, CHARACTERS, STREAMS * WINDOW * 4 + 1)
    while True:
        yield from Streams.of(text, STREAMS).windows(WINDOW)


def measure(repeats: int, *, torch: bool = True, jax: bool = False) -> dict[str, Any]:
    """All figures; medians, and the shortest times beside them."""
    fast = measure_epochs(repeats, torch=torch, jax=jax)
    epochs = timed(repeats, epoch=epoch_of_sequences())["epoch"]
    work = {"ours": step_of_text(), "products": products_of_text()} | ({"torch": step_of_torch()} if torch else {})
    steps = timed(repeats, **work)
    out = {
        "train_epoch_s": median(epochs),
        "train_epoch_shortest_s": min(epochs),
        "train_step_2016_s": median(steps["ours"]),
        "train_step_2016_shortest_s": min(steps["ours"]),
        "products_2016_s": median(steps["products"]),
        **fast,
    }
    if torch:
        out["torch_step_2016_s"] = median(steps["torch"])
        out["torch_step_2016_shortest_s"] = min(steps["torch"])
        out["ratio_train_vs_torch"] = median(t / o for o, t in zip(steps["ours"], steps["torch"], strict=True))
    return out


def has_torch() -> bool:
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-torch", action="store_true")
    parser.add_argument("--no-jax", action="store_true")
    parser.add_argument("--epochs", action="store_true", help="only epochs of the classifier, in seconds of processor time")
    arguments = parser.parse_args()
    torch = not arguments.no_torch and has_torch()
    if not torch:
        print("torch left out", file=sys.stderr)
    jax = not arguments.no_jax and find_spec("jax") is not None
    if not jax:
        print("JAX left out", file=sys.stderr)
    figures = (measure_epochs if arguments.epochs else measure)(arguments.repeats, torch=torch, jax=jax) | {
        "repeats": arguments.repeats,
        "cores": CORES,
        "numpy": np.__version__,
    }
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{platform.machine()}, {CORES} cores")
    for name, value in figures.items():
        print(f"  {name:<28}{value:.4g}" if isinstance(value, float) else f"  {name:<28}{value}")


if __name__ == "__main__":
    main()
