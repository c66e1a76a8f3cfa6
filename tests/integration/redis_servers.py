"""Redis servers with TLS, and a master and a replica with a Sentinel."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from redis import Redis, RedisError

from garimpo.local_stack.process import Process
from garimpo.local_stack.system import find_free_port, make_environment
from jobs.redis.sync_client import connect_without_retries
from jobs.redis.url import RedisUrl

PASSWORD = "of/no+letters@all"
QUOTED = "of%2Fno%2Bletters%40all"
SENTINEL_PASSWORD = "for-the-sentinel"
_MASTER_NAME = "the-jobs"


@dataclass(frozen=True)
class Certificate:
    """A key and a self-signed certificate for 127.0.0.1."""

    file: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificate":
        file, key = folder / "cert.pem", folder / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        names = ["-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1"]
        done = subprocess.run(
            [*command, *names, "-keyout", str(key), "-out", str(file)],
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return cls(file, key)

    def server(self, port: int) -> dict[str, str]:
        """Return the configuration of a server that accepts only TLS."""
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
    """Run a redis-server with a configuration file, which a Sentinel rewrites.

    Args:
        folder: Folder for its data and log.
        name: Name of the process and its files.
        config: Configuration, by directive.
        url: URL at which it must respond to PING.
        flags: Further arguments of redis-server.
    """
    home = folder / name
    home.mkdir()
    file = home / "redis.conf"
    directives = {"dir": str(home), "bind": "127.0.0.1", "save": '""', **config}
    file.write_text("".join(f"{key} {value}\n" for key, value in directives.items()))
    process = Process(
        name,
        ["redis-server", str(file), *flags],
        make_environment({}, inherit_all=False),
        cwd=home,
        log=folder / f"{name}.log",
        url=url,
        is_ready=lambda process: _responds(process.url),
    )
    with ExitStack() as exits:
        exits.callback(process.stop)
        process.start()
        process.wait_ready()
        yield process


@dataclass(frozen=True)
class SentinelRedis:
    """A master, its replica, and the Sentinel that monitors them."""

    #: The first master.
    master: Process
    replica: Process
    #: REDIS_URL; the first Sentinel in it does not exist.
    url: str
    #: A connection to the Sentinel.
    sentinel: Redis

    def master_port(self) -> int:
        """Return the port of the current master."""
        master = cast("dict[str, Any]", self.sentinel.sentinel_master(_MASTER_NAME))
        return int(master["port"])

    def count_online_replicas(self) -> int:
        """Return the number of replicas that have caught up with the master."""
        with connect_without_retries(RedisUrl.parse(self.url)) as redis:
            info = cast("dict[str, Any]", redis.info("replication"))
        return sum(info[f"slave{n}"]["state"] == "online" for n in range(info["connected_slaves"]))

    def cut_replication(self) -> None:
        """Cut the replica's link to the master for good: it receives no further writes."""
        with Redis.from_url(self.replica.url) as replica:
            replica.config_set("masterauth", "not-the-password")
        with Redis.from_url(self.master.url) as master:
            master.client_kill_filter(_type="replica")

    def fail_over(self) -> None:
        """Start a planned failover to the replica, as before an upgrade."""
        self.sentinel.sentinel_failover(_MASTER_NAME)


@contextmanager
def sentinel_redis(
    folder: Path,
    config: Mapping[str, str] | None = None,
    *,
    certificate: Certificate | None = None,
    down_after_ms: int = 1000,
) -> Iterator[SentinelRedis]:
    """Run a master, a replica and a Sentinel with passwords.

    Args:
        folder: Folder for their data and logs.
        config: Further configuration of the master and the replica.
        certificate: Certificate for TLS; None is plain TCP.
        down_after_ms: When the Sentinel takes a master for dead. It promotes a replica whose link
            has been cut for ten times as long at most.
    """
    query = f"?ssl_ca_certs={certificate.file}" if certificate else ""
    scheme = "rediss" if certificate else "redis"
    ports = [find_free_port() for _ in range(4)]

    def listen_config(port: int) -> dict[str, str]:
        return certificate.server(port) if certificate else {"port": str(port)}

    def url(port: int, password: str) -> str:
        return f"{scheme}://:{password}@127.0.0.1:{port}/0{query}"

    login = {"requirepass": f'"{PASSWORD}"', "masterauth": f'"{PASSWORD}"'}
    durable = {"appendonly": "yes", "repl-diskless-sync-delay": "0"}
    monitor = {
        f"sentinel monitor {_MASTER_NAME}": f"127.0.0.1 {ports[0]} 1",
        f"sentinel auth-pass {_MASTER_NAME}": f'"{PASSWORD}"',
        f"sentinel down-after-milliseconds {_MASTER_NAME}": str(down_after_ms),
        f"sentinel failover-timeout {_MASTER_NAME}": "5000",
    }
    with ExitStack() as exits:
        master, replica = (
            exits.enter_context(
                redis_server(
                    folder,
                    name,
                    listen_config(port) | login | durable | dict(config or {}) | replication,
                    url(port, QUOTED),
                )
            )
            for name, port, replication in (
                ("master", ports[0], {}),
                ("replica", ports[1], {"replicaof": f"127.0.0.1 {ports[0]}"}),
            )
        )
        sentinel_config = listen_config(ports[2]) | {"requirepass": SENTINEL_PASSWORD} | monitor
        sentinel_url = url(ports[2], SENTINEL_PASSWORD)
        exits.enter_context(
            redis_server(folder, "sentinel", sentinel_config, sentinel_url, "--sentinel")
        )
        sentinel_query = f"{query}{'&' if query else '?'}master_name={_MASTER_NAME}"
        yield SentinelRedis(
            master,
            replica,
            f"sentinel://:{QUOTED}@127.0.0.1:{ports[3]};sentinel://127.0.0.1:{ports[2]}"
            f"/0{sentinel_query}&sentinel_password={SENTINEL_PASSWORD}",
            exits.enter_context(Redis.from_url(sentinel_url, decode_responses=True)),
        )


def _responds(url: str) -> bool:
    try:
        with Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as redis:
            return bool(redis.ping())
    except RedisError:
        return False
