"""Redis memory and append-only file size of a finished job."""

from redis import Redis

from benchmarks.jobs import run_job
from garimpo.client.client import Client
from garimpo.local_stack.stack import Stack
from jobs.redis import keys

JOBS = 20
_KIB = 1024


def run() -> None:
    """Run jobs of one page of 50 channels; print what each adds, and the size of its keys."""
    with Stack() as stack:
        redis = stack.redis()
        stack.site("--latency-ms", "0")
        api = stack.api()
        stack.worker()
        with (
            Client(api.url) as client,
            Redis.from_url(redis.url, decode_responses=True) as connection,
        ):
            run_job(client)  # warm-up: creates the queue, the scripts and the counters
            memory_before, file_before = _read_sizes(connection)
            job_id = [run_job(client)["job_id"] for _ in range(JOBS)][-1]
            memory_after, file_after = _read_sizes(connection)
            names = (keys.record, keys.items, keys.pages, keys.tombstone, keys.result)
            sizes = {name.__name__: connection.memory_usage(name(job_id)) or 0 for name in names}
    memory_kib = (memory_after - memory_before) / JOBS / _KIB
    file_kib = (file_after - file_before) / JOBS / _KIB
    print(f"finished job of 50 channels, mean of {JOBS}:")
    print(f"  memory            {memory_kib:.0f} KiB until it expires")
    for name, size in sizes.items():
        print(f"    {name:<14}  {size / _KIB:.1f} KiB")
    print(f"  append-only file  {file_kib:.0f} KiB until it is rewritten")


def _read_sizes(connection: Redis) -> tuple[int, int]:
    """Return the bytes of the data set, without client buffers, and of the append-only file."""
    stats = connection.memory_stats()
    persistence = connection.info("persistence")
    return stats["dataset.bytes"], persistence["aof_current_size"]
