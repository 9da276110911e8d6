"""Where requests go: from what the user gives as --url to the URLs of requests and of the list of models."""

import re
from urllib.parse import SplitResult, urlsplit

from perfcore.errors import UserError
from perfcore.redaction import redacted_url
from perfcore.workload.dialect import Dialect

VERSION = re.compile(r"v\d+\w*")
FORBIDDEN = re.compile(r"[\x00-\x20\x7f]")


def request_url(given: str, dialect: Dialect) -> str:
    """URL of requests. `given` is it already, or a base to which the dialect's path is added, less what it has of it.

    http://h:1, http://h:1/ and http://h:1/v1 all give http://h:1/v1/chat/completions; a path that ends in
    /chat/completions is kept as it is, whatever comes before. A query is kept, http:// added. Raises UserError.
    """
    url = parsed(given)
    prefix, rest = split_path(segments(url.path), segments(dialect.path))
    return located(url, [*prefix, *rest]) if dialect.path else url.geturl()


def models_url(given: str, dialect: Dialect) -> str | None:
    """URL of the list of models, on the same base as that of requests, or None for a dialect that has none."""
    if not dialect.models_path:
        return None
    url = parsed(given)
    prefix, rest = split_path(segments(url.path), segments(dialect.path))
    models = segments(dialect.models_path)
    versionless = bool(rest) and not VERSION.fullmatch(rest[0]) and bool(VERSION.fullmatch(models[0]))
    return located(url, [*prefix, *(models[1:] if versionless else models)])


def split_path(given: list[str], path: list[str]) -> tuple[list[str], list[str]]:
    """What comes before the dialect's part of a URL's path, and that part."""
    bare = path[1:] if path and VERSION.fullmatch(path[0]) else path
    for whole in (path, bare):
        if whole and given[-len(whole) :] == whole:
            return given[: -len(whole)], whole
    shared = next((n for n in range(min(len(given), len(path)), 0, -1) if given[-n:] == path[:n]), 0)
    return given[: len(given) - shared], path


def parsed(given: str) -> SplitResult:
    """Parts of a URL, with http:// where it has no scheme; raises UserError for one that nothing can be sent to."""
    try:
        url = urlsplit(given if "://" in given else f"http://{given}")
        wrong = fault(given, url)
    except ValueError as error:
        wrong = f"is no URL ({error})"
    if wrong:
        raise UserError(f"--url {redacted_url(given)!r} {wrong}; write it like http://localhost:8000") from None
    return url


def fault(given: str, url: SplitResult) -> str:
    """What is wrong with a URL, in words, or an empty string; raises ValueError for a port that is no number."""
    if url.scheme not in ("http", "https"):
        return f"has the scheme {url.scheme}, not http or https"
    if not url.hostname:
        return "names no host"
    if FORBIDDEN.search(given):
        return "has a blank in it"
    return "names no port after its colon" if url.port is None and url.netloc.endswith(":") else ""


def segments(path: str) -> list[str]:
    """Names in a path."""
    return [name for name in path.split("/") if name]


def located(url: SplitResult, path: list[str]) -> str:
    """URL with another path and no fragment."""
    return url._replace(path="/" + "/".join(path), fragment="").geturl()
