"""How long a job will still take, as well as its body tells."""

from datetime import datetime

from garimpo.connection import Body

#: Before, a job starts its browser and logs in: that says nothing about its pages.
_FIRST_PROGRESS = 15

#: A place in the queue is told so long: nothing says when others' jobs move it.
_FRESH_S = 10.0


def estimate_left_s(body: Body) -> float | None:
    """Return the seconds that a job still needs, or waits for its turn; None if nobody can tell.

    A running job goes on as fast as it has gone so far. The times are the API's own, so that it
    does not matter when one begins to watch, nor whether clocks agree.
    """
    if body["status"] == "pending":
        wait_s: float | None = body.get("estimated_wait_seconds")
        return wait_s
    progress, started = body.get("progress") or 0, body.get("started_at")
    if body["status"] != "processing" or progress < _FIRST_PROGRESS or not started:
        return None
    waited = datetime.fromisoformat(started) - datetime.fromisoformat(body["created_at"])
    ran_s: float = body["elapsed_seconds"] - waited.total_seconds()
    return max(0.0, ran_s * (100 - progress) / progress)


def describe_remaining(body: Body, age_s: float = 0.0) -> str:
    """Say it in a few words; empty if there is nothing to say.

    Args:
        body: the job's.
        age_s: how long ago it came; an estimate that has run out is not told any more.
    """
    left_s = estimate_left_s(body)
    left = _write(left_s - age_s) if left_s and left_s > age_s else ""
    if body["status"] != "pending":
        return left and f"about {left} left"
    position = body.get("queue_position")
    is_fresh = age_s < _FRESH_S
    parts = [f"number {position} in the queue"] if position and is_fresh else []
    return ", ".join([*parts, f"starts in about {left}"] if left else parts)


def _write(seconds: float) -> str:
    whole = max(1, round(seconds))
    if whole < 90:  # noqa: PLR2004 - up to a minute and a half people count in seconds
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 90 else f"{whole / 3600:.1f} h"  # noqa: PLR2004 - the same
