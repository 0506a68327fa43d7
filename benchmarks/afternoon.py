"""A long session: thousands of real clips, two annotators, 400 labels, and changes meanwhile.

    python benchmarks/afternoon.py CLIPS [CLIPS ...] --weights DIR [--target siren] [--old DIR]

``CLIPS`` are tables (``metadata.csv`` with the columns ``file`` and ``label``), such as
UrbanSound8K and ESC-50, whose clips are cut into windows of 2 s, one every second. They are
imported into a separate Label Studio, beside a served backend, except those of the last recordings,
which are imported later. Then two annotators label, each the next clip that Label Studio serves,
with its label in the table: target or other. One waits ``--think`` seconds per clip, the other half
as long again. After half of the labels, 300 clips are deleted, then the rest of the clips is
imported, and then the backend is restarted.

Reported for two spans of labels (of 400: 60 to 100 and the last 40): the time from submit to a new
version and to the serving of one of its clips, and the duration of a submit, a next clip and a
round; and at the end predictions, clips labeled twice, database growth and memory. With ``--old`` a
checkout of another commit serves a second session of the same clips, for comparison.
"""

import argparse
import csv
import json
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from served import ROOT, Served, memory_mb

from importer.demo.label_studio_process import DATABASE, Studio
from importer.demo.ports import free_port
from ml_backend.label_studio import LabelStudio

WINDOW = ("--window", "2", "--hop", "1")
LATER_SHARE = 0.1
N_DELETED = 300
OTHER = "other"
# The shares of labels at which each change happens, and the reported spans of labels.
DELETE_AT, IMPORT_AT, RESTART_AT = 0.5, 0.625, 0.8
SPANS = ((0.15, 0.25), (0.9, 1.0))


@dataclass(frozen=True)
class Submit:
    """One label: its time of submission, and the duration of each step, in s.

    ``n_labeled`` clips have a label then: a clip labeled by both annotators counts once.
    """

    n_labeled: int
    task_id: int
    done_at: float
    submit_s: float
    next_s: float
    is_predicted: bool


