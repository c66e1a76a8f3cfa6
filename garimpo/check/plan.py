"""What an acceptance test shall do."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CheckOptions:
    """The words on the command line."""

    #: Empty is the first that the API has.
    site: str = ""
    job: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    #: Only one job, without those at once.
    quick: bool = False
    #: So many at once.
    jobs: int = 3
    #: When to ask again; None is when the API says, after 5 s at most.
    poll_interval_s: float | None = None
    max_start_ms: float = 100.0
    timeout_s: float = 600.0
