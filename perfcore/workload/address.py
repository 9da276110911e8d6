"""Where requests go: from what the user gives as --url to the URLs of requests and of the list of models."""

import re
from urllib.parse import SplitResult, quote, urlsplit

from perfcore.errors import UserError
from perfcore.redaction import redacted_url
from perfcore.workload.dialect import Dialect, is_streamed

VERSION = re.compile(r"v\d+\w*")
MODEL = "{model}"
FORBIDDEN = re.compile(r"[\x00-\x20\x7f]")


def request_url(given: str, dialect: Dialect, stream: bool = True, model: str | None = None) -> str:
    """URL of requests. `given` is it already, or a base to which the dialect's path is added, less what it has of it.

    http://h:1, http://h:1/ and http://h:1/v1 all give http://h:1/v1/chat/completions; a path that ends in
    /chat/completions is kept as it is, whatever comes before. A query is kept, http:// added. Of a dialect's two paths
    the one for streams goes in the place of the other and back. Raises UserError, also where the path needs a model.
    """
    url = parsed(given)
    asked = asked_path(dialect, is_streamed(dialect, stream))
    if not asked:
        return url.geturl()
    prefix, rest = split_path(segments(url.path), dialect, segments(asked))
    if MODEL in rest and model is None:
        raise UserError(f"{dialect.name} sends to {asked}, so name the model with --model")
    return located(url, [*prefix, *(quote(model or "", safe="") if name == MODEL else name for name in rest)])


def models_url(given: str, dialect: Dialect) -> str | None:
    """URL of the list of models, on the same base as that of requests, or None for a dialect that has none."""
    if not dialect.models_path:
        return None
    url = parsed(given)
    path = segments(dialect.path)
    prefix, rest = split_path(segments(url.path), dialect, path)
    models = segments(dialect.models_path)
    versionless = len(rest) < len(path) and bool(VERSION.fullmatch(models[0]))
    return located(url, [*prefix, *(models[1:] if versionless else models)])


def asked_path(dialect: Dialect, streamed: bool) -> str:
    """The dialect's path of streamed answers, or of others."""
    return dialect.path if streamed or dialect.path_full is None else dialect.path_full


def split_path(given: list[str], dialect: Dialect, path: list[str]) -> tuple[list[str], list[str]]:
    """What comes before the dialect's part of a URL's path, and that part: `path`, less a version that is not there."""
    for known in (path, segments(dialect.path), segments(dialect.path_full or "")):
        bare = known[1:] if known and VERSION.fullmatch(known[0]) else known
        for whole in (known, bare):
            if whole and leads_to(given[-len(whole) :], whole):
                wanted = path[len(known) - len(whole) :]
                return given[: -len(whole)], with_model(wanted, given[-len(whole) :], whole)
    shared = next((n for n in range(min(len(given), len(path)), 0, -1) if leads_to(given[-n:], path[:n])), 0)
    return given[: len(given) - shared], [*given[len(given) - shared :], *path[shared:]]


def leads_to(given: list[str], path: list[str]) -> bool:
    """Whether names are those of a path, any of them in the place of the model's."""
    return len(given) == len(path) and all(part in (MODEL, name) for name, part in zip(given, path, strict=True))


def with_model(path: list[str], given: list[str], like: list[str]) -> list[str]:
    """A path with the model that stands in `given` where `like` has its place."""
    model = given[like.index(MODEL)] if MODEL in like else MODEL
    return [model if name == MODEL else name for name in path]


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
