"""Signals that end a job, put off to a moment at which a checkpoint is exact."""

import signal
import threading
from collections.abc import Callable
from typing import Any

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Trainer


class PutOffSignals:
    """Notes SIGTERM, and SLURM's signal to requeue, until the training asks for them.

    Lightning's own handlers save, or talk to the other processes, in the middle of whatever runs when the signal
    comes: half a step may then be in the checkpoint. All processes agree on what came before any of them acts.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}
        self._came: set[int] = set()

    def watch(self, trainer: Trainer) -> None:
        """Take the place of the handlers that stand; to be called when Lightning has set its own."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may set handlers, and there the signal ends the process as ever
        environment = trainer._accelerator_connector.cluster_environment
        watched = [signal.SIGTERM]
        if isinstance(environment, SLURMEnvironment) and environment.auto_requeue and environment.requeue_signal:
            watched.append(environment.requeue_signal)
        for number in watched:
            self._handlers[number] = signal.signal(number, self._note)

    def release(self) -> None:
        """Put the handlers back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def stop_asked(self, trainer: Trainer) -> bool:
        """Whether SIGTERM came to any process."""
        return self._agreed(trainer, signal.SIGTERM)

    def requeue_asked(self, trainer: Trainer) -> Callable[[], None] | None:
        """Lightning's way to save and requeue the job, once, if SLURM asked any process for it."""
        (number, handler) = next(((n, h) for n, h in self._handlers.items() if n != signal.SIGTERM), (0, None))
        if not callable(handler) or not self._agreed(trainer, number):
            return None
        self._came.discard(number)
        return lambda: handler(number, None)

    def _note(self, number: int, frame: object) -> None:
        self._came.add(number)

    def _agreed(self, trainer: Trainer, number: int) -> bool:
        came = number in self._came
        return came if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(came, all=False)


class EndOnSignal:
    """Turns the first SIGINT or SIGTERM into a call, such as that which ends a live stream; the second acts as ever."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._handlers: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._came)

    def release(self) -> None:
        """Put the handlers back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _came(self, number: int, frame: object) -> None:
        self.release()
        self._end()
