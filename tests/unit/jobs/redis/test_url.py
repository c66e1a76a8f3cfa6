"""Parsing of REDIS_URL, and the settings for kombu."""

from datetime import timedelta

import pytest
from kombu.utils.url import url_to_parts

from jobs.celery_app import make_celery
from jobs.redis.url import RedisUrl, RedisUrlError

SENTINELS = "sentinel://me:a%2Fb@one:1;sentinel://two/3?master_name=main&sentinel_password=c%3Bd"


class TestRedisUrl:
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
    def test_contains_hosts_and_database(
        self, url: str, hosts: tuple[tuple[str, int], ...], db: int
    ) -> None:
        redis_url = RedisUrl.parse(url)

        assert (redis_url.hosts, redis_url.db) == (hosts, db)

    def test_decodes_passwords_and_does_not_show_them(self) -> None:
        redis_url = RedisUrl.parse(SENTINELS)

        assert (redis_url.username, redis_url.password) == ("me", "a/b")
        assert redis_url.sentinel_credentials == {"password": "c;d"}
        assert "a/b" not in repr(redis_url)
        assert "c;d" not in repr(redis_url)

    @pytest.mark.parametrize(
        ("url", "cert_reqs"),
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
    def test_verifies_certificates_by_default(self, url: str, cert_reqs: str | None) -> None:
        assert RedisUrl.parse(url).tls.get("ssl_cert_reqs") == cert_reqs

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
    def test_rejects_invalid_urls_without_showing_the_password(self, url: str) -> None:
        with pytest.raises(RedisUrlError, match=r"^REDIS_URL ") as error:
            RedisUrl.parse(url)

        assert "secret" not in str(error.value)
        assert error.value.__cause__ is None


class TestMakeCelery:
    def test_passes_all_sentinels_to_kombu(self) -> None:
        conf = make_celery(SENTINELS, result_ttl=timedelta(hours=1)).conf

        sentinels = [url_to_parts(url) for url in conf.broker_url.split(";")]
        assert [(sentinel.hostname, sentinel.port) for sentinel in sentinels] == [
            ("one", 1),
            ("two", 26379),
        ]
        assert {
            (sentinel.username, sentinel.password, sentinel.path) for sentinel in sentinels
        } == {("me", "a/b", "3")}
        assert conf.broker_transport_options["master_name"] == "main"
        assert conf.broker_transport_options["sentinel_kwargs"]["password"] == "c;d"

    def test_lets_kombu_verify_certificates(self) -> None:
        conf = make_celery("rediss://here", result_ttl=timedelta(hours=1)).conf

        assert conf.broker_use_ssl == {"ssl_cert_reqs": "required"}
