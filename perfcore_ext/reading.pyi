from collections.abc import Collection, Sequence

class Answers:
    def __init__(
        self,
        stream_paths: Sequence[tuple[str, str, str]],
        full_paths: Sequence[tuple[str, str, str]],
        framing: str,
        done: bytes,
        complete: Collection[str],
        stream: bool,
        cumulative: bool,
        keep_events: bool,
        event_limit: int,
    ) -> None: ...
