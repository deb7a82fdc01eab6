"""Runs one node from settings to exit code: opens its files, serves until told to stop, stops.

Exit codes: 0 stopped in order, 1 unexpected, 6 stored data corrupt or disk failed, 78 bad
configuration.  The first error of any part stops all: the node signs nothing after it.
"""

import asyncio
import os
import signal

import structlog
import uvloop
from structlog.typing import FilteringBoundLogger

from ledger.crypto import SigningKey
from ledger.errors import Corrupt
from node.api.app import create_app
from node.api.context import ApiSettings
from node.api.limits import RequestLimits
from node.application.genesis import GenesisError, LoadedGenesis
from node.application.genesis import load as load_genesis
from node.driver.driver import Diverged
from node.keyfiles import KeyFileError, KeyKind, load_seed, read_password_file
from node.service.config import EXIT_CONFIG, ConfigError, Settings
from node.service.listeners import ListenFailed, Server, make_servers
from node.service.logs import set_up_logs
from node.service.node_metrics import PartsCollector
from node.service.runtime import NodeKeys, Runtime
from node.storage.errors import (
    SchemaTooNew,
    StorageError,
    StoreLocked,
    StoreMissing,
    WrongGenesis,
)
from node.storage.store import Store

EXIT_OK = 0
EXIT_UNEXPECTED = 1
EXIT_STORAGE = 6
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
PARENT_POLL_S = 1.0
LINKS_CLOSE_S = 2.0
SERVERS_STOP_S = 8.0

_BAD_CONFIGURATION = (
    ConfigError,
    GenesisError,
    KeyFileError,
    ListenFailed,
    StoreLocked,
    StoreMissing,
    WrongGenesis,
    SchemaTooNew,
)


class _StopRequested(Exception):
    """A signal, or the parent process is gone."""


def run(settings: Settings, *, parent_pid: int | None = None) -> int:
    """Run a node until SIGTERM or SIGINT; its exit code.  Blocks; call in the main thread.

    parent_pid: stop in order as soon as that process is no longer our parent.
    """
    set_up_logs(settings.log)
    log = structlog.get_logger("node")
    try:
        genesis = load_genesis(settings.node.genesis_file)
        keys = load_keys(settings)
        store = Store.open(
            settings.node.data_dir,
            genesis.hash,
            restored=settings.consensus.restored,
            history=settings.storage.history,
        )
    except _BAD_CONFIGURATION as error:
        log.error("bad configuration", why=str(error))
        return EXIT_CONFIG
    except StorageError as error:
        log.error("the stored data cannot be used", why=str(error))
        return EXIT_STORAGE
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings, genesis, keys, store, parent_pid))
    finally:
        store.close()


def load_keys(settings: Settings) -> NodeKeys:
    """The node's keys.  Raises KeyFileError; a missing VRF key means an observer."""
    password = read_password_file(settings.node.password_file)
    seed = load_seed(settings.node.signing_key_file, password, KeyKind.SIGNING)
    vrf_seed = None
    if settings.consensus.vote and settings.node.vrf_key_file.exists():
        vrf_seed = load_seed(settings.node.vrf_key_file, password, KeyKind.VRF)
    return NodeKeys(SigningKey.from_seed(seed), vrf_seed)


async def _serve(
    settings: Settings,
    genesis: LoadedGenesis,
    keys: NodeKeys,
    store: Store,
    parent_pid: int | None,
) -> int:
    log = structlog.get_logger("node")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        runtime = Runtime(settings, genesis, keys, store)
    except _BAD_CONFIGURATION as error:
        log.error("bad configuration", why=str(error))
        return EXIT_CONFIG
    except (StorageError, Corrupt) as error:
        log.error("the stored data cannot be used", why=str(error))
        return EXIT_STORAGE
    try:
        return await _run_parts(runtime, stop, parent_pid)
    finally:
        await runtime.close()
        log.info("stopped", height=runtime.application.tip.height)


async def _run_parts(runtime: Runtime, stop: asyncio.Event, parent_pid: int | None) -> int:
    log = runtime.log
    app = create_app(runtime.handle, _api_settings(runtime.settings))
    try:
        servers = make_servers(runtime.settings, app, runtime.peer_server.app)
    except ListenFailed as error:
        log.error("bad configuration", why=str(error))
        return EXIT_CONFIG
    listeners = [each.limits for each in servers]
    app.state.metrics.registry.register(PartsCollector(runtime, listeners))
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    runtime.writer.on_failure.append(
        lambda error: None if failed.done() else failed.set_exception(error)
    )
    runtime.writer.start()
    log.info(
        "started",
        chain=runtime.application.chain.name,
        height=runtime.application.tip.height,
        address=runtime.keys.signing.address,
        listen=["{}:{}".format(*each.socket.getsockname()[:2]) for each in servers],
    )
    try:
        async with asyncio.TaskGroup() as group:
            meshed = group.create_task(runtime.network.run())
            for work in (
                runtime.intake.run(),
                runtime.syncer.run(),
                runtime.monitor.run(log.warning),
                runtime.run_driver(),
                _wait_for(failed),
                _watch_parent(parent_pid, stop),
            ):
                group.create_task(work)
            serving = [
                group.create_task(each.server.serve(sockets=[each.socket])) for each in servers
            ]
            await stop.wait()
            log.info("stopping")
            runtime.hub.close()
            app.state.hub.close()
            meshed.cancel()
            await asyncio.wait((meshed,), timeout=LINKS_CLOSE_S)
            await runtime.exchange.close()
            await _stop_servers([each.server for each in servers], serving)
            raise _StopRequested
    except BaseExceptionGroup as group_of_errors:
        return _exit_code(group_of_errors, log)


def _exit_code(errors: BaseExceptionGroup[BaseException], log: FilteringBoundLogger) -> int:
    """What ended the task group, logged; a failing disk outweighs what it caused elsewhere."""
    storage = errors.subgroup((StorageError, Corrupt))
    if storage is not None:
        log.error("storage failed", why=str(_first(storage)))
        return EXIT_STORAGE
    diverged = errors.subgroup(Diverged)
    if diverged is not None:
        log.error("a quorum finalized what this node refuses", why=str(_first(diverged)))
        return EXIT_STORAGE
    unexpected = errors.split(_StopRequested)[1]
    if unexpected is not None:
        log.error("unexpected failure", exc_info=unexpected)
        return EXIT_UNEXPECTED
    return EXIT_OK


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


async def _stop_servers(servers: list[Server], serving: list[asyncio.Task[None]]) -> None:
    for server in servers:
        server.should_exit = True
    await asyncio.wait(serving, timeout=SERVERS_STOP_S)


async def _wait_for(failed: asyncio.Future[None]) -> None:
    await failed


async def _watch_parent(parent_pid: int | None, stop: asyncio.Event) -> None:
    """Stop when the process that started us is gone (we are then somebody else's child)."""
    while parent_pid is not None and os.getppid() == parent_pid:
        await asyncio.sleep(PARENT_POLL_S)
    if parent_pid is not None:
        stop.set()


def _api_settings(settings: Settings) -> ApiSettings:
    api = settings.api
    return ApiSettings(
        limits=RequestLimits(
            body_bytes=api.max_body_bytes,
            requests_per_second=api.requests_per_second,
            burst_requests=api.burst_requests,
            items_per_second=api.transactions_per_second,
            running_requests=api.max_connections,
        ),
        explorer=api.explorer,
        docs=api.docs,
        cors_origins=api.cors_origins,
    )
