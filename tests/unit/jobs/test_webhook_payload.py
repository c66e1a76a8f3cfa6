"""Payloads and signatures of webhooks, and the settings of their secrets."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError

from jobs.model.delivery import Delivery, DeliveryEvent, DeliveryState
from jobs.model.i18n import Language
from jobs.model.record import JobRecord
from jobs.model.webhook import WebhookPayload, WebhookSubscription
from jobs.webhook_payload import build_payload
from worker.webhooks.sender import sign
from worker.webhooks.settings import WebhookSettings

NOW = datetime(2026, 1, 1, 22, 5, tzinfo=UTC)
FIELDS = {
    "site": "tubehunt",
    "job": "scrape-channels",
    "recipe": "digest",
    "params": "{}",
    "caller": "",
    "created_at": "1767304800000",
    "started_at": "1767304801000",
    "attempt": "1",
}
COMPLETED = {"state": "completed", "progress": "100", "ended_at": "1767305100000"}
FAILED = {
    "state": "failed",
    "progress": "40",
    "ended_at": "1767305100000",
    "failure": '{"code": "cancelled", "details": {}}',
}
RESULT = json.dumps({"result": {"success": True, "channels": ["é"], "warnings": []}})
#: Made up for this test.
OLD_SECRET, NEW_SECRET = ("whsec_" + letter * 32 for letter in "ab")


def build_event(
    fields: Mapping[str, str],
    webhook: WebhookSubscription,
    event: DeliveryEvent = DeliveryEvent.END,
    limit_bytes: int = 10_000,
) -> dict[str, Any]:
    delivery = Delivery("one", event, DeliveryState.SENDING, 1, NOW, NOW, 0, 0, None)
    record = JobRecord.decode("one", {**FIELDS, **fields})
    text = build_payload(delivery, record, webhook, RESULT, limit_bytes)
    assert text == build_payload(delivery, record, webhook, RESULT, limit_bytes)
    payload: dict[str, Any] = json.loads(text)
    assert list(payload) == ["type", "timestamp", "data"]
    return payload


class TestBuildPayload:
    def test_contains_the_body_of_the_result(self) -> None:
        payload = build_event(COMPLETED, WebhookSubscription("http://h"))

        assert (payload["type"], payload["timestamp"]) == (
            "job.completed",
            "2026-01-01T22:05:00.000000+00:00",
        )
        assert payload["data"]["result"]["channels"] == ["é"]
        assert (payload["data"]["status"], payload["data"]["is_final"]) == ("completed", True)

    @pytest.mark.parametrize(
        ("language", "sentence"), [(Language.PT, "Job cancelado"), (Language.EN, "Job cancelled")]
    )
    def test_describes_failures_in_the_language_of_the_start(
        self, language: Language, sentence: str
    ) -> None:
        payload = build_event(FAILED, WebhookSubscription("http://h", language=language))

        assert payload["type"] == "job.failed"
        assert (payload["data"]["error"], payload["data"]["error_code"]) == (sentence, "cancelled")

    @pytest.mark.parametrize(
        ("fields", "counts"),
        [({"items_read": "20", "pages_read": "2"}, (20, 2)), ({}, (None, None))],
    )
    def test_says_how_much_a_failed_job_has_read(
        self, fields: dict[str, str], counts: tuple[int | None, int | None]
    ) -> None:
        data = build_event(FAILED | fields, WebhookSubscription("http://h"))["data"]

        assert (data["items_read"], data["pages_read"]) == counts

    def test_contains_the_progress_of_a_running_job(self) -> None:
        fields = {"state": "processing", "progress": "40"}

        payload = build_event(fields, WebhookSubscription("http://h"), DeliveryEvent.PROGRESS)

        assert (payload["type"], payload["data"]["progress"]) == ("job.progress", 40)
        assert payload["timestamp"] == "2026-01-01T22:05:00.000000+00:00"

    @pytest.mark.parametrize(
        "api_url", ["https://api.example/garimpo/", "https://api.example/garimpo"]
    )
    def test_links_to_result_and_items_if_thin(self, api_url: str) -> None:
        webhook = WebhookSubscription("http://h", WebhookPayload.THIN, api_url=api_url)

        assert build_event(FAILED, webhook)["data"] == {
            "job_id": "one",
            "status": "failed",
            "progress": 40,
            "is_final": True,
            "error_code": "cancelled",
            "result_url": "https://api.example/garimpo/api/v1/tubehunt/scrape-channels/result/one",
            "items_url": "https://api.example/garimpo/api/v1/tubehunt/scrape-channels/items/one",
            "too_large": False,
        }

    def test_is_thin_if_it_would_be_too_large(self) -> None:
        payload = build_event(COMPLETED, WebhookSubscription("http://h"), limit_bytes=100)

        assert payload["data"]["too_large"] is True
        assert "result" not in payload["data"]


class TestSign:
    @pytest.mark.parametrize("secret", [OLD_SECRET, NEW_SECRET])
    def test_can_be_verified_with_each_secret(self, secret: str) -> None:
        signers = WebhookSettings(webhook_secrets=f"{OLD_SECRET}, {NEW_SECRET}").signers
        content = '{"name": "é"}'
        headers = sign(signers, "one_end", datetime.now(UTC), content)

        assert Signer(secret).verify(content, headers) == {"name": "é"}

    @pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body", "secret"])
    def test_is_invalid_for_changed_content(self, changed: str) -> None:
        signers = WebhookSettings(webhook_secrets=OLD_SECRET).signers
        content = '{"x": 1}'
        headers = sign(signers, "one_end", datetime.now(UTC), content)
        secret = OLD_SECRET
        if changed == "body":
            content = '{"x": 2}'
        elif changed == "secret":
            secret = NEW_SECRET
        elif changed == "webhook-timestamp":
            headers[changed] = str(int(headers[changed]) + 1)
        else:
            headers[changed] = "two_end"

        with pytest.raises(WebhookVerificationError):
            Signer(secret).verify(content, headers)

    def test_is_omitted_without_a_secret(self) -> None:
        assert sign((), "one_end", NOW, "{}").keys() == {"webhook-id", "webhook-timestamp"}


class TestWebhookSettings:
    @pytest.mark.parametrize(
        "secrets",
        [
            "a" * 32,
            "whsec_aaaa",
            "whsec_" + "a" * 31,
            "whsec_" + "a" * 90,
            f"{OLD_SECRET},x",
            "whsec_" + "a-_a" * 8,
        ],
    )
    def test_reject_invalid_secrets_without_showing_them(self, secrets: str) -> None:
        with pytest.raises(ValueError, match="base64 of 24 to 64 bytes") as error:
            WebhookSettings(webhook_secrets=secrets)

        assert "aaaa" not in str(error.value)

    def test_do_not_show_secrets(self) -> None:
        settings = WebhookSettings(webhook_secrets=OLD_SECRET)

        assert OLD_SECRET not in repr(settings) + str(settings.model_dump())

    def test_have_a_lease_longer_than_an_attempt(self) -> None:
        settings = WebhookSettings()

        assert settings.lease.total_seconds() > settings.webhook_timeout_s
