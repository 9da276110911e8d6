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
        url: bytes,
        headers: Sequence[str | bytes] = (),
        options: Sequence[tuple[int, int | str | bytes]] = (),
        id_header: bytes = b"",
        stream_paths: Sequence[tuple[str, str]],
        full_paths: Sequence[tuple[str, str]],
        framing: str = "sse",
        done: bytes = b"",
        complete: Collection[str] = ("finish",),
        stream: bool = True,
        event_limit: int = ...,
        use_timerfd: bool = False,
    ) -> None: ...
    def prepare(self) -> None: ...
    def run(self) -> None: ...
