"""The ring as three byte strings: what the reader sees, what the frame being written put into the ring, what waits."""


class Ring:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.visible = b""
        self.staged = b""
        self.waiting = b""
        self.uncommitted = b""
        self.full_waits = 0

    def put(self, data: bytes) -> None:
        fits = len(self.visible) + len(self.staged) + len(data) <= self.capacity
        if fits and not self.waiting and not self.uncommitted:
            self.staged += data
        else:
            self.uncommitted += data

    def commit(self) -> None:
        self.visible += self.staged
        self.waiting += self.uncommitted
        self.staged = self.uncommitted = b""
        self.flush()
        self.full_waits += bool(self.waiting)

    def flush(self) -> int:
        room = self.capacity - len(self.visible) - len(self.staged)
        self.visible += self.waiting[:room]
        self.waiting = self.waiting[room:]
        return len(self.waiting) + len(self.uncommitted)

    def take(self, limit: int) -> bytes:
        taken = self.visible[:limit]
        self.visible = self.visible[limit:]
        return taken
