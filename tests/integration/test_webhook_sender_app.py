"""A worker without a separate sender sends webhooks too."""

from garimpo.local_stack.stack import Stack
from tests.integration.services import Services
from tests.support.webhook_receiver import WebhookReceiver, status

PATH = "/api/v1/tubehunt/scrape-channels"


class TestWorker:
    def test_sends_and_retries_webhooks(self) -> None:
        settings = {"WEBHOOK_ALLOW": "127.0.0.1", "WEBHOOK_RETRY_FIRST_S": "0.05"}
        with Stack(settings=settings) as stack, WebhookReceiver() as receiver:
            receiver.respond_with(status(500), status(204))
            services = Services(stack, stack.redis(), stack.site(), stack.api())
            with services.client() as api:
                job_id = api.post(f"{PATH}/start", json={"webhook_url": receiver.url}).json()[
                    "job_id"
                ]
                api.post(f"{PATH}/cancel/{job_id}")
                worker = stack.worker()

                first, second = receiver.wait_for(job_id, 2)

                assert first.id == second.id
                stats = api.get("/api/v1/figures").json()
                assert [worker["jobs"] for worker in stats["workers"]] == [[]], (
                    "a webhook is not a job"
                )
                assert "Traceback" not in worker.read_log()
