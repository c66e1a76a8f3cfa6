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
def stranger(site: DemoSite) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url) as client:
        yield client


@pytest.fixture
def member(stranger: httpx.Client) -> httpx.Client:
    answer = log_in(stranger)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    return stranger


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
    def test_leads_to_the_first_page_with_a_session_of_its_own(
        self, stranger: httpx.Client
    ) -> None:
        stranger.get("/login")
        before = dict(stranger.cookies)
        log_in(stranger)
        assert dict(stranger.cookies) != before
        assert stranger.get("/").status_code == 200

    def test_has_the_form_that_the_facts_describe(self, stranger: httpx.Client) -> None:
        form = stranger.get("/login").text
        assert re.search(r'<input id="email" type="email" name="email"', form)
        assert re.search(r'<input id="password" type="password" name="password"', form)
        assert re.search(r'<button type="submit"[^>]* disabled>Entrar</button>', form)
        assert 'data-enable-after-ms="200"' in form
        assert error_text(form) is None

    def test_stays_and_shows_why_with_a_wrong_password(self, stranger: httpx.Client) -> None:
        answer = log_in(stranger, password="wrong")
        assert (answer.status_code, answer.url.path) == (200, "/login")
        assert error_text(answer.text) == "E-mail ou senha inválidos."
        assert stranger.get("/").headers["location"] == "/login"

    def test_wants_the_token_of_its_own_form(self, stranger: httpx.Client) -> None:
        answer = log_in(stranger, token="another")
        assert answer.status_code == 403
        assert error_text(answer.text) == "Sua sessão expirou. Tente novamente."
        assert stranger.get("/").headers["location"] == "/login"

    def test_takes_another_account_from_the_command_line(self) -> None:
        with (
            run_demo_site("--password", "other") as site,
            httpx.Client(base_url=site.url) as client,
        ):
            assert log_in(client).status_code == 200
            assert log_in(client, password="other").status_code == 303


class TestPagesBehindTheLogin:
    @pytest.mark.parametrize("path", ["/", "/long/?page=1", f"/channel/{all_channels()[0].id}"])
    def test_lead_strangers_to_the_login(self, stranger: httpx.Client, path: str) -> None:
        answer = stranger.get(path)
        assert (answer.status_code, answer.headers["location"]) == (302, "/login")


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

    def test_shows_no_card_but_its_controls_past_the_last_page(self, member: httpx.Client) -> None:
        answer = get_list(member, 4, 50)
        assert answer.status_code == 200
        assert "channel-card" not in answer.text
        for part in ('<select name="OrderBy">', '<select name="ChangePerPage">', "page-link"):
            assert part in answer.text

    def test_follows_the_order_asked_for(self, member: httpx.Client) -> None:
        answer = member.get("/long/?page=1&OrderBy=DateASC&ChangePerPage=50")
        assert links(answer.text) == expected_links(87, 137)[::-1]
        answer = member.get("/long/?page=1&OrderBy=SubscribersDESC&ChangePerPage=10")
        largest = max(all_channels(), key=lambda channel: channel.subscriber_count)
        assert links(answer.text)[0] == f"/channel/{largest.id}"

    def test_escapes_what_its_texts_hold(self, member: httpx.Client) -> None:
        text = get_list(member, 1, 50).text
        assert "<script>alert" not in text
        assert 'onerror="' not in text
        for channel in all_channels()[:50]:
            assert channel.name in html.unescape(text)

    def test_loads_nothing_from_other_hosts(self, member: httpx.Client) -> None:
        sources = re.findall(r'(?:src|<link [^>]*href)="([^"]*)"', get_list(member, 1, 50).text)
        assert len(sources) > 290
        assert {urlsplit(source).netloc for source in sources} == {""}

    def test_shows_images_that_exist(self, member: httpx.Client) -> None:
        source = re.search(r'class="video-thumb" src="([^"]+)"', get_list(member).text)
        assert source
        answer = member.get(source[1])
        assert answer.headers["content-type"] == "image/gif"
        assert answer.content.startswith(b"GIF89a")


