"""Key files: one 32-byte seed per file, locked by a password, shaped like EIP-2335.

The three modules of that standard are kept, with stronger members: `kdf` is scrypt, `cipher` is
AES-256-GCM, `checksum` is its tag, which also covers kind, name and public key, so that nobody can
swap the labels in clear.  The public key stands in clear: a file can be listed without a password.

A file is created once and never overwritten, always with mode 0600, and synced before the function
returns.  `light` files (scrypt N = 2^14, about 35 ms) are for test networks and bots; full ones
(N = 2^17, about 0.4 s and 128 MiB) for keys that guard something.
"""

import contextlib
import os
import stat
import uuid
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ledger import crypto, vrf

FULL_COST = 2**17
LIGHT_COST = 2**14
# A file that asks for more work than this is refused, not obeyed.
MAX_COST = 2**20
SEED_BYTES = 32
TAG_BYTES = 16
FORMAT_VERSION = 1
MAX_FILE_BYTES = 16_384
MAX_PASSWORD_BYTES = 1024


class KeyFileError(Exception):
    """A key file cannot be used; the message is one line for people and holds no secret."""


class WrongPassword(KeyFileError):
    """The password does not open this file (or the file was altered)."""


class KeyKind(StrEnum):
    """What a seed is for; a validator has one of each, kept apart."""

    SIGNING = "signing"
    VRF = "vrf"


@dataclass(frozen=True, slots=True)
class PublicKeyFile:
    """What a key file says without its password."""

    path: Path
    kind: KeyKind
    name: str
    public_key: str
    light: bool


class _ScryptParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dklen: int
    n: int
    p: int
    r: int
    salt: str


class _Kdf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    function: str
    params: _ScryptParameters
    message: str


