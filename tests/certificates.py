"""Certificates for tests, made by the openssl command: an authority, and what it signs."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

LOOPBACK = "DNS:localhost,IP:127.0.0.1,IP:::1"
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


@dataclass(frozen=True)
class Pair:
    """PEM files of a certificate and its private key."""

    certificate: Path
    key: Path


def authority(folder: Path, name: str = "authority") -> Pair:
    """A certificate that signs itself and may sign others; skips the test where there is no openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl command here to make certificates with")
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    openssl("req", "-x509", *NEW_KEY, "-keyout", pair.key, "-out", pair.certificate, "-subj", f"/CN={name}")
    return pair


def signed(by: Pair, name: str, alternatives: str = LOOPBACK, days: int = 30) -> Pair:
    """A certificate for some names; one with negative days has expired."""
    folder = by.certificate.parent
    pair, request, extensions = Pair(folder / f"{name}.pem", folder / f"{name}.key"), folder / "csr", folder / "ext"
    extensions.write_text(f"subjectAltName={alternatives}\n")
    openssl("req", "-new", *NEW_KEY, "-keyout", pair.key, "-out", request, "-subj", f"/CN={name}")
    issuer = ["-CA", by.certificate, "-CAkey", by.key, "-CAcreateserial"]
    openssl("x509", "-req", "-in", request, *issuer, "-days", days, "-extfile", extensions, "-out", pair.certificate)
    return pair


def server_context(pair: Pair, clients: Pair | None = None) -> ssl.SSLContext:
    """TLS of a server that shows a certificate, and wants to see one that `clients` has signed if that is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients is not None:
        context.load_verify_locations(clients.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def openssl(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
