"""Hooks of mkdocs: makes the site whole by itself, so that it can be read from disk without a network."""

import logging
from pathlib import Path
from typing import Any

# The theme loads this from a CDN where pages are opened from disk, for the search; ours does the same.
REMOTE = "https://unpkg.com/iframe-worker/shim"
OWN = "javascripts/worker-from-disk.js"


def on_startup(**_: Any) -> None:
    """The search of the theme takes jieba along where it is there, and that tells what it loads."""
    logging.getLogger("jieba").setLevel(logging.WARNING)


def on_post_build(config: Any, **_: Any) -> None:
    """Let every page load the script that lies beside it."""
    site = Path(config["site_dir"])
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        steps = "../" * (len(page.relative_to(site).parts) - 1)
        page.write_text(text.replace(REMOTE, f"{steps}{OWN}"), encoding="utf-8")
