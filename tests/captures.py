"""What real servers sent, as it was written down: tests/data/wire."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from tests.reference.answer import Meaning, meaning
from tests.replay import chunked

WIRE = Path(__file__).parent / "data" / "wire"
CAPTURE = re.compile(
    rb"### \S+ (\S+)\n(.*?)\n?### response head\n(.*?\r\n\r\n)### response body \(verbatim\)\n(.*)\n### curl: .*\n",
    re.S,
)
READ = re.compile(r"^ *[\d.]+ms len=\d+ (b['\"].*['\"])$", re.M)
CAPTURES = sorted(str(path.relative_to(WIRE).with_suffix("")) for path in WIRE.glob("*/*.txt"))
READS = sorted(path.stem for path in WIRE.glob("reads/*.reads"))


@dataclass(frozen=True)
class Capture:
    """One response of a server; `head` with its empty line, `body` without the transfer coding."""

    dialect: str
    stream_asked: bool
    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    def header(self, name: str) -> str:
        found = re.search(rb"^" + name.encode() + rb":\s*(.*?)\r$", self.head, re.I | re.M)
        return found.group(1).decode() if found else ""

    def pieces(self, bodies: list[bytes]) -> list[bytes]:
        """The response, its body in pieces, as it goes over the wire."""
        coded = chunked(bodies) if self.header("transfer-encoding") == "chunked" else bodies
        return [self.head, *coded]

    def meaning(self, body: bytes | None = None) -> Meaning:
        """What the slow reader makes of it, or of another body under the same head."""
        received = self.body if body is None else body
        return meaning(
            self.status,
            self.header("content-type"),
            received,
            stream_asked=self.stream_asked,
            dialect=self.dialect,
        )


def load(name: str) -> Capture:
    """One of CAPTURES."""
    found = CAPTURE.fullmatch((WIRE / f"{name}.txt").read_bytes())
    assert found is not None, name
    path, request, head, body = found.groups()
    # Long requests were written down in part: then the kind of the response tells.
    asked = b'"stream":true' in request or b"text/event-stream" in head or path.endswith(b"/generate_stream")
    return Capture(dialect_of(path.decode()), asked, head, body)


def dialect_of(path: str) -> str:
    """The dialect whose requests went to a path."""
    if path.startswith("/v2/"):
        return "triton-generate"
    return "openai-completions" if path == "/v1/completions" else "openai-chat"


def load_reads(name: str) -> list[bytes]:
    """One of READS: the bytes of a streamed response, read by read, transfer coding included."""
    text = (WIRE / "reads" / f"{name}.reads").read_text(encoding="utf-8")
    return [data for found in READ.findall(text) if (data := ast.literal_eval(found))]
