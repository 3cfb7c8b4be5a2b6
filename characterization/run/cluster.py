"""A run on a Dask cluster, through joblib: the same tasks as on one computer, handed out by Dask's scheduler.

Dask gives the task of a worker that died to another one. Each thread of a Dask worker runs ngspice in a process of its
own (`workers`), so a sample that crashes ngspice never takes a Dask worker with it.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np

from characterization.workers import Workers
from netlists.errors import InputError, ToolkitError

from .chunks import ChunkStore
from .task import BatchTask, Finished, finish, load

GROUP = 16
"""Batches in a task when the workers store the chunks themselves: one chunk a task."""
CONNECT_SECONDS = 60
REACH_SECONDS = 10
_workers = Workers(load)


def finish_here(task: BatchTask, batches: dict[int, np.ndarray], store: tuple[str, str, int, int | None] | None) -> Finished:
    """`task.finish` on a Dask worker; ``store`` is what `ChunkStore` takes."""
    return finish(task, _workers, batches, ChunkStore(*store) if store else None)


def reach(address: str) -> None:
    """Raises an error where nothing can be at this address, before a run begins.

    Raises
    ------
    InputError
        It is no address of a Dask scheduler.
    ToolkitError
        Nothing listens there.
    """
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("tcp", "tls") or not host or not port:
        raise InputError(f"cluster={address!r}: must be the address of a Dask scheduler, such as tcp://10.0.0.5:8786")
    try:
        socket.create_connection((host, port), REACH_SECONDS).close()
    except OSError as e:
        raise ToolkitError(
            f"cluster={address}: no Dask scheduler answers there ({e.strerror or e}); start one with `dask scheduler`"
        ) from None


@contextmanager
def dask(address: str) -> Iterator[None]:
    """Lets `joblib.Parallel` run on the cluster with this scheduler.

    Raises
    ------
    ToolkitError
        Dask is not installed, or no scheduler answers, or it has no workers.
    """
    import joblib

    try:
        from distributed import Client
        from distributed.comm import CommClosedError
    except ImportError:
        raise ToolkitError(f"cluster={address}: needs the extra `cluster`: pip install 'nladc-cosim[cluster]'") from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as e:
        raise ToolkitError(f"cluster={address}: no Dask scheduler answers there ({e or type(e).__name__})") from None
    with _without_dasks_words(), client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            raise ToolkitError(
                f"cluster={address}: the scheduler has no workers; start some with `dask worker {address}`"
            ) from None
        try:
            with joblib.parallel_config(backend="dask", client=client):
                yield
        except (CancelledError, CommClosedError):
            raise ToolkitError(
                f"cluster={address}: the scheduler went away; finished samples are kept, and the same run goes on from there"
            ) from None


@contextmanager
def _without_dasks_words() -> Iterator[None]:
    """Keeps Dask's loggers silent: a scheduler that goes away is an error of ours, in a line; Dask logs it with its stacks."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    handlers = {handler for logger in loggers for handler in logger.handlers}
    for handler in handlers:
        handler.addFilter(_nothing)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False
