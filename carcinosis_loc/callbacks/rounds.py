"""When a teacher teaches: in rounds, which are shares of the training or of each of its generations."""

from dataclasses import dataclass

from carcinosis_loc.errors import InputError


def rounds_due(share: float, start: float, rounds: int) -> int:
    """How many of some rounds, spread evenly from the share ``start`` on, are due after a share of the epochs."""
    return sum(share >= start + (1 - start) * k / rounds for k in range(rounds))


@dataclass(frozen=True)
class Rounds:
    """The arguments of ``Teacher`` that say when; see there.

    Raises:
        InputError: one is outside its range.
    """

    start: float
    rounds: int
    believe_from: float
    generations: int

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("believe_from", self.believe_from)):
            if not 0 <= value <= 1:
                raise InputError(f"Teacher: {name} must lie between 0 and 1, not {value}")
        for name, count in (("rounds", self.rounds), ("generations", self.generations)):
            if count < 1:
                raise InputError(f"Teacher: {name} must be at least 1, not {count}")

    def share(self, epochs: int, max_epochs: int, generation: int) -> float:
        """Share of this generation that is over after so many epochs of the run, a hair more."""
        return epochs * self.generations / max_epochs - generation + 1e-9

    def due(self, share: float, generation: int) -> int:
        """How many rounds a validation after this share of a generation should have seen, itself among them.

        What a network knows in the end is for the next one, in one round more; after the last network there is none.
        """
        if share >= 1:
            return self.rounds + 1 if generation + 1 < self.generations else 0
        return rounds_due(share, self.start, self.rounds)

    def believe(self, due: int, generation: int) -> bool:
        """Whether a round labels, and does not only leave out."""
        return generation > 0 or due > self.believe_from * self.rounds

    def check(self, max_epochs: int | None, validated_every: int) -> str | None:
        """What a user should know of a run of this length, if anything.

        Args:
            max_epochs: length of the run; None and -1 have no end.
            validated_every: epochs from one validation to the next.

        Raises:
            InputError: the run has no end, or the generations do not divide it.
        """
        if max_epochs is None or max_epochs < 1:
            raise InputError("Teacher: its rounds are shares of the training; set trainer.max_epochs")
        if max_epochs % self.generations:
            fits = max_epochs + self.generations - max_epochs % self.generations
            raise InputError(
                f"Teacher: {self.generations} generations need a trainer.max_epochs that they divide, such as {fits}, "
                f"not {max_epochs}"
            )
        dues = self._dues(max_epochs, validated_every)
        if not any(due for due, _ in dues):
            return "no validation lies between its first round and the end, so it will teach nothing: take more epochs"
        if not any(due and self.believe(due, generation) for due, generation in dues):
            return "no round comes late enough to label anything, so it will only leave out: see believe_from"
        return None

    def _dues(self, max_epochs: int, validated_every: int) -> list[tuple[int, int]]:
        """Of every validation, the rounds that are due and the generation it ends in."""
        dues = []
        for epochs in range(validated_every, max_epochs + 1, validated_every):
            generation = (epochs - 1) * self.generations // max_epochs
            dues.append((self.due(self.share(epochs, max_epochs, generation), generation), generation))
        return dues
