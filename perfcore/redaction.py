"""What is written of options and command lines: all of it but secrets."""

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from perfcore.options import StressOptions

SECRET_HEADER = re.compile(r"authorization|cookie|token|secret|key|password|credential", re.IGNORECASE)
SECRET_FIELD = re.compile(r"(^|[-_])(api_?key|key|token|secret|password|authorization|sig|signature)$", re.IGNORECASE)


def redacted(options: StressOptions) -> dict[str, Any]:
    """Options by name as plain JSON values, with *** for whatever looks like a secret."""
    plain = dataclasses.asdict(options)
    plain |= {name: str(value) for name, value in plain.items() if isinstance(value, Path)}
    plain["header"] = [redacted_header(line) for line in options.header]
    plain |= {name: [plain_item(item) for item in value] for name, value in plain.items() if isinstance(value, tuple)}
    plain["body"] = redacted_fields(options.body)
    plain["judge_body"] = redacted_fields(options.judge_body)
    plain["judge_url"] = options.judge_url and redacted_url(options.judge_url)
    plain["local_options"] = redacted_fields(options.local_options)
    plain["url"] = [redacted_url(url) for url in options.url]
    plain["server_metrics"] = [redacted_url(url) for url in options.server_metrics]
    plain["proxy"] = options.proxy and redacted_url(options.proxy)
    return plain


def plain_item(value: Any) -> Any:
    """The item of a list, a path as text."""
    return str(value) if isinstance(value, Path) else value


def redacted_header(line: str) -> str:
    """Header line whose value is *** if its name sounds like a secret."""
    name, _, _ = line.partition(":")
    return f"{name}: ***" if SECRET_HEADER.search(name) else line


def redacted_fields(value: Any) -> Any:
    """JSON value with *** below keys that sound like secrets (max_tokens does not, api_key does)."""
    if isinstance(value, dict):
        return {key: "***" if SECRET_FIELD.search(key) else redacted_fields(below) for key, below in value.items()}
    return [redacted_fields(below) for below in value] if isinstance(value, list) else value


def redacted_url(url: str) -> str:
    """URL without user and password and without the values of query keys that sound like secrets."""
    if "@" not in url and "?" not in url:
        return url
    start = "" if "://" in url else "//"
    try:
        parts = urlsplit(start + url)
    except ValueError:
        return "***"
    host = "***@" + parts.netloc.rpartition("@")[2] if "@" in parts.netloc else parts.netloc
    pairs = [(key, "***" if SECRET_FIELD.search(key) else value) for key, value in parse_qsl(parts.query, True)]
    query = urlencode(pairs, safe="*", quote_via=quote)
    return parts._replace(netloc=host, query=query).geturl().removeprefix(start)


def redacted_command(arguments: Iterable[str]) -> list[str]:
    """Command line whose headers, URLs and body values are redacted like the options."""
    shown: list[str] = []
    flag = ""
    for argument in arguments:
        name, equals, value = argument.partition("=") if argument.startswith("--") else (flag, "", argument)
        flag = "" if equals or not argument.startswith("--") else argument
        hide = REDACT.get(name)
        shown.append(
            argument if hide is None or argument == flag else f"{name}={hide(value)}" if equals else hide(value)
        )
    return shown


def redacted_assignment(assignment: str) -> str:
    """key=json whose value is *** if the key, or the last name of a dotted one, sounds like a secret."""
    key, _, _ = assignment.partition("=")
    return f"{key}=***" if SECRET_FIELD.search(key.rpartition(".")[2]) else assignment


REDACT = {
    "--header": redacted_header,
    "--url": redacted_url,
    "--server-metrics": redacted_url,
    "--proxy": redacted_url,
    "--body": redacted_assignment,
    "--local-options": redacted_assignment,
}
