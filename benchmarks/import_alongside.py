"""Measure an import while the backend embeds: clips/s, processor time, memory, fits of the map.

    python benchmarks/import_alongside.py [--clips 4000] [--against OTHER_CHECKOUT]

An embedded Label Studio, the served backend with mn04, and ``earmark import`` of clips of 4 s, all
on this machine. The clips are cut from ``../shared/data`` at other places than they were cut before
(there are not enough of them else). The clock runs from the import's start until every clip is
embedded. Processor time is that of all processes of a program, which a busy machine lengthens less;
memory is their resident memory, while clips are embedded, after a quiet minute, and of a backend
that is started again with the same data. ``--against`` measures the programs of another checkout
first. A fit is one run of UMAP; told are the clips that were embedded when it began.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from importer.backend import Backend
from importer.ports import free_port
from importer.project import set_up
from importer.studio import COMMAND, Studio
from ml_backend.settings import Settings

HERE = Path(__file__).resolve().parents[1]
SHARED = HERE.parent / "shared"
STUDIO = HERE / COMMAND
SETS = ("us8k_dev", "esc50_dev")
CLIP_S = 4.0
HOP_S = 2.0
SILENT = 0.01
LOOK_S = 0.2
PATIENCE_S = 1800.0
FIT = "ml_backend.mapmaker"
WORKER = "ml_backend.worker"


class Watch:
    """Follows the processes of programs, each named and with the number of its first process."""

    def __init__(self, **roots: int) -> None:
        self.roots = roots
        self.peak_mb: defaultdict[str, float] = defaultdict(float)
        self.fits_at: dict[int, int] = {}
        self.n_embedded = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._began_s = {name: cpu_s(pid) for name, pid in roots.items()}
        self._thread.start()

    def cpu_s(self) -> dict[str, float]:
        """Tell what each program has used since the start."""
        return {name: cpu_s(pid) - self._began_s[name] for name, pid in self.roots.items()}

    def end(self) -> None:
        """Follow no more."""
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stop.wait(LOOK_S):
            for name, pid in self.roots.items():
                found = memory_mb(pid)
                for part, used in found.items():
                    self.peak_mb[part] = max(self.peak_mb[part], used)
                self.peak_mb[name] = max(self.peak_mb[name], sum(found.values()))
                for one in family(pid):
                    if module(one) == FIT:
                        self.fits_at.setdefault(one, self.n_embedded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=4000)
    parser.add_argument("--quiet", type=float, default=60.0, help="s to wait before memory is told")
    parser.add_argument("--against", type=Path, help="another checkout, measured first")
    parser.add_argument(
        "--keep", type=Path, help="keeps clips and a new Label Studio for next time"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        kept = chosen.keep or Path(name)
        clips = kept / f"clips-{chosen.clips}"
        cut(clips, chosen.clips)
        if not (kept / "studio").is_dir():
            with Studio(kept / "studio", port=8180, command=STUDIO):
                pass
        for code in (chosen.against, HERE) if chosen.against else (HERE,):
            print(f"{code.resolve().name}: {chosen.clips} clips of {CLIP_S:g} s", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                shutil.copytree(kept / "studio", Path(folder) / "studio")
                measure(Path(folder), code.resolve(), clips, chosen.clips, chosen.quiet)


def measure(folder: Path, code: Path, clips: Path, n_clips: int, quiet_s: float) -> None:
    files = folder / "files"
    with Studio(folder / "studio", files_root=files, port=8180, command=STUDIO) as studio:
        environment = {
            "EARMARK_ENV_FILE": os.devnull,
            "EARMARK_DATA": str(folder / "data"),
            "EARMARK_PORT": str(free_port(9190)),
            "EARMARK_SECRET": "of the benchmark",
            "EARMARK_FILES_ROOT": str(files),
            "EARMARK_WEIGHTS": str(SHARED / "weights"),
            "LABEL_STUDIO_URL": studio.url,
            "LABEL_STUDIO_API_KEY": studio.credentials.token,
        }
        settings = Settings.from_env(environment)
        with program(code, environment, folder / "log", "serve") as server:
            backend = Backend(settings)
            backend.wait_until(is_ready, lambda: server.poll() is None, 600.0)
            report = set_up(
                studio.client(),
                backend_url=settings.backend_url,
                secret=settings.secret,
                title="Import",
                labels=("siren", "other"),
                files_dir=files / "earmark",
            )
            time.sleep(5.0)
            print(f"  backend before: {told(memory_mb(server.pid))}")
            began = time.perf_counter()
            said = ["import", str(clips), "--project", str(report.project_id)]
            with program(code, environment, folder / "import.log", *said) as importer:
                watch = Watch(
                    importer=importer.pid, backend=server.pid, label_studio=studio._process.pid
                )
                imported_s = None

                def is_done(status: dict) -> bool:
                    nonlocal imported_s
                    if imported_s is None and importer.poll() is not None:
                        imported_s = time.perf_counter() - began
                    ((one),) = status["projects"] or [{"n_embedded": 0}]
                    watch.n_embedded = one["n_embedded"]
                    return one["n_embedded"] >= n_clips

                importer_cpu = threading.Thread(target=wait_for, args=(importer.pid, used := {}))
                importer_cpu.start()
                backend.wait_until(is_done, lambda: server.poll() is None, PATIENCE_S)
                whole_s = time.perf_counter() - began
            imported_s = imported_s or whole_s
            cpu = watch.cpu_s() | {"importer": used["cpu_s"]}
            print(
                f"  import alone {imported_s:.0f} s, until embedded {whole_s:.0f} s: "
                f"{n_clips / whole_s:.1f} clips/s"
            )
            spent = ", ".join(f"{name} {s / n_clips * 1000:.1f}" for name, s in cpu.items())
            total = sum(cpu.values()) / n_clips * 1000
            print(
                f"  processor ms per clip: {spent}, together {total:.1f}; "
                f"{os.cpu_count()} cores allow {os.cpu_count() * 1000 / total:.0f} clips/s"
            )
            print(f"  most memory meanwhile: {told(watch.peak_mb)}", flush=True)
            time.sleep(1.0)
            print(f"  1 s later: {told(memory_mb(server.pid))}", flush=True)
            time.sleep(quiet_s)
            print(f"  {quiet_s:.0f} s later: {told(memory_mb(server.pid))}")
            watch.end()
            print(f"  fits of the map began at: {list(watch.fits_at.values())} clips", flush=True)
        with program(code, environment, folder / "log", "serve") as server:
            backend.wait_until(is_ready, lambda: server.poll() is None, 600.0)
            time.sleep(15.0)
            print(f"  started again: {told(memory_mb(server.pid))}", flush=True)


def is_ready(status: dict) -> bool:
    return status["embedder"] is not None and (status["worker"] or {}).get("state") == "working"


@contextmanager
def program(
    code: Path, environment: dict[str, str], log: Path, *arguments: str
) -> Iterator["subprocess.Popen[bytes]"]:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("EARMARK_", "LABEL_STUDIO_"))}
    with log.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "importer.cli", *arguments],
            cwd=code,
            env={**kept, "PYTHONPATH": str(code), **environment},
            stdout=said,
            stderr=said,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def cut(folder: Path, n_clips: int) -> None:
    """Write clips that reach from the middle of one to the middle of the next one."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    with ProcessPoolExecutor() as cores:
        n_written = sum(cores.map(cut_set, SETS, [folder] * len(SETS), [n_clips // len(SETS)] * 2))
    assert n_written == n_clips, f"the sets yield {n_written} clips only"


def cut_set(name: str, folder: Path, n_clips: int) -> int:
    files = sorted((SHARED / "data" / name / "audio").glob("*.ogg"))
    read = [soundfile.read(file, dtype="float32") for file in files]
    rate_hz = read[0][1]
    samples = np.concatenate([one for one, _ in read])
    n_samples, n_hop = round(CLIP_S * rate_hz), round(HOP_S * rate_hz)
    pieces = np.lib.stride_tricks.sliding_window_view(samples, n_samples)[::n_hop]
    heard = [piece for piece in pieces if np.abs(piece).max() > SILENT][:n_clips]
    for number, piece in enumerate(heard):
        soundfile.write(folder / f"{name}-{number:05d}.ogg", piece, rate_hz)
    return len(heard)


def wait_for(pid: int, used: dict[str, float]) -> None:
    """Note how much processor time a program has used, until it has ended."""
    used["cpu_s"] = 0.0
    while Path(f"/proc/{pid}").exists():
        used["cpu_s"] = max(used["cpu_s"], cpu_s(pid))
        time.sleep(LOOK_S / 4)


def family(pid: int) -> list[int]:
    """List a process and all that it started, as far as they live."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            todo += [int(child) for child in text(task).split()]
    return found


def cpu_s(pid: int) -> float:
    """Add up the processor time of a family, those that have ended included."""
    ticks = 0
    for one in family(pid):
        fields = text(Path(f"/proc/{one}/stat")).rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> dict[str, float]:
    """Tell the resident memory of a family, by what its members are."""
    used: defaultdict[str, float] = defaultdict(float)
    for one in family(pid):
        for line in text(Path(f"/proc/{one}/status")).splitlines():
            if line.startswith("VmRSS"):
                used[module(one)] += int(line.split()[1]) / 1024
    return dict(used)


def module(pid: int) -> str:
    """Name the module that a process runs."""
    said = text(Path(f"/proc/{pid}/cmdline")).split("\0")
    return next(
        (one for one in reversed(said) if one.startswith(("ml_backend.", "importer."))), "?"
    )


def told(used: dict[str, float]) -> str:
    return ", ".join(f"{name} {mb:.0f} MB" for name, mb in used.items())


def text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


if __name__ == "__main__":
    main()
