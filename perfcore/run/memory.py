"""Memory that the master shares with its workers: anonymous files, gone when the last process that holds them is."""

import errno
import mmap
import os
from dataclasses import dataclass

from perfcore.errors import UserError

LIMITS = {errno.EFBIG: "ulimit -f", errno.ENOMEM: "ulimit -v", errno.EMFILE: "ulimit -n"}


@dataclass(frozen=True)
class SharedMemory:
    """An anonymous file and its mapping here. `file` is handed to a child, which maps it by `attach`."""

    file: int
    view: mmap.mmap

    def close(self) -> None:
        """Let go of it. The mapping stays for as long as something still points into it."""
        os.close(self.file)


def allocate(name: str, size: int) -> SharedMemory:
    """Zeroed memory of `size` bytes; pages are taken when they are first touched.

    Raises UserError where the limits of this process do not allow it.
    """
    try:
        file = os.memfd_create(f"perfcore-{name}", os.MFD_CLOEXEC)
        try:
            os.ftruncate(file, size)
            return SharedMemory(file, mmap.mmap(file, size))
        except OSError:
            os.close(file)
            raise
    except OSError as error:
        raise UserError(
            f"cannot share {-(-size // 2**20):,} MiB of memory with the workers: {error.strerror}; raise the limit "
            f"({LIMITS.get(error.errno or 0, 'ulimit -a shows them')}), or give a smaller --ring-mib or fewer --workers"
        ) from None


def attach(file: int, *, readonly: bool = False) -> mmap.mmap:
    """Map a whole file that was inherited as an open descriptor, and close the descriptor."""
    try:
        return mmap.mmap(file, 0, prot=mmap.PROT_READ if readonly else mmap.PROT_READ | mmap.PROT_WRITE)
    finally:
        os.close(file)
