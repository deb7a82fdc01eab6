"""Settings of a node: where each comes from, what it may be, and a clear refusal of anything else.

A value comes from, in rising order: its default, the TOML file, the environment
(`TWINCHAIN_SECTION__KEY`), a command line flag.  Unknown sections and keys are refused everywhere.
Only the node's own affairs are set here; what all nodes must agree on is in the genesis file.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

ENVIRONMENT_PREFIX = "TWINCHAIN_"
CLIENT_VARIABLES = frozenset({"TWINCHAIN_NODE"})
"""Read by commands that ask a node; none of them is a setting, though `node` is a section."""
EXIT_CONFIG = 78
"""`EX_CONFIG` of sysexits.h: tells a supervisor that a restart will not help."""

Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Bytes = Annotated[int, Field(ge=1024, le=2**32)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
PeerAddress = Annotated[
    str, Field(pattern=r"^[0-9a-f]{64}@(https?://)?[A-Za-z0-9._\[\]:-]+:[0-9]{1,5}$")
]


def _words(value: object) -> object:
    """An environment variable gives a list as comma-separated words."""
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


Peers = Annotated[tuple[PeerAddress, ...], NoDecode, BeforeValidator(_words)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]


class ConfigError(Exception):
    """The settings are unusable; the text names each value, where it came from and why."""


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values do not change after start."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeSection(Section):
    """Identity and place of the data."""

    name: str = Field(default="", max_length=64)
    data_dir: Path = Path("data")
    endpoint: str = Field(
        default="",
        max_length=256,
        description="where peers reach this node; default: as in genesis",
    )
    genesis_file: Path = Path("genesis.json")
    signing_key_file: Path = Path("signing.json")
    vrf_key_file: Path = Path("vrf.json")
    password_file: Path = Path("password")


class ApiSection(Section):
    """The public HTTP API; loopback unless told otherwise."""

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""
    docs: bool = True
    explorer: bool = True
    cors_origins: Words = ()
    max_body_bytes: Bytes = 8 * 1024 * 1024
    requests_per_second: Count = Field(default=200, description="per address, reads and writes")
    burst_requests: Count = 400
    transactions_per_second: Count = Field(default=20_000, description="per address")
    max_connections: Count = 1024
    connections_per_address: Count = 256
    header_timeout_s: Seconds = 10.0
    keep_alive_s: Seconds = 30.0


class P2pSection(Section):
    """Talk between nodes.  Without a port of its own it shares the listener of the API."""

    host: str = "127.0.0.1"
    port: Port | None = None
    peers: Peers = Field(
        default=(), description="<account>@host:port; adds observers, overrides genesis endpoints"
    )
    max_connections: Count = 256
    max_frame_bytes: Bytes = 4 * 1024 * 1024
    outbox_frames: Count = 4096
    outbox_bytes: Bytes = 32 * 1024 * 1024
    ping_interval_s: Seconds = 5.0
    ping_timeout_s: Seconds = 15.0
    reconnect_first_s: Seconds = 0.2
    reconnect_cap_s: Seconds = 5.0
    gossip_interval_ms: Annotated[int, Field(ge=1, le=1000)] = 10
    gossip_batch: Annotated[int, Field(ge=1, le=4096)] = 512


class ConsensusSection(Section):
    """How this node takes part; what the protocol is, the genesis says."""

    vote: bool = Field(default=True, description="false: follow and serve, never sign")
    restored: bool = Field(
        default=False, description="data come from a backup: observe until a new height is final"
    )
    stall_blocks: Annotated[int, Field(ge=2, le=1000)] = 5


class MempoolSection(Section):
    """Bounds on what waits for a block, and on what waits to be checked."""

    max_transactions: Count = 20_000
    max_bytes: Bytes = 64 * 1024 * 1024
    max_ahead: Count = Field(default=4096, description="nonces of one account above its next")
    max_idle_blocks: Count = 600
    intake_queue: Count = Field(default=16_384, description="transactions in the signature queue")
    verdict_cache: Count = 200_000
    verify_worker: bool = Field(
        default=True, description="signature checks in a process of its own"
    )


class StorageSection(Section):
    """The database, in node.data_dir."""

    trade_proofs: bool = Field(
        default=True, description="keep what proves each trade; grows with the state"
    )
    history: bool = Field(default=True, description="index the heights an account changed at")


class LogSection(Section):
    """Logs go to stderr; JSON unless it is a terminal."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Settings(BaseSettings):
    """All settings of one node."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
    )

    node: NodeSection = NodeSection()
    api: ApiSection = ApiSection()
    p2p: P2pSection = P2pSection()
    consensus: ConsensusSection = ConsensusSection()
    mempool: MempoolSection = MempoolSection()
    storage: StorageSection = StorageSection()
    log: LogSection = LogSection()

    @field_validator("p2p")
    @classmethod
    def _peers_are_distinct(cls, section: P2pSection) -> P2pSection:
        accounts = [peer.split("@", 1)[0] for peer in section.peers]
        if len(set(accounts)) != len(accounts):
            raise ValueError("peers names one account twice")
        return section

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the library's signature)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` merged: it keeps the origin of every value."""
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings with the origin of each: dotted key -> "default" | "file P" | "env N" | "flag"."""

    settings: Settings
    origins: Mapping[str, str]


class _Environment(EnvSettingsSource):
    """The environment source over a mapping that is given, not looked up."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._given = {
            key.lower(): value
            for key, value in environment.items()
            if key.upper() not in CLIENT_VARIABLES
        }
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return dict(self._given)


