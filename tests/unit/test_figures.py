"""What the scripts count is read as they mean it."""

import re

from jobs import script
from jobs.figures import BUCKET_BOUNDS


def test_bounds_are_those_that_the_scripts_sort_times_by() -> None:
    [written] = re.findall(r"for _, bound in ipairs\(\{(.*?)\}\)", script.load_script("finish"))

    assert (*written.split(", "), "+Inf") == BUCKET_BOUNDS
