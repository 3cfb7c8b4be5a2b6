"""Chunks: complete or not there, held against their checksums, in folders and behind fsspec."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from characterization.run import chunks as run_store
from characterization.run.chunks import ChunkStore, batch_samples
from netlists.errors import InputError, ToolkitError

BATCH = 4


def rows(*batches, failed=()):
    samples = np.concatenate([np.arange(BATCH * b, BATCH * (b + 1)) for b in batches])
    status = ["crashed" if s in failed else "ok" for s in samples]
    return pa.table({"sample": samples, "status": status, "message": [""] * len(samples), "x": samples / 7})


@pytest.fixture(params=["folder", "file", "memory"])
def store(request, tmp_path):
    if request.param == "folder":
        return ChunkStore(str(tmp_path / "chunks"), "plan", BATCH)
    if request.param == "file":
        return ChunkStore(f"file://{tmp_path}/chunks", "plan", BATCH)
    pytest.importorskip("fsspec")
    return ChunkStore(f"memory://{tmp_path}/chunks", "plan", BATCH)


def test_rows_come_back_in_the_order_of_their_samples(store):
    stored = [store.write(rows(*batches, failed={9})) for batches in ((3, 1), (0,), (2, 4))]
    assert stored[0].batches == [1, 3]
    assert stored[2].failed == {9: "crashed"}
    index = store.scan()
    assert sorted(index.chunk) == [0, 1, 2, 3, 4]
    assert index.failed == {9: "crashed"}
    assert (index.damaged, index.bytes) == ({}, sum(s.bytes for s in stored))
    for size in (1, 3, 5, 100):
        parts = list(store.rows(index, 18, size))
        assert [len(p) for p in parts[:-1]] == [size] * (len(parts) - 1)
        found = pa.concat_tables(parts)
        assert found["sample"].to_pylist() == list(range(18))
        assert found["x"].to_pylist() == [s / 7 for s in range(18)]


def test_of_a_batch_that_was_stored_twice_one_counts(store):
    """A cluster may run a task again after its chunk was written."""
    names = [store.write(rows(0, 1, failed=failed)).name for failed in ((), (5,))]
    index = store.scan()
    assert set(index.chunk.values()) == {max(names)}
    assert index.failed == ({5: "crashed"} if names[1] == max(names) else {})


def test_the_name_carries_the_checksum(store):
    stored = store.write(rows(5))
    data = store._place.read(stored.name)
    assert stored.name == f"chunk-00000005-{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    assert store.write(rows(5)).name == stored.name


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: b"", lambda d: d[:99] + bytes([d[99] ^ 16]) + d[100:]])
def test_damage_is_found_and_set_aside(store, damage):
    good, bad = store.write(rows(0)), store.write(rows(1))
    store._place.write(bad.name, damage(store._place.read(bad.name)))
    index = store.scan()
    assert index.damaged == {bad.name: "its content does not match its checksum"}
    assert index.chunk == {0: good.name}
    store.set_aside([bad.name])
    again = store.scan()
    assert again.damaged == {}
    assert store._place.names() == [good.name]


def test_damage_after_the_scan_is_found_too(store):
    name = store.write(rows(0)).name
    index = store.scan()
    store._place.write(name, b"other")
    with pytest.raises(ToolkitError, match=f"{name}: its content does not match its checksum; run the same command again"):
        list(store.rows(index, BATCH, 100))


def test_what_is_no_whole_batch_or_no_chunk_is_damaged(store):
    other = ChunkStore(store.where, "plan", 3)
    name = other.write(pa.concat_tables([rows(0).slice(0, 3)])).name
    store._place.write("chunk-none.parquet", b"x")
    assert store.scan().damaged == {name: "does not hold whole batches", "chunk-none.parquet": "is not a chunk's name"}


def test_chunks_of_another_plan(store):
    store.write(rows(0))
    with pytest.raises(InputError, match="belongs to a run of another plan; choose another place for the chunks"):
        ChunkStore(store.where, "other", BATCH).scan()


def test_an_empty_place_is_an_empty_run(store):
    assert store.scan().chunk == {}


def test_the_last_batch_of_a_plan_with_a_fixed_number_of_samples_is_shorter(tmp_path):
    store = ChunkStore(str(tmp_path), "plan", BATCH, 6)
    assert batch_samples(1, BATCH, 6).tolist() == [4, 5]
    assert batch_samples(1, BATCH, None).tolist() == [4, 5, 6, 7]
    store.write(rows(0, 1).slice(0, 6))
    assert sorted(store.scan().chunk) == [0, 1]


def test_places_that_cannot_be(tmp_path, monkeypatch):
    pytest.importorskip("fsspec")
    with pytest.raises(InputError, match="nosuch://x: is no place for chunks"):
        ChunkStore("nosuch://x", "plan", BATCH)
    store = ChunkStore(f"memory://{tmp_path}", "plan", BATCH)

    def refuse(*arguments):
        raise PermissionError("no credentials")

    monkeypatch.setattr(run_store.UrlPlace, "write", refuse)
    with pytest.raises(ToolkitError, match=r"chunk chunk-00000000-\w+.parquet cannot be written \(no credentials\)"):
        store.write(rows(0))
    monkeypatch.setattr(run_store.UrlPlace, "names", refuse)
    with pytest.raises(ToolkitError, match=r"cannot be read \(no credentials\)"):
        store.scan()