class _Checksum(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    function: str
    params: dict[str, str]
    message: str


class _CipherParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    iv: str


class _Cipher(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    function: str
    params: _CipherParameters
    message: str


class _Crypto(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kdf: _Kdf
    checksum: _Checksum
    cipher: _Cipher


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    crypto: _Crypto
    description: str
    kind: KeyKind
    pubkey: str
    uuid: str
    version: int


def new_seed() -> bytes:
    """Return 32 bytes from the operating system's generator."""
    return os.urandom(SEED_BYTES)


def public_key_of(seed: bytes, kind: KeyKind) -> str:
    """Return the 64 lower-case hex characters that stand for this seed in public."""
    if kind is KeyKind.SIGNING:
        return crypto.SigningKey.from_seed(seed).public_key.hex()
    return vrf.public_key(seed).hex()


def write_key_file(
    path: Path,
    seed: bytes,
    password: bytes,
    *,
    kind: KeyKind,
    name: str,
    light: bool = False,
) -> PublicKeyFile:
    """Lock `seed` (32 bytes) into a new file at `path`.

    Raises KeyFileError when the file exists already or cannot be written.
    """
    data = _lock(seed, password, kind, name, light)
    _create(path, data)
    return read_public(path)


def change_password(path: Path, old: bytes, new: bytes, *, light: bool | None = None) -> None:
    """Lock the same seed under `new`, replacing the file in one step.

    `light` None keeps the file's cost.  Raises WrongPassword; the file is untouched then.
    """
    public = read_public(path)
    seed = load_seed(path, old, public.kind)
    cost = public.light if light is None else light
    data = _lock(seed, new, public.kind, public.name, cost)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    _create(temporary, data)
    temporary.replace(path)
    _sync_directory(path.parent)


def read_public(path: Path) -> PublicKeyFile:
    """Read what stands in clear.  Raises KeyFileError for anything that is not a key file."""
    file = _parse(path)
    return PublicKeyFile(
        path=path,
        kind=file.kind,
        name=file.description,
        public_key=file.pubkey,
        light=file.crypto.kdf.params.n < FULL_COST,
    )


def load_seed(path: Path, password: bytes, kind: KeyKind) -> bytes:
    """Return the 32-byte seed in `path`.

    Raises WrongPassword, or KeyFileError when others may read the file, when it holds a key of
    another kind, or when the seed does not belong to the public key in clear.
    """
    file = _parse(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeyFileError(
            f"{path}: others may read this key file (mode {mode:04o}); run: chmod 600 {path}"
        )
    if file.kind is not kind:
        raise KeyFileError(f"{path}: holds a {file.kind} key, a {kind} key is needed")
    seed = _unlock(path, file, password)
    if public_key_of(seed, kind) != file.pubkey:
        raise KeyFileError(f"{path}: the seed does not belong to the public key in the file")
    return seed


def read_password_file(path: Path) -> bytes:
    """Return the password in `path` without its one trailing newline.

    Raises KeyFileError when the file is missing, empty or longer than 1024 bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PASSWORD_BYTES + 3)
    except OSError as problem:
        raise KeyFileError(f"{path}: cannot read the password file: {problem.strerror}") from None
    password = data.removesuffix(b"\n").removesuffix(b"\r")
    if not password:
        raise KeyFileError(f"{path}: the password file is empty")
    if len(password) > MAX_PASSWORD_BYTES:
        raise KeyFileError(f"{path}: the password is longer than {MAX_PASSWORD_BYTES} bytes")
    return password


def write_secret(path: Path, data: bytes) -> None:
    """Create `path` with mode 0600 and these bytes.  Raises KeyFileError when it exists."""
    _create(path, data)


def _derive(password: bytes, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(password)


def _labels(kind: KeyKind, name: str, public_key: str) -> bytes:
    """Bytes the tag covers beside the seed; no field can contain the separator."""
    return b"\0".join((b"twinchain/keyfile/v1", kind.encode(), public_key.encode(), name.encode()))


def _lock(seed: bytes, password: bytes, kind: KeyKind, name: str, light: bool) -> bytes:
    if len(seed) != SEED_BYTES:
        raise KeyFileError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
    if not name.isprintable() or not 1 <= len(name) <= 64:
        raise KeyFileError("a key's name has 1 to 64 printable characters")
    public_key = public_key_of(seed, kind)
    salt, nonce = os.urandom(32), os.urandom(12)
    cost = LIGHT_COST if light else FULL_COST
    sealed = AESGCM(_derive(password, salt, cost)).encrypt(
        nonce, seed, _labels(kind, name, public_key)
    )
    file = _KeyFile(
        crypto=_Crypto(
            kdf=_Kdf("scrypt", _ScryptParameters(32, cost, 1, 8, salt.hex()), ""),
            checksum=_Checksum("aes-256-gcm-tag", {}, sealed[-TAG_BYTES:].hex()),
            cipher=_Cipher(
                "aes-256-gcm", _CipherParameters(nonce.hex()), sealed[:-TAG_BYTES].hex()
            ),
        ),
        description=name,
        kind=kind,
        pubkey=public_key,
        uuid=str(uuid.uuid4()),
        version=FORMAT_VERSION,
    )
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def _unlock(path: Path, file: _KeyFile, password: bytes) -> bytes:
    kdf, cipher = file.crypto.kdf.params, file.crypto.cipher
    try:
        salt, nonce = bytes.fromhex(kdf.salt), bytes.fromhex(cipher.params.iv)
        sealed = bytes.fromhex(cipher.message) + bytes.fromhex(file.crypto.checksum.message)
    except ValueError:
        raise KeyFileError(f"{path}: not a key file: bad hex") from None
    if len(nonce) != 12 or len(sealed) != SEED_BYTES + TAG_BYTES:
        raise KeyFileError(f"{path}: not a key file: a field has the wrong length")
    key = _derive(password, salt, kdf.n)
    try:
        return AESGCM(key).decrypt(nonce, sealed, _labels(file.kind, file.description, file.pubkey))
    except InvalidTag:
        raise WrongPassword(f"{path}: wrong password (or the file was altered)") from None


def _parse(path: Path) -> _KeyFile:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as problem:
        raise KeyFileError(f"{path}: cannot read the key file: {problem.strerror}") from None
    try:
        file = msgspec.json.decode(data, type=_KeyFile)
    except msgspec.DecodeError as problem:
        raise KeyFileError(f"{path}: not a key file: {problem}") from None
    kdf = file.crypto.kdf
    functions = (kdf.function, file.crypto.checksum.function, file.crypto.cipher.function)
    if file.version != FORMAT_VERSION or functions != ("scrypt", "aes-256-gcm-tag", "aes-256-gcm"):
        raise KeyFileError(f"{path}: a key file of another format or version")
    cost = kdf.params.n
    usual = (kdf.params.dklen, kdf.params.r, kdf.params.p) == (32, 8, 1)
    if not usual or cost & (cost - 1) or not LIGHT_COST <= cost <= MAX_COST:
        raise KeyFileError(f"{path}: unusual scrypt parameters are refused")
    return file


def _create(path: Path, data: bytes) -> None:
    """Write a new file in one step: complete under its name or not there at all."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # A hard link, unlike a rename, fails when the name is taken.
        path.hardlink_to(temporary)
        _sync_directory(path.parent)
    except FileExistsError:
        raise KeyFileError(f"{path}: exists already and is never overwritten") from None
    except OSError as problem:
        raise KeyFileError(f"{path}: cannot write: {problem.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
