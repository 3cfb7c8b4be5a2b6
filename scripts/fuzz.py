"""Feeds loaders with files that nobody wrote: ``python scripts/fuzz.py [LOADER ...] --minutes 10``, by ``make fuzz``.

atheris (libFuzzer) changes sound files, guided by the lines that they reach. A loader may succeed or raise an error of the toolkit;
any other exception, more than ``--seconds`` for one file or more than ``--memory`` MiB is a finding: it is printed once for each
place in the code, and its file is kept in ``--findings``. Each loader runs in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])


def one(name: str, seconds: float, slow: float, memory: int, findings: Path, seed: int) -> None:
    """Fuzzes one loader in this process, until libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["netlists", "characterization", "cosim"]):
        from loaders import loaders

        from netlists.errors import InputError, ToolkitError
    door = loaders()[name]
    place = tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    corpus = Path(place.name, "corpus")
    corpus.mkdir()
    for i, sound in enumerate(door.seeds):
        (corpus / str(i)).write_bytes(sound)
    path = Path(place.name, f"mine{door.suffix}")
    count = {"files": 0, "read": 0, "refused": 0, "findings": 0}
    seen: set[tuple] = set()

    def keep(kind: str, where: tuple, data: bytes, words: str) -> None:
        if where in seen:
            return
        seen.add(where)
        count["findings"] += 1
        findings.mkdir(parents=True, exist_ok=True)
        file = findings / f"{name}-{count['findings']}{door.suffix}"
        file.write_bytes(data)
        print(f"FINDING {name}: {kind} in {file}\n{words}", file=sys.stderr, flush=True)

    def test(data: bytes) -> None:
        # libFuzzer ends the process without Python's own end.
        if time.monotonic() > end:
            report()
            os._exit(0)
        count["files"] += 1
        made = door.make(data)
        path.write_bytes(made)
        start = time.process_time()
        try:
            door.load(path)
            count["read"] += 1
        except (InputError, ToolkitError):
            count["refused"] += 1
        except Exception as e:
            frames = traceback.extract_tb(e.__traceback__)
            at, ours = frames[-1], [f for f in frames if f.filename.startswith(ROOT) or f is frames[0]][-1]
            keep(
                type(e).__name__,
                (type(e).__name__, ours.filename, ours.lineno),
                made,
                f"  {type(e).__name__}: {str(e)[:200]}\n  at {ours.filename}:{ours.lineno} ({at.filename}:{at.lineno})",
            )
        if (took := time.process_time() - start) > slow:
            keep(f"{took:.1f} s of CPU for {len(made)} bytes", ("slow",), made, "")

    def report() -> None:
        place.cleanup()
        print(
            f"{name}: {count['files']} files, {count['read']} read, {count['refused']} refused, {count['findings']} findings",
            flush=True,
        )

    options = [
        f"-max_total_time={seconds:.0f}",
        f"-timeout={3 * slow:.0f}",
        f"-rss_limit_mb={memory}",
        f"-seed={seed}",
        "-max_len=65536",
    ]
    end = time.monotonic() + seconds
    atheris.Setup(
        [sys.argv[0], *options, "-verbosity=0", "-print_final_stats=0", f"-artifact_prefix={findings}/{name}-", str(corpus)], test
    )
    atheris.Fuzz()


def main() -> int:
    """Fuzzes the loaders named, or all, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="LOADER")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each loader")
    parser.add_argument("--seconds", type=float, default=5.0, help="CPU seconds that a file may take")
    parser.add_argument("--memory", type=int, default=3000, help="MiB that a loader may take")
    parser.add_argument("--findings", type=Path, default=Path("runs/fuzz"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.one:
        one(a.names[0], 60 * a.minutes, a.seconds, a.memory, a.findings, a.seed)
        return 0
    from loaders import loaders

    a.findings.mkdir(parents=True, exist_ok=True)
    before = set(a.findings.iterdir())
    rest = ["--minutes", str(a.minutes), "--seconds", str(a.seconds), "--memory", str(a.memory), "--findings", str(a.findings)]
    for name in a.names or loaders():
        command = [sys.executable, __file__, name, "--one", *rest, "--seed", str(a.seed)]
        said = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace").stderr
        # Without what libFuzzer tells of itself.
        print(
            "".join(f"{line}\n" for line in said.splitlines() if not line.startswith(("INFO", "WARN", "#", '"'))),
            end="",
            flush=True,
        )
    return int(bool(set(a.findings.iterdir()) - before))


if __name__ == "__main__":
    sys.exit(main())
