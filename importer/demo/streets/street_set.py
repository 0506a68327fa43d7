"""The street set on disk: which recordings there are, their clips and their metadata.

About 18 % of the clips hold a siren. Two to four clips come from one recording and share its
source, place, microphone and hour. The same seed gives the same sound.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from importer.demo.streets.scene import make_scene
from importer.demo.streets.synthesis import SAMPLE_RATE_HZ, Waveform
from ml_backend.errors import SourceError

METADATA_NAME = "metadata.csv"
COLUMNS = (
    "file", "recording_id", "recorded_at", "weather", "salience", "street", "temperature_c",
    "is_weekend", "label",
)  # fmt: skip
_MARKER_NAME = "street_set.json"
_VERSION = 2
_FIRST_DAY, _N_DAYS = datetime(2024, 3, 1), 214
_STREETS = (
    "Canal Street", "Church Row", "Harbour Road", "High Street", "King's Parade", "Linden Avenue",
    "Market Square", "Mill Lane", "Park Terrace", "Ring Road", "Station Road", "Well Lane",
)  # fmt: skip
# Share of the clips, and how many of their recordings are made in the evening.
_HABITS = {
    "siren": (0.18, 0.45),
    "car_horn": (0.12, 0.3),
    "jackhammer": (0.125, 0.05),
    "dog_bark": (0.15, 0.3),
    "engine_idling": (0.145, 0.25),
    "children_playing": (0.14, 0.15),
    "street_music": (0.14, 0.4),
}


@dataclass(frozen=True)
class StreetRecording:
    """What all clips of one recording share."""

    label: str
    n_takes: int
    recorded_at: datetime
    weather: str
    salience: int
    street: str
    temperature_c: float


def make_street_set(
    folder: Path,
    n_clips: int = 400,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the street set into a folder, or finish it where an earlier run was stopped.

    Parameters
    ----------
    folder : Path
        A folder of its own; a set of another size or seed in it is replaced.
    n_clips : int
        How many clips of 4 s at 22,050 Hz, 16 bit, mono.
    seed : int
        Which set.
    on_progress : function, optional
        Told after each clip how many there are and how many there will be.

    Returns
    -------
    Path
        The metadata table, written last: a CSV of `COLUMNS` with one row per clip. Salience is 1
        for a sound in the foreground and 2 in the background, as in UrbanSound8K.

    Raises
    ------
    SourceError
        If the folder holds other files, or fewer than one clip is asked for.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table_path = make_street_set(Path(folder), n_clips=2)
    ...     sorted(path.name for path in Path(folder).glob("*.[cw][sa]v"))
    ['metadata.csv', 'street_0001.wav', 'street_0002.wav']
    """
    if n_clips < 1:
        raise SourceError(f"A street set of {n_clips} clips was asked for; ask for at least 1.")
    _claim(folder, {"n_clips": n_clips, "seed": seed, "version": _VERSION})
    recordings = plan(n_clips, seed)
    n_done = 0
    for number, (recording, paths) in enumerate(_clips(folder, recordings)):
        scene = None
        for take, path in enumerate(paths):
            if not path.exists():
                scene = scene or make_scene(
                    recording.label,
                    recording.weather,
                    recording.salience,
                    np.random.default_rng([seed, 1, number]),
                )
                _write(path, _wav(scene(np.random.default_rng([seed, 2, number, take]))))
            n_done += 1
            if on_progress is not None:
                on_progress(n_done, n_clips)
    table_path = folder / METADATA_NAME
    if not table_path.exists():
        _write(table_path, _table(folder, recordings).encode())
    return table_path


def _claim(folder: Path, parameters: dict[str, int]) -> None:
    """Make sure that whatever lies in the folder is a part of this very set."""
    folder.mkdir(parents=True, exist_ok=True)
    marker_path = folder / _MARKER_NAME
    marker = json.dumps(parameters)
    if not marker_path.exists():
        if any(path.suffix != ".part" for path in folder.iterdir()):
            raise SourceError(
                f"{folder} holds files that are no street set; name an empty folder for it."
            )
    elif marker_path.read_text(encoding="utf-8") == marker:
        return
    (folder / METADATA_NAME).unlink(missing_ok=True)
    for path in folder.glob("street_*.wav"):
        path.unlink()
    _write(marker_path, marker.encode())


def plan(n_clips: int, seed: int) -> list[StreetRecording]:
    """Draw what is recorded and when, in order of time.

    Examples
    --------
    >>> sum(recording.n_takes for recording in plan(400, seed=0))
    400
    """
    rng = np.random.default_rng([seed, 0])
    missing = {label: share * n_clips for label, (share, _) in _HABITS.items()}
    recordings = []
    n_left = n_clips
    while n_left:
        label = max(missing, key=missing.__getitem__)
        n_takes = min(int(rng.integers(2, 5)), n_left)
        recordings.append(_draw_recording(label, n_takes, rng))
        missing[label] -= n_takes
        n_left -= n_takes
    return sorted(recordings, key=lambda recording: recording.recorded_at)


def _draw_recording(label: str, n_takes: int, rng: np.random.Generator) -> StreetRecording:
    is_evening = rng.uniform() < _HABITS[label][1]
    hour = rng.uniform(19, 24) if is_evening else rng.uniform(7, 19)
    recorded_at = _FIRST_DAY + timedelta(days=int(rng.integers(_N_DAYS)), seconds=int(hour * 3600))
    weather = str(rng.choice(["dry", "rain", "wind"], p=[0.6, 0.2, 0.2]))
    season = np.sin(2 * np.pi * (recorded_at.timetuple().tm_yday - 110) / 365)
    time_of_day = np.sin(2 * np.pi * (hour - 9) / 24)
    temperature_c = 11 + 9 * season + 4 * time_of_day - 3 * (weather == "rain")
    return StreetRecording(
        label=label,
        n_takes=n_takes,
        recorded_at=recorded_at,
        weather=weather,
        # Streets are quieter in the evening: what happens there stands out.
        salience=1 if rng.uniform() < (0.7 if is_evening else 0.5) else 2,
        street=_STREETS[rng.integers(len(_STREETS))],
        temperature_c=round(float(temperature_c + rng.normal(0, 2.5)), 1),
    )


def _clips(
    folder: Path, recordings: list[StreetRecording]
) -> Iterator[tuple[StreetRecording, list[Path]]]:
    """Return every recording with the files of its takes, numbered through."""
    n_before = 0
    for recording in recordings:
        numbers = range(n_before + 1, n_before + recording.n_takes + 1)
        yield recording, [folder / f"street_{number:04d}.wav" for number in numbers]
        n_before += recording.n_takes


def _table(folder: Path, recordings: list[StreetRecording]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, (it, paths) in enumerate(_clips(folder, recordings), start=1):
        for take, path in enumerate(paths):
            at = it.recorded_at + timedelta(seconds=7 * take)
            is_weekend = "true" if at.weekday() >= 5 else "false"
            writer.writerow([
                path.name, f"rec_{number:03d}", at.isoformat(), it.weather, it.salience,
                it.street, it.temperature_c, is_weekend, it.label,
            ])  # fmt: skip
    return text.getvalue()


def _wav(waveform: Waveform) -> bytes:
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, waveform, SAMPLE_RATE_HZ, subtype="PCM_16", format="WAV")
    return content.getvalue()


def _write(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".part")
    partial.write_bytes(content)
    partial.replace(path)
