"""Every point at which a node can fail in a short run, one after the other.

A crash at the k-th boundary between two effects, and an error of the k-th storage call, for every
k until three blocks are final.  Each time the others go on, the node starts again from what its
disk holds, and it has signed nothing that it forgot: the monitor sees to that.
"""

import errno
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.simulator.node import SimulatedNode
from tests.simulator.simulation import Scenario, Simulation

BLOCKS = 3
CALM = Scenario(
    n=4, observers=0, heights_per_set=0, adversaries=(), faults=(), real_signatures=False
)
BESIDE_SILENT = replace(CALM, adversaries=("silent",))
Arm = Callable[[SimulatedNode], None]


def begun(seed: int, scenario: Scenario, victim: int, arm: Arm) -> Simulation:
    """A calm network whose victim is about to fail."""
    simulation = Simulation(seed, scenario)
    arm(simulation.nodes[victim])
    for node in simulation.nodes:
        node.start()
    return simulation


def all_reach(simulation: Simulation, nodes: list[SimulatedNode], height: int) -> bool:
    """Run until these nodes have this height, or far too long."""

    def there() -> bool:
        return all(node.height >= height for node in nodes)

    simulation.world.run_until(simulation.world.now_ms + 20_000, there)
    return there()


def fail_and_recover(seed: int, scenario: Scenario, victim: int, arm: Arm) -> Simulation:
    """The victim fails, the others go on, it comes back and follows."""
    simulation = begun(seed, scenario, victim, arm)
    node = simulation.nodes[victim]
    others = [other for other in simulation.nodes if other is not node]
    assert all_reach(simulation, others, BLOCKS)
    simulation.world.run_until(simulation.world.now_ms + 2000, lambda: not node.is_up)
    assert not node.is_up
    node.disk.fail_after = None
    node.start()
    reached = max(other.height for other in others)
    assert all_reach(simulation, simulation.nodes, reached + 1)
    return simulation


def undisturbed(scenario: Scenario, victim: int) -> SimulatedNode:
    """The victim after three blocks without any failure."""
    simulation = begun(0, scenario, victim, lambda node: None)
    assert all_reach(simulation, simulation.nodes, BLOCKS)
    return simulation.nodes[victim]


def arm_disk(k: int, error_number: int, *, tears: bool) -> Arm:
    def arm(node: SimulatedNode) -> None:
        node.disk.fail_after = k
        node.disk.error_number = error_number
        node.tears = tears

    return arm


def arm_fuse(k: int, *, tears: bool) -> Arm:
    def arm(node: SimulatedNode) -> None:
        node.fuse = k
        node.tears = tears

    return arm


@pytest.mark.parametrize("victim", range(4))
@pytest.mark.parametrize("error_number", [errno.EIO, errno.ENOSPC])
def test_a_node_survives_an_error_of_every_storage_call(victim: int, error_number: int) -> None:
    calls = undisturbed(CALM, victim).disk.calls
    assert calls > 3 * BLOCKS
    for k in range(calls):
        arm = arm_disk(k, error_number, tears=bool(k % 2))
        simulation = fail_and_recover(0, CALM, victim, arm)
        assert simulation.world.counts["stopped by an I/O error"] == 1


@pytest.mark.parametrize("victim", range(4))
def test_a_node_survives_a_crash_at_every_boundary(victim: int) -> None:
    boundaries = undisturbed(CALM, victim).boundaries
    assert boundaries > 15 * BLOCKS
    for k in range(boundaries):
        simulation = fail_and_recover(0, CALM, victim, arm_fuse(k, tears=bool(k % 2)))
        assert simulation.world.counts["fault: node crashed"] == 1


@pytest.mark.parametrize("victim", [0, 2])
def test_a_node_survives_a_crash_at_every_boundary_beside_a_silent_one(victim: int) -> None:
    """Views are skipped and re-proposed here, and nobody goes on without the victim."""
    k, crashes = 0, 1
    while crashes:
        simulation = begun(4, BESIDE_SILENT, victim, arm_fuse(k, tears=bool(k % 2)))
        node = simulation.nodes[victim]
        honest = [one for one in simulation.nodes if one.is_honest]
        assert node in honest
        simulation.world.run_until(
            simulation.world.now_ms + 20_000,
            lambda node=node, honest=honest: (
                not node.is_up or all(one.height >= BLOCKS for one in honest)
            ),
        )
        crashes = simulation.world.counts["fault: node crashed"]
        node.fuse = None
        if crashes:
            node.start()
        assert all_reach(simulation, honest, BLOCKS + 1)
        k += 1
    assert k > 15 * BLOCKS


def test_the_application_of_the_node_survives_an_error_of_every_storage_call() -> None:
    scenario = Scenario(application="node", adversaries=(), faults=())
    for k in range(undisturbed(scenario, 0).disk.calls):
        fail_and_recover(0, scenario, 0, arm_disk(k, errno.EIO, tears=bool(k % 2)))


@pytest.mark.parametrize("skew_ms", [3_600_000, -3_600_000])
def test_clocks_that_are_wrong_on_more_than_f_nodes_stop_the_network_at_worst(skew_ms: int) -> None:
    """Two of four: nothing is promised but safety, which the monitor judges."""
    simulation = Simulation(1, CALM)
    simulation.monitor.latest_clock_ms = None
    for node in simulation.nodes[:2]:
        node.skew_ms = skew_ms
    for node in simulation.nodes:
        node.start()
    simulation.world.run_until(simulation.world.now_ms + 10_000)


@pytest.mark.parametrize(
    ("skew_ms", "drift_ppm"), [(3_600_000, 0), (-3_600_000, 0), (0, 1_000_000), (0, -500_000)]
)
def test_one_wrong_clock_of_four_moves_neither_the_others_nor_chain_time(
    skew_ms: int, drift_ppm: int
) -> None:
    simulation = Simulation(1, CALM)
    wrong = simulation.nodes[1]
    wrong.skew_ms, wrong.drift_ppm = skew_ms, drift_ppm
    simulation.faults.hurt[1] = None
    for node in simulation.nodes:
        node.start()
    assert all_reach(simulation, simulation.nodes, 20)
    tip = simulation.monitor.facts[20]
    assert abs(tip.time_ms - simulation.world.now_ms) < 2000
