import threading
import time

import pytest

from carcinosis_loc.pipes import Behind, ahead


def test_ahead_gives_all_in_order_and_is_bounded():
    fetched = []

    def items():
        for number in range(50):
            fetched.append(number)
            yield number

    given = ahead(items(), 3)
    assert next(given) == 0
    time.sleep(0.1)
    assert len(fetched) <= 5  # the one given, three that wait, one in hand
    assert list(given) == list(range(1, 50))


def test_aheads_error_comes_after_what_came_before_it():
    def items():
        yield 1
        raise KeyError("broken")

    given = ahead(items(), 2)
    assert next(given) == 1
    with pytest.raises(KeyError, match="broken"):
        next(given)


def test_what_is_not_wanted_any_more_is_not_fetched():
    closed = threading.Event()

    def items():
        try:
            yield from range(1000)
        finally:
            closed.set()

    given = ahead(items(), 1)
    next(given)
    given.close()
    assert closed.wait(5)


def test_behind_does_all_in_order():
    done = []
    behind = Behind(done.append, 2)
    for number in range(100):
        behind.put(number)
    behind.close()
    assert done == list(range(100))


def test_behinds_error_is_raised_and_nothing_is_done_after_it():
    done = []

    def work(number):
        if number == 3:
            raise OSError(28, "No space left on device")
        done.append(number)

    behind = Behind(work, 1)

    def put_all():
        for number in range(1000):
            behind.put(number)

    with pytest.raises(OSError, match="No space"):
        put_all()
    assert done == [0, 1, 2]


def test_an_error_in_the_last_item_is_raised_by_close():
    behind = Behind(lambda number: 1 / number, 5)
    behind.put(0)
    with pytest.raises(ZeroDivisionError):
        behind.close()


def test_abandon_drops_what_waits():
    begun, go, done = threading.Event(), threading.Event(), []

    def work(number):
        begun.set()
        go.wait(5)
        done.append(number)

    behind = Behind(work, 5)
    behind.put(0)
    behind.put(1)
    assert begun.wait(5)
    threading.Timer(0.2, go.set).start()
    behind.abandon()
    assert done == [0]
