import ast
import inspect
from collections.abc import Callable
from enum import EnumMeta
from itertools import product
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

from characterization import streams
from characterization.streams import TOGETHER, ChipSource, LoopSource, SampleSource, sample_stream, validation_stream

PRODUCT = [Path(streams.__file__).parents[1] / name for name in ("netlists", "characterization", "cosim")]
FUNCTIONS = {f for _, f in inspect.getmembers(streams, inspect.isfunction) if not f.__name__.startswith("_")}
SEEDS = (0, 1, 7)


def grid(function: Callable) -> dict[tuple, object]:
    """Arguments -> what the function gives, over a grid of all its arguments; seeds only as far as they go first."""
    hints = get_type_hints(function)
    names = list(inspect.signature(function).parameters)
    assert names[0] == "seed"
    # Small numbers, those that other keys hold, and many of them only where there are few arguments.
    few = (0, 1, 7) if len(names) > 4 else (0, 1, 2, 3, 7, 10, 97, 98, 99)
    values: list = [SEEDS]
    for name in names[1:]:
        kind = hints[name]
        values.append(tuple(kind) if isinstance(kind, EnumMeta) else {int: few}[kind])
    if function is streams.proposal_seed:
        values[1] = few[1:]
    if function is streams.loop_stream:
        return {a: function(*a[:2], *a[2]) for a in product(*values[:2], [*product(few, repeat=1), *product((0, 1, 7), repeat=3)])}
    if function is streams.part_sequences:
        return {(seed, n): s for seed in SEEDS for n, s in enumerate(function(seed, 12))}
    return {a: function(*a) for a in product(*values)}


def bits(stream) -> tuple:
    """What the stream starts from, equal for two that give the same numbers."""
    if isinstance(stream, int):
        return ("whole", stream)
    sequence = stream.bit_generator.seed_seq if isinstance(stream, np.random.Generator) else stream
    return tuple(sequence.generate_state(4).tolist())


def coincidences(functions) -> list[tuple]:
    """Pairs of calls that give the same stream."""
    seen: dict[tuple, tuple] = {}
    found = []
    for function in functions:
        for arguments, stream in grid(function).items():
            call = (function.__name__, *arguments)
            if (other := seen.setdefault(bits(stream), call)) != call:
                found.append((other, call))
    return found


def test_every_stream_belongs_to_a_seed():
    assert {f for functions in TOGETHER.values() for f in functions} == FUNCTIONS


@pytest.mark.parametrize("owner", TOGETHER)
def test_streams_of_a_seed_are_distinct(owner):
    assert coincidences(TOGETHER[owner]) == []


@pytest.mark.parametrize(
    ("function", "arguments", "key"),
    [
        (streams.sample_stream, (5, SampleSource.PROGRAMMING), (5, 0)),
        (streams.sample_stream, (5, SampleSource.READ_NOISE), (5, 6)),
        (streams.sample_stream, (5, SampleSource.SEARCHING), (5, 10)),
        (streams.scrambling_stream, (), (0,)),
        (streams.population_stream, (), (0, 0, 0)),
        (streams.input_stream, (5,), (5, 99)),
        (streams.input_pair_stream, (5, 2), (5, 98, 2)),
        (streams.chip_sequence, (4, 1, 0, 2, ChipSource.STATE_THRESHOLD, 3), (4, 1, 0, 2, 7, 3)),
        (streams.chip_ramp_stream, (4, 1), (4, 0, 1)),
        (streams.loop_stream, (LoopSource.NOISE, 3, 2, 1), (7, 4, 3, 2, 1)),
    ],
)
def test_keys_are_those_of_results_in_use(function, arguments, key):
    assert bits(function(3, *arguments)) == bits(np.random.SeedSequence(3, spawn_key=key))


def test_parts_are_the_children_of_a_generator():
    assert [bits(s) for s in streams.part_sequences(3, 4)] == [bits(g) for g in np.random.default_rng(3).spawn(4)]


def test_two_equal_keys_are_found(monkeypatch):
    """The keys that validation once had: those of the first sample's programming errors and stuck cells."""

    def planted(seed, *key):
        return np.random.SeedSequence(seed, spawn_key=(0, key[0]) if key[1:] == (97,) else key)

    monkeypatch.setattr(streams, "_sequence", planted)
    found = [(a[0], *map(int, a[1:])) for a, b in coincidences([sample_stream, validation_stream]) if b[0] == "validation_stream"]
    assert found == [("sample_stream", seed, 0, source) for seed in SEEDS for source in (0, 1)]


MAKERS = ("SeedSequence", "PCG64", "Philox", "RandomState", "Generator")


def derivations(text: str) -> list[str]:
    """Calls in Python source that derive a key of their own: a seed as it was given is none, nor are children of a stream."""
    found: list[str] = []
    # Most files have none of these words, and parsing takes long.
    if not any(word in text for word in (*MAKERS, "default_rng", "spawn")):
        return found
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name, own = _name(node), node.args[0] if len(node.args) == 1 and not node.keywords else None
        given = isinstance(own, (ast.Name, ast.Attribute, ast.Constant)) or _name(own).endswith(("_seed", "_sequence"))
        if (
            name in MAKERS
            or (name == "default_rng" and not given)
            or (name == "spawn" and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call))
        ):
            found.append(ast.unparse(node))
    return found


def _name(node: ast.AST | None) -> str:
    """Name of the function that is called; empty if none is."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@pytest.mark.parametrize(
    "text",
    [
        "np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 0)))",
        "SeedSequence([seed, 1])",
        "default_rng([seed, 1])",
        "np.random.default_rng(seed + 1)",
        "np.random.default_rng((seed, sample))",
        "np.random.default_rng(seed).spawn(3)",
        "np.random.Generator(np.random.Philox(key=seed))",
        "np.random.default_rng(int(seed) + sample)",
    ],
)
def test_a_key_of_its_own_is_found(text):
    assert derivations(text)
    assert not derivations("np.random.default_rng(seed); rng.spawn(3); np.random.default_rng(self.seed)")


def test_no_other_module_derives_a_key():
    found = {
        f"{path.parent.name}/{path.name}": calls
        for folder in PRODUCT
        for path in sorted(folder.rglob("*.py"))
        if path != Path(streams.__file__) and (calls := derivations(path.read_text()))
    }
    assert found == {}
