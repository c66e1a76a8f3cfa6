"""The faults in force, and how often each is still to come."""

import asyncio
from typing import Literal

from demo.faults import FOR_EVER, Faults

Counted = Literal["status_503", "status_429", "status_500", "login_status_503", "reset"]


class FaultState:
    """The bad days of now; `begin` starts the counts anew."""

    def __init__(self, bad: Faults) -> None:
        #: Set once those who wait for an answer that never comes shall wait no more.
        self.given_up = asyncio.Event()
        self.begin(bad)

    def give_up(self) -> None:
        """Reset the connections of all who wait for an answer that never comes."""
        self.given_up.set()
        self.given_up = asyncio.Event()

    def begin(self, bad: Faults) -> None:
        """Replace all bad days."""
        self.faults = bad
        self._left: dict[Counted, int] = {
            "status_503": bad.status_503,
            "status_429": bad.status_429,
            "status_500": bad.status_500,
            "login_status_503": bad.login_status_503,
            "reset": bad.reset,
        }
        self._pages_until_session_ends = bad.session_ends_after

    def take(self, name: Counted) -> bool:
        """Use up one of a count; false when none is left."""
        if self._left[name] == 0:
            return False
        if self._left[name] != FOR_EVER:
            self._left[name] -= 1
        return True

    def ends_session(self) -> bool:
        """Tell, once per list page, whether the session ends instead of the page being served."""
        if self.faults.session_never_holds:
            return True
        left = self._pages_until_session_ends
        if left is None:
            return False
        self._pages_until_session_ends = left - 1 if left else None
        return left == 0
