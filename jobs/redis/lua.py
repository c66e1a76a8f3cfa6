"""Load the Lua scripts."""

from functools import cache
from importlib.resources import files

from jobs.redis import keys

#: The upper bounds of the histograms' buckets, in seconds; the last bucket has none.
BUCKET_BOUNDS = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

#: The keys whose names scripts derive or use without their callers' help.
_KEY_NAMES = {
    "ACTIVE": keys.ACTIVE,
    "JOB_QUEUE": keys.JOB_QUEUE,
    "JOB": keys.JOB,
    "SESSION": keys.SESSION,
    "STATE_INDEX": keys.STATE_INDEX,
    "HOURLY_OUTCOMES": keys.HOURLY_OUTCOMES,
    "DELIVERY": keys.DELIVERY,
    "CHANGES_CHANNEL": keys.CHANGES_CHANNEL,
    "DELIVERIES_DUE": keys.DELIVERIES_DUE,
    "DELIVERIES_OPEN": keys.DELIVERIES_OPEN,
    "WEBHOOK_QUEUE": keys.WEBHOOK_QUEUE,
}


@cache
def load_script(name: str) -> str:
    """Return `jobs/redis/lua_scripts/<name>.lua`, after the constants and functions that it uses.

    Every change of a job is one of these scripts, on Redis' own clock: no two programs need to
    agree on the time or on an order of commands.
    """
    return "\n".join([_constants(), _read("prelude"), _read(name)])


def _constants() -> str:
    names = [f"local {name} = '{value}'" for name, value in _KEY_NAMES.items()]
    bounds = ", ".join(f"{bound:g}" for bound in BUCKET_BOUNDS)
    return "\n".join([*names, f"local BUCKET_BOUNDS = {{{bounds}}}"])


def _read(name: str) -> str:
    return files("jobs.redis.lua_scripts").joinpath(f"{name}.lua").read_text(encoding="utf-8")
