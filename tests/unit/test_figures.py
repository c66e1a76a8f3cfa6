"""What the scripts count is read as they mean it."""

import re

from jobs import script
from jobs.figures import BOUNDS


def test_bounds_are_those_that_the_scripts_sort_times_by() -> None:
    [written] = re.findall(r"for _, bound in ipairs\(\{(.*?)\}\)", script.source("finish"))

    assert (*written.split(", "), "+Inf") == BOUNDS
