"""Files of data sets from the network, fetched only where a user asks for it: whole, or not at all."""

import fcntl
import hashlib
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

import pycurl

from perfcore.errors import UserError
from perfcore.paths import expanded
from perfcore.redaction import redacted_url
from perfcore.run.transport import trusted_certificates
from perfcore.workload.catalogue import Fetch
from perfcore.workload.registry import CACHE, DataSet, Found, data_dirs, located, resolved

# Loaded by its name where a preset names the hub: it takes long to load, and is no dependency of ours.
HUB = "huggingface_hub"
SHOW_EVERY_BYTES = 64 * 2**20
SLOWEST_BYTES_PER_S, PATIENCE_S, CONNECT_S = 1, 60, 30
PART, MARK = ".part", ".mark"  # what has come so far, and what the server calls the version that it is of
REDIRECTS = 10
HASHED_BYTES = 1 << 20

Say = Callable[[str], None]


class Came(NamedTuple):
    """How a transfer ended: HTTP's status, and libcurl's words where it failed."""

    status: int
    error: str


def download(names: Sequence[str], data_dir: Path | None, config_dir: Path | None, say: Say) -> None:
    """Fetch the files of data sets that are not there, into `data_dir`, else into the user's cache.

    `say` gets a line for each file, and now and then how far it is. Raises UserError where a file cannot be had.
    """
    for name in names:
        found = resolved(name, config_dir)
        there = located(found, data_dirs(data_dir))
        if found.reader.needs_files and (there.missing or not there.files):
            fetch_missing(found, there, (data_dir or expanded(CACHE)) / found.preset.folder, say)


def fetch_missing(found: DataSet, there: Found, folder: Path, say: Say) -> None:
    """Fetch what a data set lacks. Raises UserError where nothing says from where."""
    wanted = [one for one in found.preset.fetch if any(Path(one.to).match(pattern) for pattern in there.missing)]
    if wanted:
        for one in wanted:
            fetch(one, folder / one.to, say)
    elif found.preset.hub:
        from_hub(found.preset.hub, [*dict.fromkeys((*found.preset.files, *there.missing))], folder, say)
    else:
        home = f"; get them from {found.preset.home}" if found.preset.home else ""
        lacks = ", ".join(there.missing) or "files of your own"
        raise UserError(f"the data set {found.name} lacks {lacks}, which --download cannot fetch{home}")


def fetch(one: Fetch, to: Path, say: Say) -> None:
    """Fetch one file to a path, which it gets only when it is whole. Raises UserError."""
    if urlsplit(one.url).scheme not in ("http", "https"):
        raise UserError(f"{redacted_url(one.url)} is no URL that can be fetched; write https://... in the preset")
    part = to.with_name(to.name + PART)
    say(f"Fetching {redacted_url(one.url)} to {to}" + (", from where it stopped" if part.exists() else ""))
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        came = transferred(one.url, part, say)
        if came.status == 416:  # what is there is longer than the file: begin anew
            part.unlink()
            came = transferred(one.url, part, say)
        refuse_failed(one.url, came, part)
        refuse_other(one, part)
        part.replace(to)
        mark_of(part).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {to}: {error.strerror}; make room, or give another --data-dir") from None


def mark_of(part: Path) -> Path:
    """File with what the server calls the version of the file that is being fetched."""
    return part.with_name(part.name + MARK)


def transferred(url: str, part: Path, say: Say) -> Came:
    """Get a file, or the rest of one whose version the server still has."""
    mark = mark_of(part)
    known = mark.read_text("utf-8") if mark.exists() and part.exists() else ""
    with part.open("ab") as file:
        locked(file, part)
        start = file.tell() if known else 0
        came = Arriving(file, mark, say)
        handle = pycurl.Curl()
        try:
            for option, value in options(url, start, known).items():
                handle.setopt(option, value)
            handle.setopt(pycurl.HEADERFUNCTION, came.header)
            handle.setopt(pycurl.WRITEFUNCTION, came.data)
            handle.perform()
            if came.status == 200:
                came.begin()  # no byte came: the file is empty
            return Came(handle.getinfo(pycurl.RESPONSE_CODE), "")
        except pycurl.error as error:
            if came.failed is not None:
                raise came.failed from None
            return Came(handle.getinfo(pycurl.RESPONSE_CODE), str(error.args[1]))
        finally:
            handle.close()


