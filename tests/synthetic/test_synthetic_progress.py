import io
import sys

import pytest

from carcinosis_loc.synthetic.progress import show_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("total", [1, 3, 4, 7, 520])
def test_a_log_file_gets_a_few_lines(total, capsys):
    assert list(show_progress(iter(range(total)), total, "synth")) == list(range(total))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == min(4, total)
    assert lines[-1].startswith(f"synth 100%  {total}/{total} frames in ")


def test_a_terminal_gets_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert list(show_progress(iter(range(5)), 5, "synth")) == list(range(5))
    assert "5/5" in terminal.getvalue()
    assert "\r" in terminal.getvalue()
