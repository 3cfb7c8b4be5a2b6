"""Places and limits: full and read-only disks, no shared memory, little memory, few files, two at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from . import bench
from .bench import Done, Reference, Round, Work, compare, one_line
from .kills import cpu_of

PAGE = 4096
Meet = Callable[[Round, Work, Reference], Any]
"""A fault meets a command: how it ended, how the same command did without the fault, and its answer where it is gone by then."""


def _mount(options: str, folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "faults", folder], check=True)


def _size(folder: Path) -> int:
    return sum(-(-p.stat().st_size // PAGE) * PAGE + PAGE for p in folder.rglob("*")) + PAGE


@contextmanager
def _disk(folder: Path, room: int, options: str = "") -> Iterator[Callable[[str], None]]:
    """The folder on a file system of its own with ``room`` bytes to spare; ``mount -o remount`` with other options."""
    copy = folder.with_name("copy")
    folder.rename(copy)
    folder.mkdir()
    _mount(f"size={_size(copy) + room}", folder)
    try:
        shutil.copytree(copy, folder, dirs_exist_ok=True)
        remount: Callable[[str], None] = lambda how: subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)  # noqa: E731
        if options:
            remount(options)
        yield remount
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()
        copy.rename(folder)


def _namespace(script: str) -> tuple[str, ...]:
    return ("unshare", "-m", "sh", "-c", f'{script}; exec "$@"', "sh")


def interrupted(
    round_: Round, work: Work, sound: Reference, act: Callable[[int], None], *, share: float = 0.6, extra: Mapping[str, str] = {}
) -> Done:
    """The command, with something done to it after a share of its CPU time; until then ``act`` may raise `LookupError`.

    Raises
    ------
    RuntimeError
        The command ended before: the fault met nothing.
    """
    start = time.monotonic()
    process = round_.start(work.arguments, extra=extra)
    while process.poll() is None:
        with suppress(psutil.Error, LookupError):
            if cpu_of(process.pid) >= share * sound.cpu:
                act(process.pid)
                return round_.wait(process, start)
        time.sleep(0.01)
    raise RuntimeError(f"ended ({process.returncode}) before the fault met it: {(round_.base / 'said').read_text()[-300:]}")


def faults() -> dict[str, Meet]:
    """Each fault as a function of round, work and reference: how the command ended, and how it did again without the fault."""

    def again(round_: Round, work: Work) -> Done:
        return round_.run([*work.arguments, *work.again(round_.folder)])

    def full(round_: Round, work: Work, sound: Reference) -> Any:
        with _disk(round_.folder, 3 * PAGE) as remount:
            first = round_.run(work.arguments)
            remount("size=64m")
            second = again(round_, work)
            return first, second, round_.answer(work.answer)

    def read_only(round_: Round, work: Work, sound: Reference) -> Any:
        with _disk(round_.folder, 64 * 2**20, "ro") as remount:
            first = round_.run(work.arguments)
            remount("rw")
            second = again(round_, work)
            return first, second, round_.answer(work.answer)

    def full_tmp(round_: Round, work: Work, sound: Reference) -> Any:
        _mount(f"size={PAGE}", round_.tmp)
        try:
            (round_.tmp / "filler").write_bytes(bytes(PAGE))
            first = round_.run(work.arguments)
        finally:
            subprocess.run(["umount", "-l", round_.tmp], check=True)
        return first, again(round_, work), None

    def limited(*prefix: str) -> Any:
        def meet(round_: Round, work: Work, sound: Reference) -> Any:
            return round_.run(work.arguments, prefix=prefix), again(round_, work), None

        return meet

    def vanishes(round_: Round, work: Work, sound: Reference) -> Any:
        out = round_.folder / work.answer[0]

        def act(_: int) -> None:
            shutil.rmtree(out, ignore_errors=True)
            out.unlink(missing_ok=True)

        return interrupted(round_, work, sound, act), again(round_, work), None

    def two(round_: Round, work: Work, sound: Reference) -> Any:
        start = time.monotonic()
        first = round_.start(work.arguments)
        second = subprocess.Popen(
            [sys.executable, "-m", bench.MODULE, *work.arguments], cwd=round_.folder, env=round_.environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        said = second.communicate()[1]
        done = round_.wait(first, start)
        return Done(second.returncode, said, 0.0, 0.0), Done(done.code, done.said, 0.0, 0.0), None

    return {
        "full disk": full,
        "read-only folder": read_only,
        "full folder for temporary files": full_tmp,
        "no /dev/shm": limited(*_namespace("mount -t tmpfs -o ro,size=4k none /dev/shm")),
        "memory limit of 1.2 GiB": limited("prlimit", f"--as={int(1.2 * 2**30)}"),
        "24 open files": limited("prlimit", "--nofile=24"),
        "folder vanishes": vanishes,
        "two at once": two,
    }


def run(
    fault: str, meet: Any, work: Work, known: Callable[[Work], Reference], inputs: Path, folder: Path, label: str
) -> dict[str, Any]:
    """A row: how the command met the fault, what it left, and whether the same command after it gives the undisturbed answer."""
    sound = known(work)
    round_ = Round(label, inputs, folder)
    first, second, answer = meet(round_, work, sound)
    left = round_.left()
    row: dict[str, Any] = {"work": work.name, "fault": fault, "code": first.code, "quiet": one_line(first.said)}
    row |= {"said": first.said.strip().rpartition("\n")[2][:300] if row["quiet"] else first.said[-1500:], "again": second.code}
    row |= {"left": vars(left), "again_said": second.said[-800:] if second.code or not one_line(second.said) else ""}
    row["differs"] = compare(answer if answer is not None else round_.answer(work.answer), sound)
    row["share_again"] = second.cpu / sound.cpu
    round_.close()
    return row
