"""Demo site over HTTP: pages, login, faults and control endpoints."""

import html
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from demo.channels import all_channels
from tests.support.demo_site import EMAIL, PASSWORD, DemoSite, run_demo_site

LIST = "/long/?page={page}&OrderBy=DateDESC&ChangePerPage={size}"


@pytest.fixture(scope="module")
def running_site() -> Iterator[DemoSite]:
    with run_demo_site() as site:
        yield site


@pytest.fixture
def site(running_site: DemoSite) -> DemoSite:
    running_site.have()
    running_site.forget_requests()
    return running_site


@pytest.fixture
def anonymous(site: DemoSite) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url) as client:
        yield client


@pytest.fixture
def member(anonymous: httpx.Client) -> httpx.Client:
    response = log_in(anonymous)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    return anonymous


def log_in(
    client: httpx.Client, password: str = PASSWORD, token: str | None = None
) -> httpx.Response:
    form = client.get("/login").text
    found = re.search(r'name="_token" value="([^"]+)"', form)
    assert found
    fields = {"_token": token or found[1], "email": EMAIL, "password": password}
    return client.post("/login", data=fields)


def get_list(client: httpx.Client, page: int = 1, size: int = 10) -> httpx.Response:
    return client.get(LIST.format(page=page, size=size))


def links(page: str) -> list[str]:
    return re.findall(r'<a class="fw-semibold fs-4" href="[^"]*(/channel/[^"]+)"', page)


def expected_links(start: int, stop: int) -> list[str]:
    return [f"/channel/{channel.id}" for channel in all_channels()[start:stop]]


def error_text(page: str) -> str | None:
    found = re.search(r'class="alert alert-danger" role="alert">\s*(.*?)\s*</div>', page, re.DOTALL)
    return found[1] if found else None


class TestLogin:
    def test_redirects_to_the_home_page_with_a_new_session(self, anonymous: httpx.Client) -> None:
        anonymous.get("/login")
        before = dict(anonymous.cookies)
        log_in(anonymous)
        assert dict(anonymous.cookies) != before
        assert anonymous.get("/").status_code == 200

    def test_has_the_form_of_the_real_site(self, anonymous: httpx.Client) -> None:
        form = anonymous.get("/login").text
        assert re.search(r'<input id="email" type="email" name="email"', form)
        assert re.search(r'<input id="password" type="password" name="password"', form)
        assert re.search(r'<button type="submit"[^>]* disabled>Entrar</button>', form)
        assert 'data-enable-after-ms="200"' in form
        assert error_text(form) is None

    def test_shows_an_error_for_a_wrong_password(self, anonymous: httpx.Client) -> None:
        response = log_in(anonymous, password="wrong")
        assert (response.status_code, response.url.path) == (200, "/login")
        assert error_text(response.text) == "E-mail ou senha inválidos."
        assert anonymous.get("/").headers["location"] == "/login"

    def test_requires_the_csrf_token_of_the_form(self, anonymous: httpx.Client) -> None:
        response = log_in(anonymous, token="another")
        assert response.status_code == 403
        assert error_text(response.text) == "Sua sessão expirou. Tente novamente."
        assert anonymous.get("/").headers["location"] == "/login"

    def test_uses_the_account_of_the_command_line(self) -> None:
        with (
            run_demo_site("--password", "other") as site,
            httpx.Client(base_url=site.url) as client,
        ):
            assert log_in(client).status_code == 200
            assert log_in(client, password="other").status_code == 303


class TestMemberPages:
    @pytest.mark.parametrize("path", ["/", "/long/?page=1", f"/channel/{all_channels()[0].id}"])
    def test_redirect_to_the_login(self, anonymous: httpx.Client, path: str) -> None:
        response = anonymous.get(path)
        assert (response.status_code, response.headers["location"]) == (302, "/login")


