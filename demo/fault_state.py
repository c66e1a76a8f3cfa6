"""Injected faults, and how many requests each of them still affects."""

import asyncio
from typing import Literal

from demo.faults import UNLIMITED, Faults

Counted = Literal["status_503", "status_429", "status_500", "login_status_503", "reset"]


class FaultState:
    """Current faults and their counters."""

    def __init__(self, faults: Faults) -> None:
        #: Set to reset the connections of the requests that hang.
        self.hanging_reset = asyncio.Event()
        self.set_faults(faults)

    def reset_hanging(self) -> None:
        """Reset the connections of all requests that hang."""
        self.hanging_reset.set()
        self.hanging_reset = asyncio.Event()

    def set_faults(self, faults: Faults) -> None:
        """Replace all faults, and restart their counters."""
        self.faults = faults
        self._remaining: dict[Counted, int] = {
            "status_503": faults.status_503,
            "status_429": faults.status_429,
            "status_500": faults.status_500,
            "login_status_503": faults.login_status_503,
            "reset": faults.reset,
        }
        self._pages_until_session_ends = faults.session_ends_after

    def use(self, name: Counted) -> bool:
        """Decrement a counter; return False if it was zero."""
        if self._remaining[name] == 0:
            return False
        if self._remaining[name] != UNLIMITED:
            self._remaining[name] -= 1
        return True

    def should_end_session(self) -> bool:
        """Return whether the session ends instead of a list page being served.

        It must be called once for each list page, since it counts them.
        """
        if self.faults.session_never_holds:
            return True
        remaining = self._pages_until_session_ends
        if remaining is None:
            return False
        self._pages_until_session_ends = remaining - 1 if remaining else None
        return remaining == 0