def locked(file: BinaryIO, part: Path) -> None:
    """Keep other processes from fetching the same file; raises UserError where one does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"another process is fetching {part}; wait until it is done") from None


class Arriving:
    """Where an answer goes as it comes: libcurl wants functions that share what they have seen."""

    def __init__(self, file: BinaryIO, mark: Path, say: Say) -> None:
        self.file, self.mark, self.say = file, mark, say
        self.status = 0
        self.headers: dict[str, str] = {}
        self.began = False
        self.shown = 0
        self.failed: OSError | None = None

    def header(self, line: bytes) -> None:
        """One line of a head; each answer of a chain of redirects has its own."""
        text = line.decode("latin-1").strip()
        if text.startswith("HTTP/"):
            self.status, self.headers = int(text.split()[1]), {}
        name, colon, value = text.partition(":")
        if colon:
            self.headers[name.lower()] = value.strip()

    def data(self, data: bytes) -> int:
        """Bytes of a body; those of an error are let go."""
        if self.status not in (200, 206):
            return len(data)
        try:
            self.begin()
            self.file.write(data)
        except OSError as error:
            self.failed = error
            return -1  # ends the transfer
        self.show()
        return len(data)

    def begin(self) -> None:
        """A whole answer goes in the place of what had come; its version is noted for the next attempt."""
        if not self.began and self.status == 200:
            self.file.truncate(0)
            etag = self.headers.get("etag", "W/")
            version = self.headers.get("last-modified", "") if etag.startswith("W/") else etag
            self.mark.write_text(version, "utf-8")
        self.began = True

    def show(self) -> None:
        """Say how far it is, now and then."""
        there = self.file.tell()
        if there // SHOW_EVERY_BYTES > self.shown:
            self.shown = there // SHOW_EVERY_BYTES
            total = self.headers.get("content-range", "").rpartition("/")[2] or self.headers.get("content-length", "")
            of = f" of {int(total) / 2**20:,.0f}" if total.isdecimal() else ""
            self.say(f"Fetched {there / 2**20:,.0f}{of} MiB")


def options(url: str, start: int, known: str) -> dict[int, Any]:
    """libcurl's options; a proxy is taken from the environment, as curl does by itself."""
    found: dict[int, Any] = {
        pycurl.URL: url,
        pycurl.NOSIGNAL: 1,
        pycurl.FOLLOWLOCATION: 1,
        pycurl.MAXREDIRS: REDIRECTS,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.REDIR_PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.CONNECTTIMEOUT: CONNECT_S,
        pycurl.LOW_SPEED_LIMIT: SLOWEST_BYTES_PER_S,
        pycurl.LOW_SPEED_TIME: PATIENCE_S,
        pycurl.USERAGENT: "perfcore",
    }
    if bundle := trusted_certificates():
        found[pycurl.CAINFO] = bundle
    if start:
        found[pycurl.HTTPHEADER] = [f"Range: bytes={start}-", f"If-Range: {known}"]
    return found


def refuse_failed(url: str, came: Came, part: Path) -> None:
    """Raise UserError for a transfer that failed."""
    shown = redacted_url(url)
    if came.status >= 400:
        part.unlink(missing_ok=True)
        raise UserError(f"{shown} answered {came.status}; correct it in the preset, or fetch the file by hand")
    if came.error:
        raise UserError(f"cannot fetch {shown}: {came.error}; once the network is there, --download goes on with it")


def refuse_other(one: Fetch, part: Path) -> None:
    """Raise UserError, and drop what came, where it is not the file that the preset means."""
    if not one.sha256:
        return
    with part.open("rb") as file:
        found = hashlib.sha256()
        while some := file.read(HASHED_BYTES):
            found.update(some)
    if found.hexdigest() != one.sha256.lower():
        part.unlink()
        sums = f"its SHA-256 is {found.hexdigest()}, not {one.sha256}"
        raise UserError(f"{redacted_url(one.url)} gave another file, which was dropped: {sums}; correct the preset")


def from_hub(hub: str, files: Sequence[str], folder: Path, say: Say) -> None:
    """Fetch files of a data set on the Hugging Face hub. Raises UserError."""
    say(f"Fetching {', '.join(files) or 'all files'} of {hub} to {folder}")
    try:
        snapshot = importlib.import_module(HUB).snapshot_download
    except ImportError:
        raise UserError(f"fetching {hub} needs the package {HUB}; install it, or fetch the files by hand") from None
    try:
        snapshot(hub, repo_type="dataset", local_dir=folder, allow_patterns=list(files) or None)
    except (OSError, ValueError) as error:
        words = str(error).partition("\n")[0]
        raise UserError(
            f"cannot fetch {hub} from the hub: {words}; is the network there, and HF_TOKEN if asked for?"
        ) from None