class TestList:
    @pytest.mark.parametrize(
        ("page", "size", "start", "stop"),
        [(1, 10, 0, 10), (2, 10, 10, 20), (14, 10, 130, 137), (1, 50, 0, 50), (3, 50, 100, 137)],
    )
    def test_shows_a_page(
        self, member: httpx.Client, page: int, size: int, start: int, stop: int
    ) -> None:
        text = get_list(member, page, size).text
        assert links(text) == expected_links(start, stop)
        assert text.count('class="channel-card"') == stop - start

    def test_has_controls_but_no_cards_after_the_last_page(self, member: httpx.Client) -> None:
        response = get_list(member, 4, 50)
        assert response.status_code == 200
        assert "channel-card" not in response.text
        for part in ('<select name="OrderBy">', '<select name="ChangePerPage">', "page-link"):
            assert part in response.text

    def test_uses_the_requested_order(self, member: httpx.Client) -> None:
        response = member.get("/long/?page=1&OrderBy=DateASC&ChangePerPage=50")
        assert links(response.text) == expected_links(87, 137)[::-1]
        response = member.get("/long/?page=1&OrderBy=SubscribersDESC&ChangePerPage=10")
        largest = max(all_channels(), key=lambda channel: channel.subscriber_count)
        assert links(response.text)[0] == f"/channel/{largest.id}"

    def test_escapes_texts(self, member: httpx.Client) -> None:
        text = get_list(member, 1, 50).text
        assert "<script>alert" not in text
        assert 'onerror="' not in text
        for channel in all_channels()[:50]:
            assert channel.name in html.unescape(text)

    def test_loads_no_resource_from_another_host(self, member: httpx.Client) -> None:
        sources = re.findall(r'(?:src|<link [^>]*href)="([^"]*)"', get_list(member, 1, 50).text)
        assert len(sources) > 290
        assert {urlsplit(source).netloc for source in sources} == {""}

    def test_shows_images_that_exist(self, member: httpx.Client) -> None:
        source = re.search(r'class="video-thumb" src="([^"]+)"', get_list(member).text)
        assert source
        response = member.get(source[1])
        assert response.headers["content-type"] == "image/gif"
        assert response.content.startswith(b"GIF89a")


class TestChannel:
    def test_shows_its_badges_in_a_section(self, member: httpx.Client) -> None:
        channel = all_channels()[7]
        text = member.get(f"/channel/{channel.id}").text
        section = text.split('class="d-flex flex-wrap gap-1 mt-2 small"')[1].split("</div>")[0]
        badge = '<span class="badge badge-soft rounded-pill">'
        assert section.count(badge) == sum(
            map(len, (channel.details.keywords, channel.details.subjects, channel.details.niches))
        )
        assert section.count('<span class="opacity-0">,</span>') == section.count(
            badge
        ) - section.count("<a ")
        assert text.count(badge) > section.count(badge)
        assert "diy &amp; craft" in section

    def test_omits_missing_blocks(self, member: httpx.Client) -> None:
        text = member.get(f"/channel/{all_channels()[0].id}").text
        assert "Views (60 dias)" in text
        assert "(30 dias)" not in text
        text = member.get(f"/channel/{all_channels()[1].id}").text
        assert "Views (30 dias)" in text
        assert "Receita (30 dias)" in text

    def test_is_404_for_an_unknown_id(self, member: httpx.Client) -> None:
        assert member.get("/channel/UCnone").status_code == 404


