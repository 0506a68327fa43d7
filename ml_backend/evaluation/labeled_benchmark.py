"""Clips with known labels, split into the pool and the test set of simulated runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_backend.errors import SourceError
from ml_backend.label_studio.label_config import LabelConfig, label_config_xml, parse_label_config
from ml_backend.learning.embedded_clips import EmbeddedClips

POOL_SHARE = 0.9
_N_DRAWS = 100
_REST = ("other", "rest")


@dataclass(frozen=True)
class Trial:
    """Clips with known labels, and their use as pool or test set.

    Attributes
    ----------
    clips : EmbeddedClips
        Task numbers are row numbers.
    answers : ndarray of int64, shape=(n_clips,)
        Index of each clip's class in the config.
    config : LabelConfig
    target : int or None
        Class of F1 and average precision; None for the mean over classes.
    is_pool, is_test : ndarray of bool, shape=(n_clips,)
        Clips that runs draw from.
    test_share : float or None
        Share of the pool's recordings that each run draws as its test set; None uses ``is_test``.
    embedder_id : str
    prior : ndarray of float32, shape=(n_clips, n_classes), or None
        As in ``RoundInput``.
    """

    clips: EmbeddedClips
    answers: NDArray[np.int64]
    config: LabelConfig
    target: int | None
    is_pool: NDArray[np.bool_]
    is_test: NDArray[np.bool_]
    test_share: float | None
    embedder_id: str
    prior: NDArray[np.float32] | None = None


def make_trial(
    embeddings: NDArray[np.float32],
    labels: Sequence[str],
    recordings: NDArray[np.int64],
    clip_keys: Sequence[str],
    *,
    target: str | None,
    is_pool: NDArray[np.bool_],
    is_test: NDArray[np.bool_] | None,
    test_share: float | None,
    embedder_id: str,
    prior_of: Callable[[Sequence[str]], NDArray[np.float32] | None] = lambda class_names: None,
) -> Trial:
    """Check clips and labels, and return them in the form that ``learn`` needs.

    Parameters
    ----------
    embeddings : ndarray, shape=(n_clips, embedding_dim)
    labels : sequence of str
        One per clip.
    recordings : ndarray of int64, shape=(n_clips,)
        Number of each clip's recording; none is in both pool and test.
    clip_keys : sequence of str
        Key of each clip's audio.
    target : str or None
        This class against the rest; None keeps all classes.
    is_pool : ndarray of bool, shape=(n_clips,)
    is_test : ndarray of bool, shape=(n_clips,), or None
    test_share : float or None
        Instead of ``is_test``: the share of the pool's recordings that each run tests on.
    embedder_id : str
    prior_of : callable
        Returns the prior of all clips for class names, None if there is none.

    Raises
    ------
    SourceError
        If the clips cannot be used: a missing target, one class only, a recording in both pool and
        test, audio with two labels, or an embedding that is not finite.
    """
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(bad):
        raise SourceError(
            f"The embedding of {clip_keys[bad[0]]} is not finite (one of {len(bad)}). "
            "Remove the clip, or embed it anew."
        )
    _check_sounds(clip_keys, labels)
    names = tuple(sorted(set(labels)))
    if len(names) < 2:
        raise SourceError(
            f"All clips have the label {names[0]!r}; there must be two classes to tell apart."
            if names
            else "There are no labeled clips."
        )
    if target is not None:
        if target not in names:
            raise SourceError(f"No clip has the label {target!r}; there are {', '.join(names)}.")
        rest = next(name for name in _REST if name != target)
        labels = [label if label == target else rest for label in labels]
        names = (target, rest)
    trial = Trial(
        EmbeddedClips(np.arange(len(labels)), tuple(clip_keys), recordings, np.asarray(embeddings)),
        np.array([names.index(label) for label in labels], dtype=np.int64),
        parse_label_config(label_config_xml(names, multi_label=False)),
        None if target is None else 0,
        is_pool,
        np.zeros(len(labels), dtype=bool) if is_test is None else is_test,
        test_share,
        embedder_id,
        prior_of(names),
    )
    if test_share is None:
        _check_sides(trial)
    return trial


def split(trial: Trial, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw one run's pool and test clips, as rows; no recording is in both.

    Raises
    ------
    SourceError
        If no draw has every class in both.
    """
    rng = np.random.default_rng(seed)
    recordings = trial.clips.recordings
    if trial.test_share is None:
        pool, test = np.flatnonzero(trial.is_pool), np.flatnonzero(trial.is_test)
        return _leave_out(pool, recordings, 1.0 - POOL_SHARE, rng)[0], test
    for _ in range(_N_DRAWS):
        pool, test = _leave_out(np.flatnonzero(trial.is_pool), recordings, trial.test_share, rng)
        n_sides = [len(np.unique(trial.answers[rows])) for rows in (pool, test)]
        if min(n_sides) == len(trial.config.class_names):
            return _leave_out(pool, recordings, 1.0 - POOL_SHARE, rng)[0], test
    raise SourceError(
        f"{_N_DRAWS} draws of {trial.test_share:g} of the recordings to test on left a class "
        "without clips on one side. Some class has too few recordings; name the test clips "
        "with --test instead."
    )


def _leave_out(
    rows: NDArray[np.int64],
    recordings: NDArray[np.int64],
    share: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows into those of a random ``1 - share`` of the recordings and the others."""
    groups = np.unique(recordings[rows])
    n_out = min(round(share * len(groups)), len(groups) - 1)
    is_out = np.isin(recordings[rows], rng.permutation(groups)[:n_out])
    return rows[~is_out], rows[is_out]


def _check_sounds(clip_keys: Sequence[str], labels: Sequence[str]) -> None:
    label_of: dict[str, str] = {}
    for key, label in zip(clip_keys, labels, strict=True):
        if label_of.setdefault(key, label) != label:
            raise SourceError(
                f"The sound {key} has two labels, {label_of[key]!r} and {label!r}. "
                "Which is right? Correct the table or leave the clip out."
            )


def _check_sides(trial: Trial) -> None:
    for side, mask in [("pool", trial.is_pool), ("test", trial.is_test)]:
        present = np.unique(trial.answers[mask])
        if not len(present):
            raise SourceError(f"The {side} has no labeled clips; choose other values for it.")
        if len(present) < 2 or (trial.target is not None and trial.target not in present):
            only = trial.config.class_names[present[0]]
            raise SourceError(
                f"The {side} has only clips of {only!r}; it needs "
                f"{trial.config.class_names[0] if trial.target is not None else 'two classes'!r}"
                " and others."
            )
    pool, test = (trial.clips.recordings[mask] for mask in (trial.is_pool, trial.is_test))
    n_both = len(np.intersect1d(pool, test))
    if n_both:
        raise SourceError(
            f"{n_both} recordings have clips both in the pool and in the test set, so the test "
            "would measure known recordings. Choose --pool and --test so that none is in both."
        )
