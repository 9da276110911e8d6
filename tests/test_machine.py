"""The ceilings of a machine, kept and found again, or not."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from perfcore.errors import UserError
from perfcore.records.machine import NEVER, SCHEMA, Calibration, Ceilings, Edge, calibration_facts, identity, keep, kept

EDGE = Edge(per_s=50_000.0, fails_per_s=55_000.0, why="slip 1.4 ms", firm=True, points=7)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "perfcore"


def calibration(**machine: Any) -> Calibration:
    ceilings = [Ceilings(workers=1, events=EDGE, requests=EDGE, connections=EDGE)]
    return Calibration(SCHEMA, identity() | machine, "2026-11-20T10:00:00+00:00", 97.0, False, 0.01, ceilings)


def test_what_was_kept_is_found_again() -> None:
    written = calibration()
    path = keep(written)
    assert kept().calibration == written
    assert list(path.parent.iterdir()) == [path]


def test_calibration_of_this_machine_is_noted_with_every_run() -> None:
    keep(calibration())
    noted = calibration_facts()
    assert (noted["note"], noted["calibrated"]) == ("calibration", "2026-11-20T10:00:00+00:00")
    assert noted["ceilings"][0]["events"]["per_s"] == 50_000.0


def test_machine_that_was_never_calibrated_is_said_to_be_so() -> None:
    assert calibration_facts() == {"note": "calibration", "why": NEVER}


@pytest.mark.parametrize("key", ["processor", "cores", "kernel", "perfcore", "libcurl"])
def test_calibration_of_another_machine_or_version_is_not_used_and_said(key: str) -> None:
    keep(calibration(**{key: "else"}))
    found = kept()
    assert found.calibration is None
    assert f"of another machine or version ({key} else instead of {identity()[key]})" in found.why


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"schema": "perfcore.calibration/1"'])
def test_damaged_file_is_not_used_and_said(content: bytes) -> None:
    path = keep(calibration())
    path.write_bytes(content)
    assert kept().calibration is None
    assert "perfcore calibrate" in calibration_facts()["why"]


def test_file_of_another_schema_is_not_used() -> None:
    keep(msgspec.structs.replace(calibration(), schema="perfcore.calibration/0"))
    assert kept().calibration is None


def test_place_that_cannot_be_written_is_the_users_to_mend(cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(UserError, match="set XDG_CACHE_HOME"):
        keep(calibration())
    assert kept().calibration is None
