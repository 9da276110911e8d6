"""What the tests of several servers share."""

from collections.abc import Iterator

import pytest

from tests.servers.transformers_server import Server, transformers_serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`transformers serve` with the small model."""
    with transformers_serving(tmp_path_factory.mktemp("transformers")) as running:
        yield running
