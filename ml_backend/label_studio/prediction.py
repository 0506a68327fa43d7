"""What the classifier makes of a clip, in the form that Label Studio validates and shows.

Label Studio's ``score`` runs against the acquisition score: its queue serves the *lowest* score
first. So the score of a prediction is its clip's place in the order, as a share of the pool.

Of a clip-level prediction the labeling page shows the choice and the score, but no ``meta``. The
figures are therefore told twice, to programs in the ``meta`` of the first result, to people in the
read-only text area of the label config. Where it has one, that is the first result: Label Studio
copies what is predicted into the annotation, but for this text area and its ``meta``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_backend.label_studio.label_config import LabelConfig

_N_TOLD = 3


def build_prediction(
    task_id: int,
    config: LabelConfig,
    probabilities: NDArray[np.float64] | None,
    *,
    entropy: float | None,
    margin: float | None,
    coverage_distance: float,
    rank: int,
    n_pool: int,
    model_version: str,
    predicted: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Write the prediction of one task, as the bulk import takes it.

    Parameters
    ----------
    task_id : int
        ``/predict`` wants the same without it.
    config : LabelConfig
        The question; regions cannot be predicted for a whole clip, so of ``<Labels>`` only the
        figures are told.
    probabilities : ndarray, shape=(n_classes,), or None
        In the order of ``config.class_names``; None before a classifier exists: the prediction
        then holds nothing but the place in the order.
    entropy, margin : float or None
        Range [0, 1], both normalized.
    coverage_distance : float
        Cosine distance to the nearest labeled clip.
    rank : int
        Place in the order, 0 = first; ``n_pool`` of a clip that is not in it.
    n_pool : int
        Length of the order.
    model_version : str
    predicted : ndarray of bool, shape=(n_classes,), or None
        The classes to choose (``deciding.Rule``): one or, where a clip may have several labels, any
        number of them. None before a classifier exists.

    Returns
    -------
    dict
        The choice's own score is the probability of the least probable class in it.

    Examples
    --------
    >>> config = LabelConfig(("siren", "other"), False, "sound", "audio", "choices", "audio")
    >>> prediction = build_prediction(
    ...     7, config, np.array([0.9, 0.1]), entropy=0.469, margin=0.8, coverage_distance=0.3,
    ...     rank=1, n_pool=4, model_version="v1", predicted=np.array([True, False]),
    ... )
    >>> prediction["score"], prediction["result"][0]["value"], prediction["result"][0]["score"]
    (0.25, {'choices': ['siren']}, 0.9)
    """
    prediction: dict[str, Any] = {
        "task": task_id,
        "model_version": model_version,
        "score": min(rank / max(n_pool, 1), 1.0),
        "result": [],
    }
    if probabilities is None or predicted is None:
        return prediction
    by_class = dict(zip(config.class_names, np.round(probabilities, 4).tolist(), strict=True))
    figures = {
        "entropy": _rounded(entropy),
        "margin": _rounded(margin),
        "coverage_distance": _rounded(coverage_distance),
        "rank": rank,
        "n_pool": n_pool,
    }
    chosen = chosen_names(config.class_names, predicted)
    results = []
    if config.judgment_name is not None:
        told = _told(by_class, figures, chosen)
        results.append(_result(config.judgment_name, config, "textarea", [told]))
    if chosen and config.control == "choices":
        lowest = min(by_class[name] for name in chosen)
        results.append(_result(config.from_name, config, "choices", chosen) | {"score": lowest})
    if results:
        results[0]["meta"] = {"probabilities": by_class, **figures}
    prediction["result"] = results
    return prediction


def chosen_names(class_names: Sequence[str], predicted: NDArray[np.bool_]) -> list[str]:
    """Name the predicted classes, in the order of the config."""
    return [name for name, is_chosen in zip(class_names, predicted, strict=True) if is_chosen]


def _result(from_name: str, config: LabelConfig, kind: str, words: list[str]) -> dict[str, Any]:
    return {
        "id": from_name,
        "from_name": from_name,
        "to_name": config.to_name,
        "type": kind,
        "value": {"text" if kind == "textarea" else kind: words},
    }


def _told(by_class: dict[str, float], figures: dict[str, Any], chosen: list[str]) -> str:
    likeliest = sorted(by_class, key=lambda name: -by_class[name])[:_N_TOLD]
    parts = [f"{name} {by_class[name]:.2f}" for name in likeliest]
    if len(chosen) == 1 and chosen != likeliest[:1]:
        parts.append(f"predicted: {chosen[0]}, for {likeliest[0]} is too rare to be believed")
    if figures["entropy"] is not None:
        parts.append(f"entropy {figures['entropy']:.2f}")
    parts.append(f"nearest label at {figures['coverage_distance']:.2f}")
    if figures["rank"] < figures["n_pool"]:  # answered clips have no place in the order
        parts.append(f"place {figures['rank'] + 1:,} of {figures['n_pool']:,}")
    return " · ".join(parts)


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(float(number), 4)
