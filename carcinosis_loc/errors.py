"""What goes wrong, in three kinds: the input, the run, and somebody who said stop."""


class InputError(ValueError):
    """Bad input: a file, a key or an argument that the person at the prompt can put right.

    The message is one line that says what is wrong, where (file, image id, key) and what to do. The command
    line prints it alone and exits with code 2; from Python it is an ordinary ``ValueError``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(_own_words(message).split())))


class RunError(RuntimeError):
    """A run broke off for a reason that is no fault of the input; the message says what is left and how to go on."""


class Stopped(SystemExit):
    """SIGTERM asked the command to end; no ``Exception``, so that nothing on the way takes it for a fault."""

    def __init__(self, message: str) -> None:
        super().__init__(143)
        self.message = message


def printable(text: str) -> str:
    """``text`` with all escaped that is no print: a file's name must not move the cursor or turn the line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _own_words(message: str) -> str:
    """Drop the traceback text that a data-loading worker wraps around the error that it passes on."""
    return message.rsplit("InputError: ", 1)[-1] if "Traceback" in message else message
