import threading

import pytest

from ml_backend.web.workshop import Pending, Workshop


def test_what_takes_long_is_pending_and_then_there():
    shop, door = Workshop(n_kept=2), threading.Event()

    def make(pending):
        pending.progress = 0.5
        door.wait(5)
        return "made"

    first = shop.get("a", 1, "being made", make)
    assert (first.state, first.progress) == ("being made", 0.5)
    door.set()
    while isinstance(found := shop.get("a", 1, "being made", make), Pending):
        pass
    assert found == "made"


def test_it_is_made_once_and_again_only_in_another_version():
    shop, made = Workshop(n_kept=2), []

    def ask(key, version):
        return shop.get(key, version, "", lambda _: made.append((key, version)) or len(made))

    assert [ask("a", 1), ask("a", 1), ask("a", 2), ask("a", 2), ask("b", 1)] == [1, 1, 2, 2, 3]
    assert made == [("a", 1), ("a", 2), ("b", 1)]


def test_only_the_last_few_are_kept():
    shop, made = Workshop(n_kept=2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        shop.get(key, 1, "", lambda _, key=key: made.append(key))
    assert made == ["a", "b", "c", "b"]


def test_what_fails_says_so_and_may_be_tried_again():
    shop, tries = Workshop(n_kept=2), []

    def make(_):
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no disk")
        return "made"

    with pytest.raises(OSError, match="no disk"):
        shop.get("a", 1, "", make)
    assert shop.get("a", 1, "", make) == "made"
