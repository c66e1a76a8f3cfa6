"""A copy of Redis' data, to put back as after a restore or a failover with lost writes."""

import shutil
import signal
from pathlib import Path

from garimpo.local_stack.process import Process


def _data_folder(redis: Process) -> Path:
    return Path(redis.argv[redis.argv.index("--dir") + 1])


def copy_redis(redis: Process, target: Path) -> None:
    """Copy the data of a Redis as it is now, to a folder that is replaced."""
    shutil.rmtree(target, ignore_errors=True)
    redis.signal(signal.SIGSTOP)
    try:
        shutil.copytree(_data_folder(redis), target)
    finally:
        redis.signal(signal.SIGCONT)


def restore_redis(redis: Process, copy: Path) -> None:
    """Kill a Redis, and start it with the data of a copy."""
    redis.kill()
    folder = _data_folder(redis)
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    redis.start()
    redis.wait_ready()
