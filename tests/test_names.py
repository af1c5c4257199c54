"""Hostile names are refused in lines, or work; nothing is executed, nothing written but under results/. `make faults` tries all of them."""

from faults.names import HOSTILE, read_and_not_run, tried


def test_hostile_names_do_nothing() -> None:
    ends, wrong = tried(HOSTILE[7::9])
    assert not wrong, wrong
    assert ends["refused"] > 100 and ends["works"]


def test_files_are_read_and_not_run() -> None:
    assert not list(read_and_not_run())
