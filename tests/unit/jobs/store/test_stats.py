"""Histogram buckets in Python and in the Lua scripts."""

import re

from jobs.redis.lua import load_script
from jobs.store.stats import BUCKET_BOUNDS


def test_bucket_bounds_match_the_lua_script() -> None:
    [bounds] = re.findall(r"local BUCKET_BOUNDS = \{(.*?)\}", load_script("complete"))

    assert (*bounds.split(", "), "+Inf") == BUCKET_BOUNDS
