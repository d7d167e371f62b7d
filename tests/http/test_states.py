"""The states of a connection: the table in words and the table that tests hold connections to are one."""

from __future__ import annotations

import re

from aiopenai._http import states
from aiopenai._http.states import CLOSED, CONNECTING, TRANSITIONS, State


def documented() -> set[tuple[State, State]]:
    """The transitions that the module's docstring lists."""
    found: set[tuple[State, State]] = set()
    for line in (states.__doc__ or "").splitlines():
        cells = [cell for cell in re.split(r"  +", line) if cell]
        if len(cells) == 3 and cells[0] != "state":
            starts = list(State) if cells[0] == "any" else [State[cells[0]]]
            ends = [State[name] for name in cells[2].split(" or ")]
            found |= {(start, end) for start in starts for end in ends}
    return found


def test_the_table_is_the_documented_one() -> None:
    assert {(start, end) for start, ends in TRANSITIONS.items() for end in ends} == documented() - {(CLOSED, CLOSED)}


def test_the_table_is_closed() -> None:
    assert set(TRANSITIONS) == set(State)
    assert TRANSITIONS[CLOSED] == frozenset()
    assert all(CLOSED in following or before is CLOSED for before, following in TRANSITIONS.items())


def test_each_state_is_reached_and_none_leads_back_to_the_start() -> None:
    reached = {end for ends in TRANSITIONS.values() for end in ends}
    assert reached == set(State) - {CONNECTING}


def test_names_of_the_module_are_the_members() -> None:
    assert {getattr(states, member.name) for member in State} == set(State)
