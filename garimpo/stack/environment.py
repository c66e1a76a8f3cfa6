"""The environment that the stack's processes get."""

import fnmatch
import os
from collections.abc import Mapping

#: What a stack with settings of its own keeps of the caller's environment: the machine's facts
#: (where programs, certificates and this machine's Chrome are), none of the product's settings.
#: A Selenium Grid is not among them: its browser cannot see a site on our loopback interface.
_MACHINE = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR"),
    *("LD_LIBRARY_PATH", "DYLD_*", "XDG_*", "SSL_*", "VIRTUAL_ENV", "PYTHON*"),
    *("CHROME_*", "CHROMEDRIVER"),
)


def make_environment(settings: Mapping[str, str], *, inherit_all: bool) -> dict[str, str]:
    """Return the machine's part of our environment, or all of it, with `settings` on top."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if inherit_all or any(fnmatch.fnmatchcase(name, pattern) for pattern in _MACHINE)
    }
    # Unbuffered: the last lines of a log are wanted most when the process has just died.
    # And its lines are read by a person, unless its reader wishes otherwise.
    return {"LOG_FORMAT": "text", **ours, "PYTHONUNBUFFERED": "1", **settings}
