import threading
import time

import pytest

from ml_backend.web.snapshot.background_job import FORGET_S, N_AHEAD, Pending, Workshop


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


def test_everybody_is_served_though_more_is_asked_for_than_is_kept():
    shop, served = Workshop(n_kept=2), set()
    deadline = time.monotonic() + 20
    while len(served) < 3 and time.monotonic() < deadline:
        for key in "abc":
            if not isinstance(shop.get(key, 1, "", lambda _: time.sleep(0.3)), Pending):
                served.add(key)
    assert served == {"a", "b", "c"}


def test_it_is_held_ahead_for_a_few_and_then_others_wait_unless_those_have_gone():
    now, door = [0.0], threading.Event()
    shop = Workshop(n_kept=1, clock=lambda: now[0])
    for key in range(1 + N_AHEAD):
        shop.get(key, 1, "", lambda _: door.wait(5))
    shop.get("late", 1, "", lambda _: "made")
    door.set()
    time.sleep(0.1)
    assert isinstance(shop.get("late", 1, "", lambda _: "made"), Pending)
    now[0] = FORGET_S + 1
    assert shop.get("late", 1, "", lambda _: "made") == "made"


@pytest.mark.parametrize(("key", "version"), [("a", 2), ("b", 1)])
def test_who_waits_for_what_nobody_makes_any_more_is_told_to_ask_again(key, version):
    now, door, told = [0.0], threading.Event(), []
    shop = Workshop(n_kept=1, clock=lambda: now[0])
    shop.get("before", 1, "", lambda _: door.wait(5))
    waiting = threading.Thread(
        target=lambda: told.append(shop.get("a", 1, "being made", lambda _: "made"))
    )
    waiting.start()
    while "a" not in shop._jobs:
        time.sleep(0.001)
    now[0] = FORGET_S + 1
    shop.get(key, version, "", lambda _: "made")
    door.set()
    waiting.join()
    assert told == [Pending("being made")]
