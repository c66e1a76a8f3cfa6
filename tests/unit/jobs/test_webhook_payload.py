"""What a call back brings, and who can tell that it is ours."""

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
#: Of nobody: made for this test.
OLD, NEW = ("whsec_" + letter * 32 for letter in "ab")


def event(
    fields: Mapping[str, str],
    webhook: WebhookSubscription,
    slot: DeliveryEvent = DeliveryEvent.END,
    limit_bytes: int = 10_000,
) -> dict[str, Any]:
    delivery = Delivery("one", slot, DeliveryState.SENDING, 1, NOW, NOW, 0, 0, None)
    record = JobRecord.decode("one", {**FIELDS, **fields})
    text = build_payload(delivery, record, webhook, RESULT, limit_bytes)
    assert text == build_payload(delivery, record, webhook, RESULT, limit_bytes)
    read: dict[str, Any] = json.loads(text)
    assert list(read) == ["type", "timestamp", "data"]
    return read


class TestRender:
    def test_gives_the_body_of_the_result(self) -> None:
        told = event(COMPLETED, WebhookSubscription("http://h"))

        assert (told["type"], told["timestamp"]) == (
            "job.completed",
            "2026-01-01T22:05:00.000000+00:00",
        )
        assert told["data"]["result"]["channels"] == ["é"]
        assert (told["data"]["status"], told["data"]["is_final"]) == ("completed", True)

    @pytest.mark.parametrize(
        ("language", "sentence"), [(Language.PT, "Job cancelado"), (Language.EN, "Job cancelled")]
    )
    def test_tells_failures_in_the_language_of_the_start(
        self, language: Language, sentence: str
    ) -> None:
        told = event(FAILED, WebhookSubscription("http://h", language=language))

        assert told["type"] == "job.failed"
        assert (told["data"]["error"], told["data"]["error_code"]) == (sentence, "cancelled")

    def test_tells_how_far_a_running_job_is(self) -> None:
        fields = {"state": "processing", "progress": "40"}

        told = event(fields, WebhookSubscription("http://h"), DeliveryEvent.PROGRESS)

        assert (told["type"], told["data"]["progress"]) == ("job.progress", 40)
        assert told["timestamp"] == "2026-01-01T22:05:00.000000+00:00"

    @pytest.mark.parametrize(
        "api_url", ["https://api.example/garimpo/", "https://api.example/garimpo"]
    )
    def test_leads_to_the_rest_if_thin(self, api_url: str) -> None:
        webhook = WebhookSubscription("http://h", WebhookPayload.THIN, api_url=api_url)

        assert event(FAILED, webhook)["data"] == {
            "job_id": "one",
            "status": "failed",
            "progress": 40,
            "is_final": True,
            "error_code": "cancelled",
            "result_url": "https://api.example/garimpo/api/v1/tubehunt/scrape-channels/result/one",
            "items_url": "https://api.example/garimpo/api/v1/tubehunt/scrape-channels/items/one",
            "too_large": False,
        }

    def test_is_thin_and_says_so_if_it_is_too_large(self) -> None:
        told = event(COMPLETED, WebhookSubscription("http://h"), limit_bytes=100)

        assert told["data"]["too_large"] is True
        assert "result" not in told["data"]


class TestSign:
    @pytest.mark.parametrize("secret", [OLD, NEW])
    def test_is_verified_by_whoever_has_one_of_the_secrets(self, secret: str) -> None:
        signers = WebhookSettings(webhook_secrets=f"{OLD}, {NEW}").signers
        content = '{"name": "é"}'
        headers = sign(signers, "one_end", datetime.now(UTC), content)

        assert Signer(secret).verify(content, headers) == {"name": "é"}

    @pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body", "secret"])
    def test_is_not_of_anything_else(self, changed: str) -> None:
        signers = WebhookSettings(webhook_secrets=OLD).signers
        content = '{"x": 1}'
        headers = sign(signers, "one_end", datetime.now(UTC), content)
        secret = OLD
        if changed == "body":
            content = '{"x": 2}'
        elif changed == "secret":
            secret = NEW
        elif changed == "webhook-timestamp":
            headers[changed] = str(int(headers[changed]) + 1)
        else:
            headers[changed] = "two_end"

        with pytest.raises(WebhookVerificationError):
            Signer(secret).verify(content, headers)

    def test_is_not_there_without_a_secret(self) -> None:
        assert sign((), "one_end", NOW, "{}").keys() == {"webhook-id", "webhook-timestamp"}


class TestCallbackSettings:
    @pytest.mark.parametrize(
        "secrets",
        [
            "a" * 32,
            "whsec_aaaa",
            "whsec_" + "a" * 31,
            "whsec_" + "a" * 90,
            f"{OLD},x",
            "whsec_" + "a-_a" * 8,
        ],
    )
    def test_refuse_what_is_no_secret_without_showing_it(self, secrets: str) -> None:
        with pytest.raises(ValueError, match="base64 of 24 to 64 bytes") as refused:
            WebhookSettings(webhook_secrets=secrets)

        assert "aaaa" not in str(refused.value)

    def test_show_no_secret(self) -> None:
        settings = WebhookSettings(webhook_secrets=OLD)

        assert OLD not in repr(settings) + str(settings.model_dump())

    def test_have_a_lease_that_outlasts_a_try(self) -> None:
        settings = WebhookSettings()

        assert settings.lease.total_seconds() > settings.webhook_timeout_s
