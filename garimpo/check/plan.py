"""What an acceptance test shall do."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Plan:
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
    every_s: float | None = None
    start_within_ms: float = 100.0
    end_within_s: float = 600.0
