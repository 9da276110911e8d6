from typing_extensions import Buffer

MAGIC: bytes
HEADER_BYTES: int
HEADER_FIELDS: list[tuple[str, str]]
EVENT_FIELDS: list[tuple[str, str]]
RANGES: tuple[str, ...]
EVENT_KINDS: dict[str, int]
GENERATED: int
ERROR_CLASSES: tuple[str, ...]
PHASES: tuple[str, ...]

class FrameError(ValueError):
    offset: int

def split(data: Buffer, offsets: bytearray) -> int: ...
def gather(source: Buffer, starts: Buffer, lengths: Buffer, target: bytearray) -> None: ...
def slices(source: Buffer, starts: Buffer, lengths: Buffer) -> list[bytes]: ...
