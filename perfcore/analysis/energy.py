"""GPUs in a window: how busy they were, and what a token cost."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from perfcore.analysis import tracks
from perfcore.analysis.absent import Absent
from perfcore.analysis.families import DEVICE_LABELS, GPU, Place
from perfcore.analysis.tracks import Span, Told, Track

NS_PER_S = 1e9
NONE = "no GPU was read: --gpu reads those of this machine, --server-metrics URL the DCGM exporter of another"
IDLE = "the device did nothing in the window"


def summary(parts: Sequence[tuple[Told, Span]], tokens: tuple[float, str] | None) -> dict[str, Any] | Absent:
    """Utilisation (0 to 1), memory in bytes, power in W and energy in J of each device; energy per output token in J.

    `tokens` are output tokens per second and who counted them. Devices that did nothing are listed and left out of the
    sums: a machine has more of them than a server may use. Mean power over token rate is energy per token, whatever the
    span of either.
    """
    devices = unique([device for one, over in parts for device in devices_of(one, over)])
    if not devices:
        return Absent(NONE)
    busy = [device for device in devices if not device["idle"] and not isinstance(device["power_w"], Absent)]
    power: float | Absent = (
        sum(device["power_w"]["mean"] for device in busy)
        if busy
        else Absent("no device that was at work told its power")
    )
    return {
        "devices": devices,
        "power_w": power,
        "energy_per_output_token_j": per_token(power, tokens),
        "tokens_from": tokens[1] if tokens else Absent("no output token was counted"),
    }


def per_token(power: float | Absent, tokens: tuple[float, str] | None) -> float | Absent:
    if isinstance(power, Absent):
        return power
    return power / tokens[0] if tokens else Absent("no output token was counted in the window")


def unique(devices: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each device once, as the best of its sources tells it."""
    order = list(GPU)
    found: dict[str, dict[str, Any]] = {}
    for device in sorted(devices, key=lambda device: order.index(device["source"])):
        found.setdefault(device["uuid"], device)
    return list(found.values())


def devices_of(one: Told, over: Span) -> list[dict[str, Any]]:
    """The devices that a URL tells of."""
    found = []
    for source, places in GPU.items():
        by_name = {name: by_device(one, place) for name, place in places.items()}
        for uuid in dict.fromkeys(key for series in by_name.values() for key in series):
            its_own = {name: series.get(uuid, []) for name, series in by_name.items()}
            found.append(device(uuid, source, its_own, over))
    return found


def by_device(one: Told, place: Place) -> dict[str, list[Track]]:
    """Series of a metric by device: one that is shared by several containers has a series for each."""
    found: dict[str, list[Track]] = {}
    for track in tracks.find(one, place):
        uuid = next((track.labels[name] for name in DEVICE_LABELS if name in track.labels), "")
        if uuid:
            scaled = Track(track.labels, track.t_ns, track.value * place.factor)
            found.setdefault(uuid, []).append(scaled)
    return found


def device(uuid: str, source: str, series: dict[str, list[Track]], over: Span) -> dict[str, Any]:
    labels = next(part[0].labels for part in series.values() if part)
    levels = {name: level(series[name], over) for name in ("utilization", "memory_bytes", "power_w")}
    energy, origin = used(series["energy_j"], series["power_w"], over)
    if not isinstance(energy, Absent) and over.seconds > 0:
        power = levels["power_w"]
        top = {} if isinstance(power, Absent) else {"max": power["max"]}
        levels["power_w"] = {"mean": energy / over.seconds, **top}
    busy = levels["utilization"]
    return {
        "uuid": uuid,
        "name": labels.get("name") or labels.get("modelName") or "",
        "gpu": labels.get("gpu", ""),
        "source": source,
        "idle": not isinstance(busy, Absent) and busy["max"] <= 0,
        **levels,
        "energy_j": energy,
        "energy_from": origin,
    }


def level(series: Sequence[Track], over: Span) -> dict[str, float] | Absent:
    parts = [part for track in series if (part := tracks.cut(track, over)).t_ns.size]
    if not parts:
        return Absent("the device does not tell it")
    whole = tracks.combined(parts, np.maximum)
    return {"mean": float(whole.value.mean()), "max": float(whole.value.max())}


def used(counters: Sequence[Track], powers: Sequence[Track], over: Span) -> tuple[float | Absent, str | Absent]:
    """Energy in J of a span and where it is from: the device's own meter, else its power integrated over time."""
    metered = [tracks.increase(part, over)[0] for track in counters if (part := tracks.cut(track, over)).t_ns.size > 1]
    if metered and max(metered) > 0:
        return max(metered), "meter"
    parts = [part for track in powers if (part := tracks.cut(track, over)).t_ns.size > 1]
    if not parts:
        why = Absent("the device tells neither its energy nor its power twice in the window")
        return why, why
    whole = tracks.combined(parts, np.maximum)
    seconds = np.diff(whole.t_ns) / NS_PER_S
    joules = float((seconds * (whole.value[1:] + whole.value[:-1]) / 2).sum())
    return joules * over.seconds / float(seconds.sum()), "power"
