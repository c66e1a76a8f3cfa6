"""Redis as others have it: behind TLS; and twice, with a Sentinel that watches over both."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from redis import Redis, RedisError

from garimpo.local_stack.process import Process
from garimpo.local_stack.system import find_free_port, make_environment
from jobs.redis.sync_client import connect_impatient
from jobs.redis.url import RedisUrl

PASSWORD = "of/no+letters@all"
QUOTED = "of%2Fno%2Bletters%40all"
SENTINELS_OWN = "for-the-sentinel"
_NAME = "the-jobs"


@dataclass(frozen=True)
class Certificate:
    """A key, and a certificate for 127.0.0.1 that nobody but its holders trusts."""

    file: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificate":
        file, key = folder / "cert.pem", folder / "key.pem"
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        named = ["-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1"]
        done = subprocess.run(
            [*made, *named, "-keyout", str(key), "-out", str(file)],
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return cls(file, key)

    def server(self, port: int) -> dict[str, str]:
        """Return what a server that takes nothing but TLS is told."""
        return {
            "port": "0",
            "tls-port": str(port),
            "tls-cert-file": str(self.file),
            "tls-key-file": str(self.key),
            "tls-ca-cert-file": str(self.file),
            "tls-auth-clients": "no",
            "tls-replication": "yes",
        }


@contextmanager
def redis_server(
    folder: Path,
    name: str,
    config: Mapping[str, str],
    url: str,
    *flags: str,
) -> Iterator[Process]:
    """Run a redis-server with a configuration file, which a Sentinel writes to; ready at `url`."""
    home = folder / name
    home.mkdir()
    file = home / "redis.conf"
    told = {"dir": str(home), "bind": "127.0.0.1", "save": '""', **config}
    file.write_text("".join(f"{key} {value}\n" for key, value in told.items()))
    process = Process(
        name,
        ["redis-server", str(file), *flags],
        make_environment({}, inherit_all=False),
        cwd=home,
        log=folder / f"{name}.log",
        url=url,
        is_ready=lambda process: _answers(process.url),
    )
    with ExitStack() as exits:
        exits.callback(process.stop)
        process.start()
        process.wait_ready()
        yield process


@dataclass(frozen=True)
class Watched:
    """Two that have the same, and a Sentinel that decides which of them is the master."""

    #: The first master.
    one: Process
    other: Process
    #: For the settings; the Sentinel that it names first is not there.
    url: str
    #: The Sentinel itself.
    sentinel: Redis

    def master_port(self) -> int:
        """Ask the Sentinel."""
        told = cast("dict[str, Any]", self.sentinel.sentinel_master(_NAME))
        return int(told["port"])

    def replicas_in_step(self) -> int:
        """Count the replicas that have what the master has."""
        with connect_impatient(RedisUrl.parse(self.url)) as redis:
            told = cast("dict[str, Any]", redis.info("replication"))
        return sum(told[f"slave{n}"]["state"] == "online" for n in range(told["connected_slaves"]))

    def hand_over(self) -> None:
        """Have the Sentinel make the replica the master, as before an upgrade."""
        self.sentinel.sentinel_failover(_NAME)


@contextmanager
def watched_redis(
    folder: Path,
    config: Mapping[str, str] | None = None,
    *,
    certificate: Certificate | None = None,
) -> Iterator[Watched]:
    """Run them, with passwords and this configuration; behind TLS if there is a certificate."""
    query = f"?ssl_ca_certs={certificate.file}" if certificate else ""
    scheme = "rediss" if certificate else "redis"
    ports = [find_free_port() for _ in range(4)]

    def listen(port: int) -> dict[str, str]:
        return certificate.server(port) if certificate else {"port": str(port)}

    def url(port: int, password: str) -> str:
        return f"{scheme}://:{password}@127.0.0.1:{port}/0{query}"

    login = {"requirepass": f'"{PASSWORD}"', "masterauth": f'"{PASSWORD}"'}
    durable = {"appendonly": "yes", "repl-diskless-sync-delay": "0"}
    watch = {
        f"sentinel monitor {_NAME}": f"127.0.0.1 {ports[0]} 1",
        f"sentinel auth-pass {_NAME}": f'"{PASSWORD}"',
        f"sentinel down-after-milliseconds {_NAME}": "1000",
        f"sentinel failover-timeout {_NAME}": "5000",
    }
    with ExitStack() as exits:
        one, other = (
            exits.enter_context(
                redis_server(
                    folder,
                    name,
                    listen(port) | login | durable | dict(config or {}) | follows,
                    url(port, QUOTED),
                )
            )
            for name, port, follows in (
                ("one", ports[0], {}),
                ("other", ports[1], {"replicaof": f"127.0.0.1 {ports[0]}"}),
            )
        )
        guard = listen(ports[2]) | {"requirepass": SENTINELS_OWN} | watch
        at = url(ports[2], SENTINELS_OWN)
        exits.enter_context(redis_server(folder, "sentinel", guard, at, "--sentinel"))
        more = f"{query}{'&' if query else '?'}master_name={_NAME}"
        yield Watched(
            one,
            other,
            f"sentinel://:{QUOTED}@127.0.0.1:{ports[3]};sentinel://127.0.0.1:{ports[2]}"
            f"/0{more}&sentinel_password={SENTINELS_OWN}",
            exits.enter_context(Redis.from_url(at, decode_responses=True)),
        )


def _answers(url: str) -> bool:
    try:
        with Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as redis:
            return bool(redis.ping())
    except RedisError:
        return False