def load(file: Path) -> Settings:
    """Settings from one file and the environment.  Raises ConfigError."""
    return load_settings(file).settings


def load_settings(
    file: Path | None,
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> LoadedSettings:
    """Merge file, environment and flags (dotted keys, "api.port": 8081).  Raises ConfigError.

    Relative paths of the file and of the defaults are relative to the file's directory, those of
    the environment and of flags to the current one.  A flag that is None counts as not given.
    """
    environment = os.environ if environment is None else environment
    _refuse_unknown_sections(environment)
    origins: dict[str, str] = {}
    merged: dict[str, dict[str, object]] = {}
    try:
        layers = [
            (f"file {file}", _read_toml(file)),
            ("env", _flatten(_Environment(environment)())),
            ("flag", {key: value for key, value in (flags or {}).items() if value is not None}),
        ]
        for origin, values in layers:
            for key, value in values.items():
                section, _, name = key.partition(".")
                merged.setdefault(section, {})[name] = value
                origins[key] = f"env {_variable(key)}" if origin == "env" else origin
        settings = Settings.model_validate(InitSettingsSource(Settings, merged)())
    except ValidationError as error:
        raise ConfigError(_explain(error, origins)) from None
    except SettingsError as error:
        raise ConfigError(str(error)) from None
    keys = _flatten(settings.model_dump())
    origins = {key: origins.get(key, "default") for key in keys}
    return LoadedSettings(_anchor(settings, origins, file), origins)


def _read_toml(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    if not file.is_file():
        raise ConfigError(f"no configuration file at {file}")
    try:
        return _flatten(TomlConfigSettingsSource(Settings, toml_file=file)())
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}") from None


def _flatten(sections: Mapping[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for section, values in sections.items():
        if not isinstance(values, Mapping):
            raise ConfigError(f"{section}: belongs into a section such as [node]")
        for key, value in values.items():
            flat[f"{section}.{key}"] = value
    return flat


def _variable(key: str) -> str:
    return ENVIRONMENT_PREFIX + key.upper().replace(".", "__")


def _refuse_unknown_sections(environment: Mapping[str, str]) -> None:
    """A misspelt section would otherwise be ignored in silence."""
    for variable in environment:
        upper = variable.upper()
        if not upper.startswith(ENVIRONMENT_PREFIX) or upper in CLIENT_VARIABLES:
            continue
        section, setting, _ = upper[len(ENVIRONMENT_PREFIX) :].lower().partition("__")
        if setting and section not in Settings.model_fields:
            raise ConfigError(f"{section} (env {variable}): unknown section")
        if not setting and section in Settings.model_fields:
            raise ConfigError(f"env {variable}: names a section; a setting is {variable}__KEY")


def _anchor(settings: Settings, origins: Mapping[str, str], file: Path | None) -> Settings:
    """Make paths of the file and of the defaults relative to the file's directory."""
    if file is None:
        return settings
    changed: dict[str, Section] = {}
    for name in Settings.model_fields:
        section: Section = getattr(settings, name)
        paths = {
            key: file.parent / value
            for key, value in section
            if isinstance(value, Path) and not origins[f"{name}.{key}"].startswith(("env", "flag"))
        }
        changed[name] = section.model_copy(update=paths)
    return settings.model_copy(update=changed)


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"][:2])
        origin = origins.get(key) or next(
            (origin for name, origin in origins.items() if name.startswith(f"{key}.")), "default"
        )
        reason = "unknown setting" if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"{key} ({origin}): {reason}")
    return "\n".join(lines)