class Afternoon(Served):
    """A backend beside a Label Studio on SQLite, a project, and its annotators."""

    def __init__(self, studio: Studio, folder: Path, weights: Path, checkout: Path) -> None:
        super().__init__(studio, folder, checkout=checkout, EARMARK_WEIGHTS=str(weights))
        self.folder = folder
        self.submits: list[Submit] = []
        self.current: list[tuple[float, int]] = []  # when a version became current, its labels
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        super().__exit__(*exception)

    def set_up(self, target: str) -> None:
        """Create the project."""
        made = self.tell("setup", "--title", "Afternoon", "--labels", f"{target},{OTHER}")
        self.project_id = int(made["project_id"])

    def import_clips(self, table: Path, root: Path) -> int:
        """Import a table; return the number of clips added."""
        arguments = ("--project", str(self.project_id), "--root", str(root), *WINDOW)
        return int(self.tell("import", str(table), *arguments)["added"])

    def sql(self, statement: str, *values: object, path: Path | None = None) -> list[Any]:
        """Query a database, by default Label Studio's, directly, so that no request is delayed."""
        address = f"file:{path or self.studio.data_dir / DATABASE}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=30)) as database:
            return database.execute(statement, values).fetchall()

    def rounds(self) -> list[tuple[int, dict[str, float]]]:
        """Return the number of labels of every round, and the durations of its steps, in s."""
        rows = self.sql(
            "SELECT n_labeled, timings_s FROM round WHERE project_id = ? ORDER BY number",
            self.project_id,
            path=self.folder / "data" / "earmark.db",
        )
        return [(n_labeled, json.loads(timings)) for n_labeled, timings in rows]

    def look(self) -> None:
        """Record when each version becomes current."""
        query = "SELECT model_version FROM project WHERE id = ?"
        before = None
        while not self._stop.wait(0.02):
            ((version,),) = self.sql(query, self.project_id)
            if version != before:
                before = version
                if version:
                    self.current.append((time.monotonic(), int(version.split("-")[1])))

    def annotate(
        self, client: LabelStudio, truth: dict[str, str], think_s: float, n_labels: int
    ) -> None:
        """Label the clips that Label Studio serves until there are enough labels."""
        while len(self.submits) < n_labels:
            began = time.monotonic()
            task = client.next_task(self.project_id)
            next_s = time.monotonic() - began
            assert task is not None
            time.sleep(think_s)
            value = {"choices": [truth[task["data"]["clip"].split()[0]]]}
            said = {"from_name": "sound", "to_name": "audio", "type": "choices", "value": value}
            asked = time.monotonic()
            client.annotate(task["id"], [said])
            done_at = time.monotonic()
            with self._lock:
                n_labeled = len({one.task_id for one in self.submits} | {task["id"]})
                one = (n_labeled, task["id"], done_at, done_at - asked, next_s)
                self.submits.append(Submit(*one, bool(task["predictions"])))

    def wait_for_labels(self, n_labels: float) -> None:
        """Wait until ``n_labels`` are submitted."""
        while len(self.submits) < n_labels:
            time.sleep(0.1)

    def delete(self, n_tasks: int) -> None:
        """Delete clips that nobody has answered, as the Data Manager does."""
        rows = self.sql(
            "SELECT id FROM task WHERE project_id = ? AND total_annotations = 0 ORDER BY id DESC"
            " LIMIT ?",
            self.project_id,
            n_tasks,
        )
        httpx.post(
            f"{self.studio.url}/api/dm/actions",
            params={"id": "delete_tasks", "project": self.project_id},
            json={"selectedItems": {"all": False, "included": [row[0] for row in rows]}},
            headers={"Authorization": f"Token {self.studio.credentials.token}"},
            timeout=300,
        ).raise_for_status()

    def until_learned(self, since: float) -> float:
        """Wait for the first version after a moment that includes a later label."""
        while True:
            n_then = len({one.task_id for one in self.submits if one.done_at <= since})
            later = [at - since for at, n in self.current if at > since and n > n_then]
            if later:
                return later[0]
            time.sleep(0.1)

    def followed_s(self, one: Submit) -> float:
        """Return the time from a submit to a current version that includes it."""
        found = [at for at, n in self.current if at >= one.done_at - 0.02 and n >= one.n_labeled]
        return found[0] - one.done_at if found else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="+", type=Path, metavar="CLIPS")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--target", default="siren")
    parser.add_argument("--labels", type=int, default=400)
    parser.add_argument("--think", type=float, default=2.0, help="seconds a clip, at least")
    parser.add_argument("--old", type=Path, help="a checkout to compare with")
    options = parser.parse_args()
    for checkout in filter(None, (ROOT, options.old)):
        with tempfile.TemporaryDirectory() as name:
            play(Path(name), checkout.resolve(), options)


def play(folder: Path, checkout: Path, options: argparse.Namespace) -> None:
    truth, now, later = divide(options.tables, folder, options.target)
    with (
        Studio(folder / "studio", files_root=folder / "files", port=free_port(0)) as studio,
        Afternoon(studio, folder, options.weights.resolve(), checkout) as afternoon,
    ):
        afternoon.set_up(options.target)
        clients = [afternoon.label_studio, afternoon.join("second@earmark.local")]
        began = time.monotonic()
        n_clips = sum(afternoon.import_clips(*one) for one in now)
        afternoon.wait_until_ordered(afternoon.project_id, n_clips)
        ready_s = time.monotonic() - began
        print(f"{n_clips:,} clips, ready after {ready_s:.0f} s ({n_clips / ready_s:.0f} a second)")
        size_before = database_mb(afternoon)
        pace = [options.think * (1 + 0.5 * number) for number in range(len(clients))]
        threads = [threading.Thread(target=afternoon.look, daemon=True)] + [
            threading.Thread(
                target=afternoon.annotate, args=(client, truth, think_s, options.labels)
            )
            for client, think_s in zip(clients, pace, strict=True)
        ]
        for thread in threads:
            thread.start()
        told = happen(afternoon, later, options.labels)
        for thread in threads[1:]:
            thread.join()
        time.sleep(5)
        tell(afternoon, told, database_mb(afternoon) - size_before)


