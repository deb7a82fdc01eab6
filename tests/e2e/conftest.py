"""The network that test_market, test_proofs, test_refusals and test_stop share, in this order."""

from collections.abc import Iterator

import pytest

from tests.e2e.kit import Net, free_port_run


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    """Four validators at 500 ms a block; every test leaves all of them running but the last."""
    network = Net(tmp_path_factory.mktemp("calm") / "net")
    base_port = str(free_port_run(4))
    options = ("--validators", "4", "--base-port", base_port, "--block-time", "500ms")
    try:
        network.start(*options)
        yield network
    finally:
        network.close()
