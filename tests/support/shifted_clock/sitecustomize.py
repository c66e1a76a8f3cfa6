"""Python imports this at its start: the clock of the process is wrong by CLOCK_OFFSET_S."""

import datetime as dt
import os
import time
from typing import Any, Self

_OFFSET_S = float(os.environ["CLOCK_OFFSET_S"])
_get_time = time.time
_Datetime = dt.datetime


class _InstanceCheck(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Datetime)


class _ShiftedDatetime(dt.datetime, metaclass=_InstanceCheck):
    @classmethod
    def now(cls, tz: Any = None) -> Self:
        return cls.fromtimestamp(time.time(), tz)


time.time = lambda: _get_time() + _OFFSET_S
dt.datetime = _ShiftedDatetime  # type: ignore[misc]
