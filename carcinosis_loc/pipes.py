"""Work that overlaps: a producer that is some items ahead, a consumer that is some items behind. Bounded both."""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

_WAIT_S = 0.1  # how often a waiting thread looks whether it is still wanted


class _End:
    """The last thing in a queue: no more comes, or an error did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Iterable[Item], most: int) -> Generator[Item, None, None]:
    """Give ``items``, which a thread fetches, at most ``most`` of them in advance. Its errors are raised here."""
    waiting: queue.Queue[Any] = queue.Queue(most)
    unwanted = threading.Event()

    def fetch() -> None:
        error: BaseException | None = None
        iterator = iter(items)
        try:
            for item in iterator:
                if not _put(waiting, item, unwanted):
                    break
        except BaseException as caught:
            error = caught
        finally:
            with contextlib.suppress(Exception):
                getattr(iterator, "close", lambda: None)()
        _put(waiting, _End(error), unwanted)

    thread = threading.Thread(target=fetch, name="ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        thread.join()
        if item.error is not None:
            raise item.error
    finally:
        unwanted.set()


class Behind(Generic[Item]):
    """Does ``work`` on items in their order, in a thread, at most ``most`` items behind.

    An error of the work is raised by the next ``put``, or by ``close``; no later item is then worked on.
    """

    def __init__(self, work: Callable[[Item], None], most: int) -> None:
        self._work = work
        self._waiting: queue.Queue[Any] = queue.Queue(most)
        self._unwanted = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="behind", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand an item over; waits while too many wait."""
        _put(self._waiting, item, self._unwanted)
        self._raise()

    def close(self) -> None:
        """Wait until all is done."""
        _put(self._waiting, _End(), self._unwanted)
        self._thread.join()
        self._raise()

    def abandon(self) -> None:
        """Let the item in work be finished, and drop those that wait."""
        self._unwanted.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._unwanted.is_set():
                try:
                    item = self._waiting.get(timeout=_WAIT_S)
                except queue.Empty:
                    continue
                if isinstance(item, _End):
                    return
                self._work(item)
        except BaseException as error:
            self._error = error
            self._unwanted.set()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def _put(waiting: "queue.Queue[Any]", item: Any, unwanted: threading.Event) -> bool:
    """Wait for room; False if the item is not wanted any more."""
    while not unwanted.is_set():
        try:
            waiting.put(item, timeout=_WAIT_S)
            return True
        except queue.Full:
            continue
    return False
