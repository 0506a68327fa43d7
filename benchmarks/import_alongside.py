"""Measure an import while the backend embeds: clips/s, processor time, memory, fits of the map.

    python benchmarks/import_alongside.py [--clips 4000] [--against OTHER_CHECKOUT]

An embedded Label Studio, the served backend with mn04, and ``earmark import`` of clips of 4 s run
on one machine. The clips are cut from ``../shared/data`` at other positions than the original ones
(which are too few). The time is from the import's start until every clip is embedded. Processor
time is the sum over all processes of a program, which depends less on other load; memory is their
resident memory, while clips are embedded, after a quiet minute, and of a backend restarted with the
same data. ``--against`` first measures the programs of another checkout. A fit is one run of UMAP,
reported with the number of clips embedded at its start.
"""

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
from served import ROOT, Served, cpu_s, family, memory_mb, module

from importer.demo.label_studio_process import COMMAND, Studio
from importer.demo.ports import free_port

SHARED = ROOT.parent / "shared"
WEIGHTS = SHARED / "weights"
STUDIO = ROOT / COMMAND
SETS = ("us8k_dev", "esc50_dev")
CLIP_S = 4.0
HOP_S = 2.0
SILENT = 0.01
LOOK_S = 0.2
PATIENCE_S = 1800.0
FIT = "ml_backend.similarity.fit_process"


class Watch:
    """Monitors the processes of programs, given by name and the id of the first process."""

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
        """Return the resources that each program has used since the start."""
        return {name: cpu_s(pid) - self._began_s[name] for name, pid in self.roots.items()}

    def end(self) -> None:
        """Stop monitoring."""
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
        for code in (chosen.against, ROOT) if chosen.against else (ROOT,):
            print(f"{code.resolve().name}: {chosen.clips} clips of {CLIP_S:g} s", flush=True)
            with tempfile.TemporaryDirectory() as folder:
                shutil.copytree(kept / "studio", Path(folder) / "studio")
                measure(Path(folder), code.resolve(), clips, chosen.clips, chosen.quiet)


def measure(folder: Path, code: Path, clips: Path, n_clips: int, quiet_s: float) -> None:
    files = folder / "files"
    with Studio(folder / "studio", files_root=files, port=free_port(0), command=STUDIO) as studio:
        with Served(studio, folder, checkout=code, EARMARK_WEIGHTS=str(WEIGHTS)) as earmark:
            follow(earmark, clips, n_clips, quiet_s)
        with earmark:
            time.sleep(15.0)
            print(f"  started again: {told(memory_mb(earmark.process.pid))}", flush=True)


def follow(earmark: Served, clips: Path, n_clips: int, quiet_s: float) -> None:
    """Import while the backend embeds, and return the figures."""
    made = earmark.tell("setup", "--title", "Import", "--labels", "siren,other")
    server = earmark.process
    time.sleep(5.0)
    print(f"  backend before: {told(memory_mb(server.pid))}")
    began = time.perf_counter()
    importer = earmark.begin("import", str(clips), "--project", str(made["project_id"]))
    watch = Watch(
        importer=importer.pid, backend=server.pid, label_studio=earmark.studio._process.pid
    )
    imported_s = None

    def is_done(status: dict) -> bool:
        nonlocal imported_s
        if imported_s is None and importer.poll() is not None:
            imported_s = time.perf_counter() - began
        ((one),) = status["projects"] or [{"n_embedded": 0}]
        watch.n_embedded = one["n_embedded"]
        return one["n_embedded"] >= n_clips

    threading.Thread(target=wait_for, args=(importer.pid, used := {})).start()
    earmark.backend.wait_until(is_done, earmark.is_alive, PATIENCE_S)
    whole_s = time.perf_counter() - began
    importer.wait(60)
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


def cut(folder: Path, n_clips: int) -> None:
    """Write clips from the middle of each clip to the middle of the next one."""
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
    """Record the processor time of a program until it ends."""
    used["cpu_s"] = 0.0
    while Path(f"/proc/{pid}").exists():
        used["cpu_s"] = max(used["cpu_s"], cpu_s(pid))
        time.sleep(LOOK_S / 4)


def told(used: dict[str, float]) -> str:
    return ", ".join(f"{name} {mb:.0f} MB" for name, mb in used.items())


if __name__ == "__main__":
    main()
