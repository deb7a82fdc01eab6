"""Shapes of the answers, for the OpenAPI page and for generated clients.

Routes build plain documents and encode them once; these models describe the same documents and
validate nothing at run time.  A test holds every answer of a real node against them.  Money is in
micro-tokens, shares in parts per million, satisfaction in basis points, time in heights or ms.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["9f" * 32])]
Address = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["3b" * 32])]
Number = Annotated[int, Field(ge=0, le=2**53 - 1)]
Decimal = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*)$", examples=["15500000000"])]
Document = dict[str, Any]
"""A document whose fields are described in docs/api.md and set by the market or the election."""


class Model(BaseModel):
    """Base of all shapes."""

    model_config = ConfigDict(extra="forbid")


class Open(BaseModel):
    """Base of shapes that may carry more fields than are listed."""

    model_config = ConfigDict(extra="allow")


class Meta(Model):
    """The block the answer belongs to."""

    chain: str = Field(examples=["twinchain-local"])
    height: Number
    hash: Digest
    time_ms: Number
    names: dict[str, str] | None = Field(
        default=None, description="Names of the accounts whose address occurs in `data`."
    )


class Reply(Model, Generic[T]):
    """One object."""

    data: T
    meta: Meta


class Page(Model, Generic[T]):
    """One page of a list; `next_cursor` is null on the last."""

    data: list[T]
    next_cursor: str | None
    meta: Meta


class FieldErrorModel(Model):
    """One wrong place."""

    where: str
    message: str


class ProblemModel(Model):
    """A refusal (RFC 9457)."""

    type: str = Field(examples=["/docs#problem-not_found"])
    title: str
    status: int
    code: str = Field(examples=["not_found"], description="Stable; test this, not the text.")
    detail: str
    hint: str
    errors: list[FieldErrorModel] = []
    hash: str = Field("", description="The transaction it is about, for `already_final`.")


class Party(Model):
    """An account with its name, "" when it has none."""

    address: Address
    name: str


class HealthCheck(Model):
    """One check."""

    name: str
    ok: bool
    detail: str


class HealthModel(Model):
    """All checks."""

    status: Literal["ok", "failing"]
    checks: list[HealthCheck]


class NodeModel(Model):
    """Who answers."""

    name: str
    address: str
    validator: bool
    index: int = Field(description="Place in the voting set, -1 for an observer.")


class PeerCount(Model):
    """How many peers."""

    connected: Number
    known: Number


class PeerModel(Model):
    """One peer as seen from here."""

    address: Address
    name: str
    endpoint: str
    connected: bool
    height: Number
    rtt_ms: Number | None


class MempoolCount(Model):
    """What waits."""

    transactions: Number
    bytes: Number


class StatusModel(Model):
    """The node and its chain at one glance."""

    chain: str
    genesis_hash: Digest
    version: str
    node: NodeModel
    height: Number
    hash: Digest
    block_time_ms: Number
    view: Number = Field(description="View of the height under way.")
    peers: PeerCount
    mempool: MempoolCount
    syncing: bool
    tip_age_ms: Number
    state: Literal["validating", "observing", "syncing", "stalled"]
    stalled_on: list[str]
    next_leader: Party | None
    signing: Document = Field(description="What a client needs to sign: tag, chain, genesis hash.")


class Leader(Open):
    """One place in the order of turns of a height."""

    address: Address
    name: str
    role: str = Field(examples=["V*", "V^b_1"])
    outcome: Literal["built", "skipped", "not_needed"]


class BlockSummary(Model):
    """A block in a list."""

    height: Number
    hash: Digest
    parent: Digest
    time_ms: Number
    view: Number
    builder: Party
    leaders: list[Leader] = Field(description="The first turns; all are in the full block.")
    transactions: Number
    trades: Number
    bytes: Number
    signers: Number
    signed: list[Number] = Field(description="Indices of the validators that signed it final.")


class TransactionLine(Open):
    """A transaction in a list."""

    hash: Digest
    types: list[str]
    code: str


class CertificateModel(Open):
    """Who signed the block final."""

    kind: str
    view: Number
    signers: list[Document]


class BlockModel(Open):
    """A whole block."""

    height: Number
    hash: Digest
    parent: Digest
    time_ms: Number
    view: Number
    builder: Party
    leaders: list[Leader]
    transactions: list[TransactionLine]
    certificate: CertificateModel | None
    clearings: Document | None
    skips: list[Document]
    rewards: list[Document]
    events: list[Document]


class SubmittedModel(Open):
    """What became of one submitted transaction at the door; `error` unless it is pending."""

    hash: str
    status: Literal["pending", "final", "rejected"]
    error: ProblemModel | None = None


class TransactionModel(Open):
    """A transaction, wherever it is."""

    hash: Digest
    status: Literal["pending", "final", "unknown"]
    height: Number | None = None
    index: Number | None = None
    code: str | None = Field(default=None, description="`ok`, or why it had no effect.")
    fee_micro: Number | None = None
    envelope: Document | None = None


class AccountModel(Open):
    """An account."""

    address: Address
    name: str
    known: bool
    roles: list[str]
    free_micro: Number
    reserved_micro: Number
    nonce: Number
    next_nonce: Number = Field(description="Nonce for the next transaction, mempool included.")
    member: Document | None = None
    registration: Document | None = None


class ServiceRecordModel(Model):
    """What a DT server has to show of its whole life; all zeros if it never served."""

    served: Number = Field(description="Agreements that ran to their end.")
    cut_short: Number = Field(description="Agreements that ended because it left.")
    paid_micro: Decimal = Field(description="All it was paid.")
    ratings: Number
    rated_micro: Decimal = Field(description="What was paid for the services that were rated.")
    mean_rating_bp: Number = Field(description="Weighted by payment; 0 before any paid rating.")


class ValidatorModel(Open):
    """A member of the voting set."""

    index: Number
    address: Address
    name: str
    stake_micro: Number
    satisfaction_bp: Number
    tokens: Decimal


class MemberModel(Open):
    """A member of the chain, with or without a seat in the voting set."""

    address: Address
    name: str
    status: Literal["applied", "admitted", "active", "jailed", "left", "ejected"]
    seated: bool
    seat_from: Number = Field(0, description="Boundary at which it wins a seat, 0: none in view.")
    seat_until: Number = Field(0, description="Boundary at which it loses its seat, 0: it stays.")
    stake_micro: Number = 0
    satisfaction_bp: Number = 0
    votes_due: Number = Field(0, description="Blocks since the last boundary that may name it.")
    votes_seen: Number = 0
    turns_missed: Number = Field(0, description="Since the last boundary.")


class ValidatorLife(ValidatorModel):
    """A member of the voting set with what it has served."""

    service_record: ServiceRecordModel


class MemberLife(MemberModel):
    """A member with what events tell of it."""

    seat_since: Number = Field(description="First height of its seat, 0 without one.")
    offence: Document | None = None
    history: list[Document]
    service_record: ServiceRecordModel


class ApplicationModel(Open):
    """A wish to become a member."""

    address: Address
    name: str
    endpoint: str
    expires: Number
    proposal: str = Field(description="Id of the open proposal to admit it, or empty.")


class ProposalModel(Open):
    """What the members decide or decided."""

    proposal: Digest
    status: Literal["open", "carried", "expired"]
    change: Document
    approvals: list[Address]
    counted: Number = Field(0, description="Approvals of members active now; open ones only.")
    needed: Number = 0
    missing: list[Address] = []
    decided: Number = Field(0, description="Height at which it was carried or expired.")


class VotingSetModel(Model):
    """Who votes from a height on."""

    first: Number
    size: Number
    addresses: list[Address]
    joined: list[Address]
    left: list[Address]


class NextSetModel(Open):
    """The next boundary, and what it changes as things stand."""

    height: Number
    current: Document
    boundary: Number = Field(description="First height of the next set.")
    boundary_blocks: Number
    blocks_left: Number = Field(description="Blocks until it is decided.")
    expected_ms: Number
    joining: list[Address]
    leaving: list[Address]
    staying: list[Address] = Field(description="Not active, and yet keep a seat without weight.")
    announced: list[Address] = Field(description="Active; a seat at the boundary after.")


class ElectionModel(Open):
    """The draw of one height."""

    height: Number
    seed: Hex
    entries: list[Document]
    order: list[Document]


class SearchHit(Model):
    """One meaning of a search text."""

    kind: Literal["block", "transaction", "order", "agreement", "broker", "account"]
    id: str
    name: str
    route: str


HealthReply = Reply[HealthModel]
_PROBLEM = {"schema": {"$ref": "#/components/schemas/ProblemModel"}}
PROBLEM_CONTENT: dict[str, Any] = {"application/problem+json": _PROBLEM}
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request is refused.", "content": PROBLEM_CONTENT},
    "5XX": {"description": "Not now, or a bug.", "content": PROBLEM_CONTENT},
}
