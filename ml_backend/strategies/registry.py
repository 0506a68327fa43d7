"""Which clips to ask about next: query strategies turn a pool into an order.

A strategy gives every pool clip an *acquisition score* (high = ask first). The head of the order
is picked one clip at a time, as if each pick were labeled the moment it is picked, and from each
recording at most once per round of recordings; the clips behind the head follow by the score they
had at the start. Ties go to the lower row number, and what is random comes from the generator
passed in, so the same pool gives the same order.

A new strategy is a class with a ``name`` and a ``rank`` in ``strategies/``, entered in
``_STRATEGIES``. Where its score only ever falls as clips are picked, ``pick_greedily`` does the
picking.
"""

from ml_backend.errors import SettingsError
from ml_backend.strategies.badge import Badge
from ml_backend.strategies.drop_query import DropQuery
from ml_backend.strategies.entropy_coverage import EntropyCoverage
from ml_backend.strategies.herding import UHerding
from ml_backend.strategies.k_center import KCenter, MismatchFirst
from ml_backend.strategies.margin import Margin
from ml_backend.strategies.plain import Random, Uncertainty
from ml_backend.strategies.pool import Pool, QueryStrategy
from ml_backend.strategies.schedule import Schedule
from ml_backend.strategies.typiclust import TypiClust

__all__ = ["Pool", "QueryStrategy", "get_strategy"]

_STRATEGIES: dict[str, QueryStrategy] = {
    strategy.name: strategy
    for strategy in (
        Schedule(),
        EntropyCoverage(),
        UHerding(),
        TypiClust(),
        DropQuery(),
        Badge(),
        MismatchFirst(),
        KCenter(),
        Margin(),
        Uncertainty(),
        Random(),
    )
}


def get_strategy(name: str) -> QueryStrategy:
    """Find a query strategy by its name.

    Raises
    ------
    SettingsError
        If there is none of that name.

    Examples
    --------
    >>> get_strategy("random").name
    'random'
    """
    if name not in _STRATEGIES:
        raise SettingsError(
            f"no query strategy is called {name!r}; choose one of {', '.join(_STRATEGIES)}."
        )
    return _STRATEGIES[name]
