"""A guard against accidental changes of the embedder, after which all clips are embedded again.

Moved weights, a restored network connection or another setting can each load another embedder than
that of the stored embeddings. The guard refuses it until a person agrees, because an accidental
embedder may also be a worse one.
"""

from ml_backend.embedders import find_embedder_id
from ml_backend.errors import SettingsError
from ml_backend.settings import Settings
from ml_backend.store import Store

AGREED = "embedder agreed to"


def check_embedder(store: Store, embedder_id: str, warning: str | None = None) -> None:
    """Check that an embedder is the one of the stored embeddings.

    Parameters
    ----------
    store : Store
    embedder_id : str
        The loaded embedder.
    warning : str, optional
        The reason why it differs from the setting.

    Raises
    ------
    SettingsError
        If clips are embedded by another one and nobody has agreed to this one.
    """
    n_clips = store.clips.count_by_embedder()
    used: str | None = store.facts.embedder_at_work()
    if used not in n_clips:  # the last embedder has embedded nothing
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
    """Check that the settings do not change the embedder, without loading it.

    Raises
    ------
    SettingsError
        As ``check_embedder``.
    """
    cache_dir = settings.data_dir / "weights"
    check_embedder(store, *find_embedder_id(settings.embedder, settings.weights, cache_dir))


def agree(settings: Settings, store: Store) -> None:
    """Agree to the embedder of the current settings; embeddings of the other one are kept."""
    cache_dir = settings.data_dir / "weights"
    embedder_id, _ = find_embedder_id(settings.embedder, settings.weights, cache_dir)
    store.facts.write(AGREED, embedder_id)
