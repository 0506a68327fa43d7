"""Push: prepare clips in parallel and import them into a project, batch by batch.

What is already in the project is known by its content hash, read from the project itself: so a
run adds nothing twice, and one that was killed or cut off is finished by running it again. What an
earlier run found or put there, and somebody has deleted since, is left out (``known.py``).
"""

import csv
import fcntl
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from importer.known import Known
from importer.ledger import Ledger
from importer.parallel import prepare_in_parallel
from importer.prepare import (
    PreparedClip,
    audio_path,
    remove_unfinished,
    spectrogram_path,
)
from importer.scan import Clip, Refusal
from importer.serving import Serving
from importer.task import Fields, build_task, data_names, fields_shown
from ml_backend.errors import LabelStudioError, SettingsError
from ml_backend.label_studio import LabelStudio

BATCH_SIZE = 250

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Duplicate:
    """A clip with the same sound as an earlier one of the same import."""

    file: str
    same_as: str


@dataclass
class PushSummary:
    """What an import did: counts, and which clips were left out and why.

    ``added`` are new tasks, ``skipped`` were in the project already, ``deleted`` were there once
    and are left out; ``renamed`` are the metadata columns that task data calls otherwise;
    ``report_path`` lists the refused clips, if any.
    """

    added: int = 0
    skipped: int = 0
    deleted: int = 0
    duplicates: list[Duplicate] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    report_path: Path | None = None


def push_clips(
    label_studio: LabelStudio,
    project_id: int,
    clips: Sequence[Clip | Refusal],
    *,
    files_dir: Path,
    serving: Serving,
    data_dir: Path,
    label_config: str | None = None,
    made_at: str = "",
    again_deleted: bool = False,
    n_workers: int | None = None,
    on_progress: Progress | None = None,
) -> PushSummary:
    """Prepare clips and add those that the project does not hold yet.

    Parameters
    ----------
    clips : sequence of Clip or Refusal
        What ``scan`` found.
    files_dir : Path
        Where prepared files go: ``clips/`` is made in it.
    serving : Serving
        How Label Studio gets at them.
    data_dir : Path
        Where the ledger, the report of refused clips, ``refused-<project>.csv``, and what the
        project is known to have had, ``known-<project>.txt``, are kept.
    label_config : str, optional
        What the project asks: Label Studio refuses tasks that lack a field it shows.
    made_at : str
        When the project was made, as Label Studio tells it.
    again_deleted : bool
        Whether clips that somebody deleted from the project are added again.
    n_workers : int, optional
        How many processes prepare clips; one per core unless given.
    on_progress : callable, optional
        Is told the number of clips done and their total, after each one.

    Raises
    ------
    LabelStudioError
        If Label Studio fails; what was added stays, and the next run goes on from there.
    LabelConfigError
        If the label config shows a field that no clip has.
    SettingsError
        If Label Studio could not find the files in ``files_dir``, or an import into the project
        is under way already: both would add the same clips.
    """
    started = time.monotonic()
    columns = dict.fromkeys(c for clip in clips if isinstance(clip, Clip) for c in clip.metadata)
    names = data_names(columns)
    summary = PushSummary(renamed={c: name for c, name in names.items() if c != name})
    fields = fields_shown(label_config, names.values()) if label_config else Fields()
    known = Known(data_dir / f"known-{project_id}.txt", made_at)
    batch = _Batch(label_studio, project_id, summary, known)
    report_path = data_dir / f"refused-{project_id}.csv"
    serving.check(files_dir)
    with _alone(data_dir / f"import-{project_id}.lock", project_id):
        remove_unfinished(files_dir)
        in_project = _content_hashes(label_studio, project_id)
        known.add(in_project)
        first_files: dict[str, str] = {}
        try:
            with (
                Ledger(data_dir / "prepared.jsonl") as ledger,
                closing(_prepared(clips, files_dir, ledger, n_workers)) as answers,
            ):
                for n_done, answer in enumerate(answers, start=1):
                    if isinstance(answer, Refusal):
                        summary.refused.append(answer)
                    else:
                        file = answer.clip.file + answer.clip.span
                        if answer.content_hash in first_files:
                            first_file = first_files[answer.content_hash]
                            summary.duplicates.append(Duplicate(file, first_file))
                        elif answer.content_hash in in_project:
                            summary.skipped += 1
                        elif answer.content_hash in known and not again_deleted:
                            summary.deleted += 1
                        else:
                            batch.add(_task(answer, files_dir, serving, names, fields))
                        first_files.setdefault(answer.content_hash, file)
                    if on_progress is not None:
                        on_progress(n_done, len(clips))
                batch.send()
        except LabelStudioError as error:
            raise type(error)(
                f"{error} {summary.added} of {len(clips)} clips were added before that; "
                "run the same import again and it goes on from there."
            ) from error
        finally:
            summary.report_path = _write_report(report_path, summary.refused)
            summary.seconds = time.monotonic() - started
    return summary


@contextmanager
def _alone(path: Path, project_id: int) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"An import into project {project_id} is under way already; wait until it is done "
                "and run this one again. It adds nothing twice."
            ) from None
        yield


class _Batch:
    def __init__(
        self, label_studio: LabelStudio, project_id: int, summary: PushSummary, known: Known
    ) -> None:
        self._known = known
        self._label_studio = label_studio
        self._project_id = project_id
        self._summary = summary
        self._tasks: list[dict[str, Any]] = []

    def add(self, task: dict[str, Any]) -> None:
        self._tasks.append(task)
        if len(self._tasks) >= BATCH_SIZE:
            self.send()

    def send(self) -> None:
        if self._tasks:
            self._summary.added += self._label_studio.import_tasks(self._project_id, self._tasks)
            self._known.add(task["data"]["content_hash"] for task in self._tasks)
            self._tasks = []


def _content_hashes(label_studio: LabelStudio, project_id: int) -> set[str]:
    tasks = label_studio.tasks(project_id)
    return {str(task["data"]["content_hash"]) for task in tasks if "content_hash" in task["data"]}


def _prepared(
    clips: Sequence[Clip | Refusal], files_dir: Path, ledger: Ledger, n_workers: int | None
) -> Generator[PreparedClip | Refusal, None, None]:
    """Answer every clip in order: from the ledger where it knows it, else by preparing it."""
    known = [c if isinstance(c, Refusal) else ledger.find(c, files_dir) for c in clips]
    new = [c for c, k in zip(clips, known, strict=True) if k is None and isinstance(c, Clip)]
    with closing(prepare_in_parallel(new, files_dir, n_workers)) as answers:
        for answer in known:
            if answer is not None:
                yield answer
                continue
            fresh = next(answers)
            if isinstance(fresh, PreparedClip):
                ledger.add(fresh)
            yield fresh


def _task(
    prepared: PreparedClip,
    files_dir: Path,
    serving: Serving,
    names: Mapping[str, str],
    fields: Fields,
) -> dict[str, Any]:
    return build_task(
        prepared,
        audio=serving.address(audio_path(files_dir, prepared.content_hash)),
        spectrogram=serving.address(spectrogram_path(files_dir, prepared.content_hash)),
        names=names,
        fields=fields,
    )


def _write_report(path: Path, refused: Sequence[Refusal]) -> Path | None:
    """Write the refused clips as CSV, or remove an older report when there are none."""
    if not refused:
        path.unlink(missing_ok=True)
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # so that Excel reads umlauts
        writer = csv.writer(file)
        writer.writerow(["file", "reason"])
        writer.writerows((refusal.file, refusal.reason) for refusal in refused)
    return path
