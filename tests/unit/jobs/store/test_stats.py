"""What the scripts count is read as they mean it."""

import re

from jobs.redis.lua import load_script
from jobs.store.stats import BUCKET_BOUNDS


def test_bounds_are_those_that_the_scripts_sort_times_by() -> None:
    [written] = re.findall(r"local BUCKET_BOUNDS = \{(.*?)\}", load_script("complete"))

    assert (*written.split(", "), "+Inf") == BUCKET_BOUNDS
