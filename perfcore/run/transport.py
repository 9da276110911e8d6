"""How requests travel: libcurl's options, the same for the load and for the questions asked before it."""

import os
from pathlib import Path

import pycurl

Option = tuple[int, int | str]

READ_BYTES = 65536  # what libcurl takes from a socket at once
# Where distributions keep the certificates they trust; libcurl's own default is that of the system it was built on.
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def curl_options(url: str, timeout_s: float, user_agent: str) -> list[Option]:
    """(pycurl constant, value) of every option of a request that its dialect does not decide."""
    options: list[Option] = [
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.PROXY, ""),  # environment variables are not asked: a proxy would be measured along
        (pycurl.BUFFERSIZE, READ_BYTES),
        (pycurl.TCP_NODELAY, 1),
        (pycurl.USERAGENT, user_agent),
        (pycurl.TIMEOUT_MS, round(timeout_s * 1000)),
    ]
    if url.startswith("https:") and (bundle := trusted_certificates()):
        options.append((pycurl.CAINFO, bundle))
    return options


def trusted_certificates() -> str | None:
    """The file of certificate authorities to trust: SSL_CERT_FILE, else the distribution's, else libcurl's default."""
    candidates = (os.environ.get("SSL_CERT_FILE", ""), *CERTIFICATES)
    return next((path for path in candidates if path and Path(path).is_file()), None)
