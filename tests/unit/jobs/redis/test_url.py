"""REDIS_URL, as redis-py and kombu are told of it; and what is refused."""

from datetime import timedelta

import pytest
from kombu.utils.url import url_to_parts

from jobs.celery_app import make_celery
from jobs.redis.url import RedisUrl, RedisUrlError

SENTINELS = "sentinel://me:a%2Fb@one:1;sentinel://two/3?master_name=main&sentinel_password=c%3Bd"


class TestAddress:
    @pytest.mark.parametrize(
        ("url", "hosts", "db"),
        [
            ("redis://here", (("here", 6379),), 0),
            ("redis://here:1/2", (("here", 1),), 2),
            ("rediss://[::1]:1", (("::1", 1),), 0),
            ("sentinel://one", (("one", 26379),), 0),
            ("sentinel://one:1,two:2/3", (("one", 1), ("two", 2)), 3),
            ("sentinel://one/3;sentinel://two", (("one", 26379), ("two", 26379)), 3),
        ],
    )
    def test_names_hosts_and_database(
        self, url: str, hosts: tuple[tuple[str, int], ...], db: int
    ) -> None:
        address = RedisUrl.parse(url)

        assert (address.hosts, address.db) == (hosts, db)

    def test_decodes_passwords_and_does_not_show_them(self) -> None:
        address = RedisUrl.parse(SENTINELS)

        assert (address.username, address.password) == ("me", "a/b")
        assert address.sentinel_credentials == {"password": "c;d"}
        assert "a/b" not in repr(address)
        assert "c;d" not in repr(address)

    @pytest.mark.parametrize(
        ("url", "checks"),
        [
            ("rediss://here", "required"),
            ("rediss://here?ssl_cert_reqs=none", "none"),
            ("rediss://here?ssl_cert_reqs=CERT_NONE", "none"),
            ("rediss://here?ssl_ca_certs=/ca.pem", "required"),
            ("sentinel://one?ssl_ca_certs=/ca.pem", "required"),
            ("redis://here", None),
            ("sentinel://one", None),
        ],
    )
    def test_verifies_certificates_unless_told_otherwise(
        self, url: str, checks: str | None
    ) -> None:
        assert RedisUrl.parse(url).tls.get("ssl_cert_reqs") == checks

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "here:6379",
            "http://:secret@here",
            "unix:///secret.sock",
            "redis://",
            "redis://:secret/1@here",
            "redis://:secret#1@here",
            "redis://:secret@here:port",
            "redis://:secret@here/db",
            "redis://:secret@here?db=1",
            "redis://:secret@here?ssl_cert_reqs=none",
            "rediss://:secret@here?ssl_cert_reqs=secret",
            "rediss://:secret@here?master_name=main",
            "sentinel://:secret@one;",
        ],
    )
    def test_refuses_what_it_does_not_know_and_shows_no_password(self, url: str) -> None:
        with pytest.raises(RedisUrlError, match=r"^REDIS_URL ") as refused:
            RedisUrl.parse(url)

        assert "secret" not in str(refused.value)
        assert refused.value.__cause__ is None


class TestMakeCelery:
    def test_tells_kombu_all_of_each_sentinel(self) -> None:
        conf = make_celery(SENTINELS, result_ttl=timedelta(hours=1)).conf

        each = [url_to_parts(url) for url in conf.broker_url.split(";")]
        assert [(one.hostname, one.port) for one in each] == [("one", 1), ("two", 26379)]
        assert {(one.username, one.password, one.path) for one in each} == {("me", "a/b", "3")}
        assert conf.broker_transport_options["master_name"] == "main"
        assert conf.broker_transport_options["sentinel_kwargs"]["password"] == "c;d"

    def test_has_kombu_verify_certificates(self) -> None:
        conf = make_celery("rediss://here", result_ttl=timedelta(hours=1)).conf

        assert conf.broker_use_ssl == {"ssl_cert_reqs": "required"}