def divide(
    tables: list[Path], folder: Path, target: str
) -> tuple[dict[str, str], list[tuple[Path, Path]], list[tuple[Path, Path]]]:
    """Set the last recordings of each table aside; return each clip's class, and both parts."""
    truth, now, later = {}, [], []
    for number, path in enumerate(tables):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            truth[Path(row["file"]).name] = target if row["label"] == target else OTHER
        start = int((1 - LATER_SHARE) * len(rows))
        for name, part, parts in (("now", rows[:start], now), ("later", rows[start:], later)):
            table = folder / f"{name}{number}.csv"
            with table.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, rows[0].keys())
                writer.writeheader()
                writer.writerows(part)
            parts.append((table, path.resolve().parent))
    return truth, now, later


def happen(afternoon: Afternoon, later: list[tuple[Path, Path]], n_labels: int) -> dict[str, float]:
    """Delete, import and restart during labeling; return the times without a new version."""
    told = {}
    afternoon.wait_for_labels(DELETE_AT * n_labels)
    began = time.monotonic()
    afternoon.delete(N_DELETED)
    told[f"{N_DELETED} clips deleted: learning again after"] = afternoon.until_learned(began)
    afternoon.wait_for_labels(IMPORT_AT * n_labels)
    began = time.monotonic()
    n_added = sum(afternoon.import_clips(*one) for one in later)
    told[f"{n_added} clips imported in"] = time.monotonic() - began
    afternoon.wait_for_labels(RESTART_AT * n_labels)
    afternoon.stop()
    began = time.monotonic()
    afternoon.start()
    told["restart: ready after"] = time.monotonic() - began
    told["restart: learning again after"] = afternoon.until_learned(began)
    return told


def tell(afternoon: Afternoon, told: dict[str, float], grown_mb: float) -> None:
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=afternoon.checkout,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    print(f"served from {revision or afternoon.checkout}; s, p50 / p95")
    print("| labels | submit | next clip | submit to new version | to its first clip | round |")
    print("|---|---|---|---|---|---|")
    rounds = afternoon.rounds()
    n_labels = len(afternoon.submits)
    for first, last in ((round(low * n_labels), round(high * n_labels)) for low, high in SPANS):
        chosen = afternoon.submits[first:last]
        followed = [afternoon.followed_s(one) for one in chosen]
        served = [wait + one.next_s for wait, one in zip(followed, chosen, strict=True)]
        took = [timings["total"] for n, timings in rounds if first < n <= last]
        columns = [[one.submit_s for one in chosen], [one.next_s for one in chosen]]
        columns += [followed, served, took]
        print(f"| {first}–{last} | {' | '.join(map(spread, columns))} |")
    steps = Counter[str]()
    for _, timings in rounds[-40:]:
        steps.update(timings)
    parts = (f"{name} {total / 40:.2f}" for name, total in steps.most_common())
    print(f"mean of the last 40 rounds, s: {', '.join(parts)}")
    for name, seconds in told.items():
        print(f"{name} {seconds:.1f} s")
    per_task = Counter(one.task_id for one in afternoon.submits)
    n_predictions, most = afternoon.sql(
        "SELECT COUNT(*), MAX(n) FROM (SELECT COUNT(*) AS n FROM prediction WHERE project_id = ?"
        " GROUP BY task_id)",
        afternoon.project_id,
    )[0]
    print(f"clips given to both: {sum(n > 1 for n in per_task.values())} of {len(per_task)}")
    print(f"clips without a prediction: {sum(not one.is_predicted for one in afternoon.submits)}")
    print(f"Label Studio's database grew by {1000 * grown_mb / n_labels:.0f} kB a label")
    print(f"clips with predictions: {n_predictions:,}, at most {most} each")
    print(f"memory of the backend: {sum(memory_mb(afternoon.process.pid).values()):.0f} MB")


def spread(seconds: list[float]) -> str:
    if not seconds:
        return "–"
    return "{:.2f} / {:.2f}".format(*np.percentile(seconds, [50, 95]))


def database_mb(afternoon: Afternoon) -> float:
    path = afternoon.studio.data_dir / DATABASE
    return sum(one.stat().st_size for one in path.parent.glob(f"{DATABASE}*")) / 1e6


if __name__ == "__main__":
    main()
