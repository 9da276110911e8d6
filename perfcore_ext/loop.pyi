from collections.abc import Collection, Sequence

from typing_extensions import Buffer

class Loop:
    def __init__(
        self,
        *,
        control: Buffer,
        worker: int,
        ring: Buffer,
        book: Buffer,
        due_offsets_ns: Buffer | None = None,
        urls: Sequence[str | bytes],
        balance: str = "round_robin",
        headers: Sequence[str | bytes] = (),
        options: Sequence[tuple[int, int | str | bytes | list[str]]] = (),
        multi_options: Sequence[tuple[int, int]] = (),
        id_header: bytes = b"",
        stream_paths: Sequence[tuple[str, str, str]],
        full_paths: Sequence[tuple[str, str, str]],
        framing: str = "sse",
        done: bytes = b"",
        complete: Collection[str] = ("finish",),
        stream: bool = True,
        cumulative: bool = False,
        keep_events: bool = False,
        event_limit: int = ...,
        first_byte_timeout_ns: int = 0,
        idle_timeout_ns: int = 0,
        retries: int = 0,
        seed: int = 0,
        own_connections: bool = False,
        use_timerfd: bool = False,
    ) -> None: ...
    def prepare(self) -> None: ...
    def run(self) -> None: ...
