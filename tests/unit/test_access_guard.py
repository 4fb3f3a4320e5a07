"""What a stranger may ask for, and the headers that everybody receives."""

from pathlib import Path

import pytest

from tests.security.people import owner
from tests.webserver import StandInBroker, make_server


def test_a_program_is_refused_in_its_own_words(tmp_path: Path) -> None:
    answer = make_server(tmp_path, access="private").test_client().get("/api/v1/gex/SPX")

    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert "Sign in at /login" in answer.get_json()["cure"]


def test_an_unknown_path_tells_a_stranger_nothing(tmp_path: Path) -> None:
    client = make_server(tmp_path, access="private").test_client()

    assert client.get("/api/v1/nothing").status_code == 401


def test_health_is_open(tmp_path: Path) -> None:
    client = make_server(tmp_path, access="private").test_client()

    assert client.get("/api/v1/health/live").status_code == 200
    assert client.get("/api/v1/health/ready").status_code == 503


def test_health_names_no_symbol_and_no_reason_to_a_stranger(tmp_path: Path) -> None:
    server = make_server(tmp_path, StandInBroker(), access="private", symbols="SPX,SPY")

    told = server.test_client().get("/api/v1/health/ready").get_json()
    whole = owner(server).get("/api/v1/health/ready").get_json()

    assert told["missing"] == ["feed", "chain"]
    assert {part["detail"] for part in told["parts"].values()} == {""}
    assert "chain:SPY" in whole["missing"]


def test_the_sign_in_page_tells_a_stranger_nothing_of_the_feed(tmp_path: Path) -> None:
    page = make_server(tmp_path, access="private").test_client().get("/login").text

    assert "Schwab login" not in page


@pytest.mark.parametrize(
    "path", ["/login", "/logout", "/login/paste", "/login/disconnect", "/_dash-update-component"]
)
def test_another_sites_page_changes_nothing(tmp_path: Path, path: str) -> None:
    client = make_server(tmp_path, access="public").test_client()

    assert client.post(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post(path, headers={"Origin": "https://evil.example"}).status_code == 403


def test_a_foreign_host_name_is_refused(tmp_path: Path) -> None:
    answer = make_server(tmp_path).test_client().get("/", base_url="http://evil.example:8050")

    assert answer.status_code == 400
    assert "TRUSTED_HOSTS" in answer.text


@pytest.mark.parametrize("host", ["[::1]:8050", "127.0.0.1:8050", "localhost:8050"])
def test_every_name_of_loopback_opens_the_page(tmp_path: Path, host: str) -> None:
    client = make_server(tmp_path, host="::1").test_client()

    assert client.get("/gex/SPX", base_url=f"http://{host}").status_code == 200


@pytest.mark.parametrize("path", ["/gex/SPX", "/_dash-layout", "/nowhere", "/"])
def test_what_says_nothing_of_caches_is_nobodys_to_keep(tmp_path: Path, path: str) -> None:
    answer = make_server(tmp_path).test_client().get(path)

    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_forwarded_headers_count_only_from_configured_proxies(tmp_path: Path) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}

    answer = make_server(tmp_path).test_client().get("/login", headers=forged)

    assert answer.status_code == 200
    assert "Strict-Transport-Security" not in answer.headers


def test_behind_a_proxy_the_browsers_own_scheme_counts(tmp_path: Path) -> None:
    server = make_server(tmp_path, trusted_proxies=1, public_url="https://gex.example.com")
    forwarded = {
        "X-Forwarded-Host": "gex.example.com",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "10.0.0.9",
    }

    answer = server.test_client().get("/login", headers=forwarded)

    assert answer.status_code == 200
    assert "Strict-Transport-Security" in answer.headers


@pytest.mark.parametrize(
    "path", ["/login", "/gex/SPX", "/api/docs", "/api/v1/health/live", "/api/v1/none", "/nowhere"]
)
def test_every_answer_is_protected(tmp_path: Path, path: str) -> None:
    headers = make_server(tmp_path).test_client().get(path).headers

    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_nothing_comes_from_elsewhere(tmp_path: Path) -> None:
    client = make_server(tmp_path).test_client()

    for path in ("/login", "/api/docs", "/gex/SPX"):
        page = client.get(path).text
        assert 'src="http' not in page
        assert 'rel="stylesheet" href="http' not in page


def test_the_sign_in_page_has_no_scripts(tmp_path: Path) -> None:
    page = make_server(tmp_path).test_client().get("/login").text

    assert "<script" not in page
    assert " style=" not in page


@pytest.mark.parametrize(
    "path", ["/login/static/access.css", "/assets/page.css", "/api/docs/ui/css/swagger-ui.css"]
)
def test_a_packed_file_that_did_not_change_is_not_sent_again(tmp_path: Path, path: str) -> None:
    client = make_server(tmp_path).test_client()
    headers = {"Accept-Encoding": "gzip, br"}
    first = client.get(path, headers=headers)
    assert first.headers["Content-Encoding"] == "br"

    again = client.get(path, headers={**headers, "If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304


def test_an_asset_under_its_version_is_kept_by_the_browser(tmp_path: Path) -> None:
    client = make_server(tmp_path).test_client()

    def kept_for_ever(path: str) -> bool:
        with client.get(path) as answer:  # which closes the file
            return "immutable" in answer.headers.get("Cache-Control", "")

    assert kept_for_ever("/assets/page.css?m=1")
    assert not kept_for_ever("/assets/page.css")
    assert not kept_for_ever("/assets/none.css?m=1")
