"""An embedder never changes by accident: all clips would be embedded again, and ranked by less.

Weights that were moved, a network that is back or another setting can each make another embedder
load than the one that the store's clips are embedded by. That is refused until somebody agrees.
"""

from ml_backend.embedders import find_embedder_id
from ml_backend.errors import SettingsError
from ml_backend.settings import Settings
from ml_backend.store import Store

AGREED = "embedder agreed to"


def check_embedder(store: Store, embedder_id: str, warning: str | None = None) -> None:
    """Refuse an embedder that is not the one the store's clips are embedded by.

    Parameters
    ----------
    embedder_id : str
        The embedder that is to go to work.
    warning : str, optional
        Why it is another than the settings name.

    Raises
    ------
    SettingsError
        If clips are embedded by another and nobody has agreed to this one.
    """
    n_clips = store.clips.count_by_embedder()
    used: str | None = store.facts.embedder_at_work()
    if used not in n_clips:  # what was at work last embedded nothing
        used = max(n_clips, key=lambda one: n_clips[one], default=None)
    if used is None or used == embedder_id or store.facts.read(AGREED) == embedder_id:
        return
    reason = _reason(used, embedder_id, warning)
    raise SettingsError(
        f"{n_clips[used]} clips are embedded by {used}. {reason} Nothing was changed. To embed all "
        f"clips again with {embedder_id}, start once with --change-embedder.",
        plain="The settings lead to another embedder than the one that the clips are embedded by.",
    )


def _reason(used: str, embedder_id: str, warning: str | None) -> str:
    used_name, name = used.partition("-")[0], embedder_id.partition("-")[0]
    if warning:
        return warning
    if used_name == name == "melstats":
        return f"This version of Earmark has another melstats, {embedder_id}."
    if used_name == name:
        return (
            f"The weights are others now ({embedder_id}): let EARMARK_WEIGHTS name those "
            "that were used before."
        )
    return f"The settings name {name}: set EARMARK_EMBEDDER={used_name} to keep to it."


def check_settings(settings: Settings, store: Store) -> None:
    """Refuse settings that would make another embedder load, without loading it.

    Raises
    ------
    SettingsError
        As ``check_embedder``.
    """
    cache_dir = settings.data_dir / "weights"
    check_embedder(store, *find_embedder_id(settings.embedder, settings.weights, cache_dir))


def agree(settings: Settings, store: Store) -> None:
    """Agree to the embedder that the settings lead to now; embeddings of the other are kept."""
    cache_dir = settings.data_dir / "weights"
    embedder_id, _ = find_embedder_id(settings.embedder, settings.weights, cache_dir)
    store.facts.write(AGREED, embedder_id)
