"""Other processes of the same user cannot read a worker's memory."""

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

PROGRAM = """
import ctypes, os
from celery import signals
from worker import process_isolation

libc = ctypes.CDLL(None)
def is_readable():
    return libc.prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE

print(is_readable())
signals.celeryd_init.send(sender="worker", instance=None, conf=None)
print(is_readable())
child = os.fork()
if not child:
    print(is_readable())
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
class TestIsolation:
    def test_begins_with_the_worker_and_holds_for_its_children(self) -> None:
        ended = subprocess.run(
            [sys.executable, "-u", "-c", PROGRAM],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )

        assert ended.stdout.split() == ["1", "0", "0"]