class TestChannel:
    def test_shows_its_own_badges_in_its_own_section(self, member: httpx.Client) -> None:
        channel = all_channels()[7]
        text = member.get(f"/channel/{channel.id}").text
        own = text.split('class="d-flex flex-wrap gap-1 mt-2 small"')[1].split("</div>")[0]
        badge = '<span class="badge badge-soft rounded-pill">'
        assert own.count(badge) == sum(
            map(len, (channel.details.keywords, channel.details.subjects, channel.details.niches))
        )
        assert own.count('<span class="opacity-0">,</span>') == own.count(badge) - own.count("<a ")
        assert text.count(badge) > own.count(badge)
        assert "diy &amp; craft" in own

    def test_leaves_out_the_blocks_that_are_missing(self, member: httpx.Client) -> None:
        text = member.get(f"/channel/{all_channels()[0].id}").text
        assert "Views (60 dias)" in text
        assert "(30 dias)" not in text
        text = member.get(f"/channel/{all_channels()[1].id}").text
        assert "Views (30 dias)" in text
        assert "Receita (30 dias)" in text

    def test_is_404_for_an_unknown_one(self, member: httpx.Client) -> None:
        assert member.get("/channel/UCnone").status_code == 404


class TestStatusDays:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_answer_so_many_list_requests_with_it(
        self, site: DemoSite, member: httpx.Client, status: int
    ) -> None:
        site.have(**{f"status_{status}": 2, "retry_after": 3})
        answers = [get_list(member) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [status, status, 200]
        assert [answer.headers.get("retry-after") for answer in answers] == ["3", "3", None]

    def test_go_without_retry_after_unless_told(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(status_503=-1)
        answers = [get_list(member) for _ in range(10)]
        assert {answer.status_code for answer in answers} == {503}
        assert not any("retry-after" in answer.headers for answer in answers)

    def test_of_the_login_leave_the_list_alone(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(login_status_503=1)
        assert get_list(member).status_code == 200
        assert [member.get("/login").status_code for _ in range(2)] == [503, 200]


class TestReset:
    def test_tears_down_so_many_connections(self, site: DemoSite) -> None:
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
    """Ask over a new connection; None says that a TCP reset came."""
    with connect(site) as connection:
        connection.sendall(b"GET /long/?page=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            return connection.recv(1000)
        except ConnectionResetError:
            return None


class TestSlowDays:
    def test_hold_up_list_pages_alone(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(slow_ms=400)
        others = min(seconds(lambda: member.get("/")) for _ in range(3))
        assert seconds(lambda: get_list(member)) >= 0.4 > others

    def test_hold_up_the_banner_alone(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(slow_image_ms=400)
        assert 'src="/img/banner.gif"' in get_list(member).text
        others = min(seconds(lambda: member.get("/img/vi/x/mqdefault.jpg")) for _ in range(3))
        assert seconds(lambda: member.get("/img/banner.gif")) >= 0.4 > others

    def test_hang_one_page_until_the_client_goes(
        self, site: DemoSite, member: httpx.Client
    ) -> None:
        site.have(hang_page=2)
        assert get_list(member, 1).status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            member.get(LIST.format(page=2, size=10), timeout=0.5)
        assert get_list(member, 3).status_code == 200
        assert [request["status"] for request in site.requests("/long/")] == [200, 0, 200]

    def test_wait_the_latency_on_every_page(self) -> None:
        with (
            run_demo_site("--latency-ms", "300") as site,
            httpx.Client(base_url=site.url) as client,
        ):
            assert seconds(lambda: client.get("/login")) >= 0.3
            assert seconds(lambda: client.get("/")) >= 0.3
            assert seconds(lambda: client.get("/long/")) >= 0.3


def seconds(ask: Callable[[], object]) -> float:
    start = time.monotonic()
    ask()
    return time.monotonic() - start


class TestSessionDays:
    def test_end_a_session_once_after_so_many_pages(
        self, site: DemoSite, member: httpx.Client
    ) -> None:
        site.have(session_ends_after=2)
        statuses = [get_list(member, page).status_code for page in (1, 2, 3)]
        assert statuses == [200, 200, 302]
        assert member.get("/").headers["location"] == "/login"
        log_in(member)
        assert [get_list(member, page).status_code for page in (3, 4, 5, 6)] == [200] * 4

    def test_never_let_a_session_hold(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(session_never_holds=True)
        for _ in range(3):
            assert get_list(member).headers["location"] == "/login"
            assert log_in(member).headers["location"] == "/"

    def test_refuse_every_password(self, site: DemoSite, stranger: httpx.Client) -> None:
        site.have(wrong_password=True)
        assert error_text(log_in(stranger).text) == "E-mail ou senha inválidos."

    def test_lead_a_wrong_password_to_a_url_with_error(
        self, site: DemoSite, stranger: httpx.Client
    ) -> None:
        site.have(error_url_login=True)
        answer = log_in(stranger, password="wrong")
        assert answer.headers["location"] == "/?error=1"
        assert error_text(stranger.get("/?error=1").text) == "E-mail ou senha inválidos."
        assert log_in(stranger).headers["location"] == "/"

    def test_enable_the_login_button_later(self, site: DemoSite, stranger: httpx.Client) -> None:
        site.have(login_late_button_ms=1500)
        assert 'data-enable-after-ms="1500"' in stranger.get("/login").text
        assert stranger.get("/static/late_button.js").status_code == 200


class TestListDays:
    def test_shift(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(shifting=True)
        first, second = (links(get_list(member, page).text) for page in (1, 2))
        assert second[:3] == first[-3:]

    def test_rename_the_card_from_a_page_on(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(renamed_card=2)
        counts = [get_list(member, page).text.count('class="channel-card"') for page in (1, 2, 3)]
        assert counts == [10, 0, 0]
        assert links(get_list(member, 2).text) == expected_links(10, 20)

    def test_rename_the_name_everywhere(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(renamed_field=True)
        text = get_list(member).text
        assert text.count('class="channel-card"') == 10
        assert links(text) == []

    def test_empty_the_first_page_alone(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(empty_first_page=True)
        assert [len(links(get_list(member, page).text)) for page in (1, 2)] == [0, 10]

    def test_show_a_notice_instead_of_the_list(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(maintenance_page=2)
        assert len(links(get_list(member, 1).text)) == 10
        answer = get_list(member, 2)
        assert answer.status_code == 200
        assert "OrderBy" not in answer.text.split("<main")[1]

    def test_leave_the_cards_to_a_script(self, site: DemoSite, member: httpx.Client) -> None:
        site.have(late_cards_ms=250)
        drawn, late = get_list(member).text.split("<template")
        assert 'data-first-after-ms="250"' in late
        assert (links(drawn), len(links(late))) == ([], 10)
        assert member.get("/static/late_cards.js").status_code == 200


class TestControls:
    def test_show_the_bad_days_of_now(self, site: DemoSite) -> None:
        site.have(slow_ms=1)
        days = httpx.get(f"{site.url}/_demo/bad-days").json()
        assert (days["slow_ms"], days["shifting"], days["login_late_button_ms"]) == (1, False, 200)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b'{"sunny": 1}', "There is no bad day sunny"),
            (b'{"slow_ms": "1"}', "slow_ms: Input should be a valid integer"),
            (b"[]", "bad days: Input should be"),
            (b"{", "The body is not JSON."),
        ],
    )
    def test_refuse_what_they_do_not_know_and_keep_the_day(
        self, site: DemoSite, body: bytes, words: str
    ) -> None:
        site.have(slow_ms=1)
        answer = httpx.post(f"{site.url}/_demo/bad-days", content=body)
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(words)
        assert httpx.get(f"{site.url}/_demo/bad-days").json()["slow_ms"] == 1

    def test_list_requests_but_not_their_own(self, site: DemoSite, member: httpx.Client) -> None:
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
    def test_forget_requests(self, site: DemoSite) -> None:
        assert site.requests() != []
        site.forget_requests()
        assert site.requests() == []

    def test_tell_that_the_site_is_well(self, site: DemoSite) -> None:
        assert httpx.get(f"{site.url}/_demo/health").json() == {"status": "ok"}


class TestCommandLine:
    def test_switches_bad_days_on(self) -> None:
        with run_demo_site("--bad-day", "slow_ms=7", "--bad-day", "shifting") as site:
            days = httpx.get(f"{site.url}/_demo/bad-days").json()
            assert (days["slow_ms"], days["shifting"]) == (7, True)

    def test_refuses_an_unknown_bad_day(self) -> None:
        command = [sys.executable, "-m", "demo", "--port", "0", "--bad-day", "sunny"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert "There is no bad day sunny: choose from slow_ms" in done.stderr

    def test_says_when_the_port_is_taken(self, site: DemoSite) -> None:
        port = str(urlsplit(site.url).port)
        command = [sys.executable, "-m", "demo", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert "cannot listen on 127.0.0.1" in done.stderr

    def test_ends_at_sigterm_while_a_page_hangs(self) -> None:
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
