"""Memory for the workers within the limits of the process."""

import resource
from collections.abc import Iterator

import pytest

from perfcore.errors import UserError
from perfcore.run.memory import allocate

MIB = 2**20


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files of this process may have 1 MiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_memory_is_as_large_as_asked_for() -> None:
    memory = allocate("test", 3 * MIB)
    assert len(memory.view) == 3 * MIB
    memory.close()


def test_a_limit_of_file_sizes_is_named_with_what_raises_it(small_files: None) -> None:
    with pytest.raises(UserError, match=r"cannot share 2 MiB .* \(ulimit -f\).*--ring-mib"):
        allocate("test", 2 * MIB)
