"""Load the Lua scripts."""

from functools import cache
from importlib.resources import files


@cache
def load_script(name: str) -> str:
    """Return the text of `jobs/redis/lua_scripts/<name>.lua`, with what all scripts may call before it.

    Every change of a job is one of these scripts, on Redis' own clock: no two programs need to
    agree on the time or on an order of commands.
    """
    return _read("prelude") + _read(name)


def _read(name: str) -> str:
    return files("jobs.redis.lua_scripts").joinpath(f"{name}.lua").read_text(encoding="utf-8")