class TestStatusFaults:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_affect_the_given_number_of_list_requests(
        self, site: DemoSite, member: httpx.Client, status: int
    ) -> None:
        site.have(**{f"status_{status}": 2, "retry_after": 3})
        responses = [get_list(member) for _ in range(3)]
        assert [response.status_code for response in responses] == [status, status, 200]
        assert [response.headers.get("retry-after") for response in responses] == ["3", "3", None]

    def test_omit_retry_after_by_default(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(status_503=-1)
        responses = [get_list(member) for _ in range(10)]
        assert {response.status_code for response in responses} == {503}
        assert not any("retry-after" in response.headers for response in responses)

    def test_of_the_login_do_not_affect_the_list(
        self, site: DemoSite, member: httpx.Client
    ) -> None:
        site.have(login_status_503=1)
        assert get_list(member).status_code == 200
        assert [member.get("/login").status_code for _ in range(2)] == [503, 200]


class TestReset:
    def test_affects_the_given_number_of_connections(self, site: DemoSite) -> None:
        site.have(reset=2)
        outcomes = [raw_list_request(site) for _ in range(3)]
        assert outcomes[:2] == [None, None]
        assert outcomes[2] is not None
        assert outcomes[2].startswith(b"HTTP/1.1 302")
        assert [request["status"] for request in site.requests("/long/")] == [0, 0, 302]


def connect(site: DemoSite) -> socket.socket:
    address = urlsplit(site.url)
    return socket.create_connection((address.hostname, address.port), timeout=30)


def raw_list_request(site: DemoSite) -> bytes | None:
    """Send a list request over a new connection; return None after a TCP reset."""
    with connect(site) as connection:
        connection.sendall(b"GET /long/?page=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            return connection.recv(1000)
        except ConnectionResetError:
            return None


class TestSlowFaults:
    def test_delay_only_list_pages(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(slow_ms=400)
        others = min(seconds(lambda: member.get("/")) for _ in range(3))
        assert seconds(lambda: get_list(member)) >= 0.4 > others

    def test_delay_only_the_banner(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(slow_image_ms=400)
        assert 'src="/img/banner.gif"' in get_list(member).text
        others = min(seconds(lambda: member.get("/img/vi/x/mqdefault.jpg")) for _ in range(3))
        assert seconds(lambda: member.get("/img/banner.gif")) >= 0.4 > others

    def test_hang_one_page_until_the_client_disconnects(
        self, site: DemoSite, member: httpx.Client
    ) -> None:
        site.have(hang_page=2)
        assert get_list(member, 1).status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            member.get(LIST.format(page=2, size=10), timeout=0.5)
        assert get_list(member, 3).status_code == 200
        assert [request["status"] for request in site.requests("/long/")] == [200, 0, 200]

    def test_latency_applies_to_every_page(self) -> None:
        with (
            run_demo_site("--latency-ms", "300") as site,
            httpx.Client(base_url=site.url) as client,
        ):
            assert seconds(lambda: client.get("/login")) >= 0.3
            assert seconds(lambda: client.get("/")) >= 0.3
            assert seconds(lambda: client.get("/long/")) >= 0.3


def seconds(send: Callable[[], object]) -> float:
    """Return how long a request takes, in seconds."""
    started_at = time.monotonic()
    send()
    return time.monotonic() - started_at


class TestSessionFaults:
    def test_end_a_session_once_after_the_given_pages(
        self, site: DemoSite, member: httpx.Client
    ) -> None:
        site.have(session_ends_after=2)
        statuses = [get_list(member, page).status_code for page in (1, 2, 3)]
        assert statuses == [200, 200, 302]
        assert member.get("/").headers["location"] == "/login"
        log_in(member)
        assert [get_list(member, page).status_code for page in (3, 4, 5, 6)] == [200] * 4

    def test_end_every_session(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(session_never_holds=True)
        for _ in range(3):
            assert get_list(member).headers["location"] == "/login"
            assert log_in(member).headers["location"] == "/"

    def test_reject_every_password(self, site: DemoSite, anonymous: httpx.Client) -> None:
        site.have(wrong_password=True)
        assert error_text(log_in(anonymous).text) == "E-mail ou senha inválidos."

    def test_redirect_a_wrong_password_to_a_url_with_error(
        self, site: DemoSite, anonymous: httpx.Client
    ) -> None:
        site.have(error_url_login=True)
        response = log_in(anonymous, password="wrong")
        assert response.headers["location"] == "/?error=1"
        assert error_text(anonymous.get("/?error=1").text) == "E-mail ou senha inválidos."
        assert log_in(anonymous).headers["location"] == "/"

    def test_enable_the_login_button_later(self, site: DemoSite, anonymous: httpx.Client) -> None:
        site.have(login_late_button_ms=1500)
        assert 'data-enable-after-ms="1500"' in anonymous.get("/login").text
        assert anonymous.get("/static/late_button.js").status_code == 200


class TestListFaults:
    def test_shift(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(shifting=True)
        first, second = (links(get_list(member, page).text) for page in (1, 2))
        assert second[:3] == first[-3:]

    def test_rename_the_card_from_a_page_onwards(
        self, site: DemoSite, member: httpx.Client
    ) -> None:
        site.have(renamed_card=2)
        counts = [get_list(member, page).text.count('class="channel-card"') for page in (1, 2, 3)]
        assert counts == [10, 0, 0]
        assert links(get_list(member, 2).text) == expected_links(10, 20)

    def test_rename_the_name_everywhere(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(renamed_field=True)
        text = get_list(member).text
        assert text.count('class="channel-card"') == 10
        assert links(text) == []

    def test_empty_only_the_first_page(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(empty_first_page=True)
        assert [len(links(get_list(member, page).text)) for page in (1, 2)] == [0, 10]

    def test_replace_the_list_by_a_notice(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(maintenance_page=2)
        assert len(links(get_list(member, 1).text)) == 10
        response = get_list(member, 2)
        assert response.status_code == 200
        assert "OrderBy" not in response.text.split("<main")[1]

    def test_add_the_cards_by_a_script(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(late_cards_ms=250)
        rendered, late = get_list(member).text.split("<template")
        assert 'data-first-after-ms="250"' in late
        assert (links(rendered), len(links(late))) == ([], 10)
        assert member.get("/static/late_cards.js").status_code == 200


class TestControls:
    def test_return_the_current_faults(self, site: DemoSite) -> None:
        site.have(slow_ms=1)
        faults = httpx.get(f"{site.url}/_demo/bad-days").json()
        assert (faults["slow_ms"], faults["shifting"], faults["login_late_button_ms"]) == (
            1,
            False,
            200,
        )

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b'{"sunny": 1}', "Unknown bad day sunny"),
            (b'{"slow_ms": "1"}', "slow_ms: Input should be a valid integer"),
            (b"[]", "bad days: Input should be"),
            (b"{", "The body is not valid JSON."),
        ],
    )
    def test_reject_an_invalid_body_and_keep_the_faults(
        self, site: DemoSite, body: bytes, message: str
    ) -> None:
        site.have(slow_ms=1)
        response = httpx.post(f"{site.url}/_demo/bad-days", content=body)
        assert response.status_code == 422
        assert response.json()["detail"].startswith(message)
        assert httpx.get(f"{site.url}/_demo/bad-days").json()["slow_ms"] == 1

    def test_list_requests_except_their_own(self, site: DemoSite, member: httpx.Client) -> None:
        get_list(member)
        logged = site.requests()
        assert [(entry["method"], entry["path"], entry["status"]) for entry in logged] == [
            ("GET", "/login", 200),
            ("POST", "/login", 303),
            ("GET", LIST.format(page=1, size=10), 200),
        ]
        numbers = [entry["n"] for entry in logged]
        assert numbers == list(range(numbers[0], numbers[0] + 3))
        assert sorted(entry["at"] for entry in logged) == [entry["at"] for entry in logged]

    @pytest.mark.usefixtures("member")
    def test_clear_requests(self, site: DemoSite) -> None:
        assert site.requests() != []
        site.forget_requests()
        assert site.requests() == []

    def test_report_health(self, site: DemoSite) -> None:
        assert httpx.get(f"{site.url}/_demo/health").json() == {"status": "ok"}


class TestCommandLine:
    def test_sets_faults(self) -> None:
        with run_demo_site("--bad-day", "slow_ms=7", "--bad-day", "shifting") as site:
            faults = httpx.get(f"{site.url}/_demo/bad-days").json()
            assert (faults["slow_ms"], faults["shifting"]) == (7, True)

    def test_rejects_an_unknown_bad_day(self) -> None:
        command = [sys.executable, "-m", "demo", "--port", "0", "--bad-day", "sunny"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert "Unknown bad day sunny: choose from slow_ms" in done.stderr

    def test_names_a_port_that_is_in_use(self, site: DemoSite) -> None:
        port = str(urlsplit(site.url).port)
        command = [sys.executable, "-m", "demo", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert "cannot listen on 127.0.0.1" in done.stderr

    def test_exits_at_sigterm_while_a_page_hangs(self) -> None:
        with run_demo_site("--bad-day", "hang_page=1") as site:
            with httpx.Client(base_url=site.url) as client:
                log_in(client)
                cookie = f"Cookie: tubehunt_session={client.cookies['tubehunt_session']}"
            with connect(site) as connection:
                connection.sendall(f"GET /long/ HTTP/1.1\r\nHost: x\r\n{cookie}\r\n\r\n".encode())
                deadline = time.monotonic() + 30
                while not site.requests("/long/"):
                    assert time.monotonic() < deadline
                site.process.terminate()
                assert site.process.wait(30) == -signal.SIGTERM
