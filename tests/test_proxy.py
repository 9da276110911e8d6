"""Which proxy requests go through, and which hosts are reached without it."""

import pytest

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.run.proxy import Proxy, choose_proxy, is_excluded, is_near
from perfcore.run.transport import transport

FAR = "http://192.0.43.8"  # a public address; nothing is sent to it


@pytest.mark.parametrize(
    ("given", "urls", "environment", "chosen"),
    [
        (None, [FAR], {"http_proxy": "http://p:1"}, Proxy()),
        ("http://p:1", ["http://127.0.0.1"], {}, Proxy("http://p:1")),
        ("p:1", [FAR], {}, Proxy("http://p:1")),
        ("env", [FAR], {}, Proxy()),
        ("env", [FAR], {"http_proxy": "p:1"}, Proxy("http://p:1")),
        ("env", [FAR], {"HTTP_PROXY": "p:1"}, Proxy()),
        ("env", [FAR], {"https_proxy": "p:1"}, Proxy()),
        ("env", ["https://192.0.43.8"], {"HTTPS_PROXY": "p:1"}, Proxy("http://p:1")),
        ("env", [FAR], {"ALL_PROXY": "socks5h://p:1"}, Proxy("socks5h://p:1")),
        ("env", [FAR], {"http_proxy": "p:1", "no_proxy": "192.0.43.0/24"}, Proxy()),
        ("env", ["http://10.1.2.3"], {"http_proxy": "p:1"}, Proxy()),
        ("env", [FAR, "http://[::1]:8000"], {"http_proxy": "p:1"}, Proxy("http://p:1", ("::1",))),
    ],
)
def test_the_proxy_is_the_one_that_is_asked_for(
    given: str | None, urls: list[str], environment: dict[str, str], chosen: Proxy
) -> None:
    assert choose_proxy(given, urls, environment) == chosen


def test_two_proxies_of_the_environment_are_one_too_many() -> None:
    with pytest.raises(UserError, match="http_proxy and https_proxy name different proxies"):
        choose_proxy("env", [FAR, "https://192.0.43.8"], {"http_proxy": "p:1", "https_proxy": "p:2"})


def test_a_password_of_a_proxy_is_shown_nowhere() -> None:
    way = transport(StressOptions(proxy="http://me:s3cret@p:1"), [FAR], {}, "perfcore-test")
    assert "s3cret" not in way.proxy + "".join(way.warnings)
    assert "***@p:1" in way.warnings[0]


@pytest.mark.parametrize(
    ("host", "names", "excluded"),
    [
        ("a.example.com", "example.com", True),
        ("a.example.com", ".example.com", True),
        ("example.com", "x, example.com", True),
        ("notexample.com", "example.com", False),
        ("anything", "*", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("a", "", False),
    ],
)
def test_no_proxy_lists_names_domains_and_networks(host: str, names: str, excluded: bool) -> None:
    assert is_excluded(host, names) is excluded


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("10.0.0.1", True),
        ("172.16.5.4", True),
        ("192.168.1.1", True),
        ("fe80::1", True),
        ("fd00::1", True),
        ("8.8.8.8", False),
        ("2606:4700::1", False),
    ],
)
def test_loopback_and_private_addresses_are_near(host: str, near: bool) -> None:
    assert is_near(host) is near
