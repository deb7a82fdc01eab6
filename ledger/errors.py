"""Why something is refused: one stable code each, and the two exceptions the pure floors raise.

`Rejected` is a verdict: every correct node gives the same one, with the same reason, for the same
bytes on the same state.  `Corrupt` is local: what this node stored no longer reads back, and the
node must stop rather than turn its own trouble into a verdict.  `OSError` and its kin are never
translated into either.

The value of a `Reason` travels: receipts hold it (so it is under the hash of a block) and the API
shows it as `code`.  Members may be added; a value is never changed or reused.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Every stable code used for a refusal."""

    # Bytes
    NOT_CANONICAL = "not_canonical"  # the bytes are not what this value encodes to
    VALIDATION_ERROR = "validation_error"  # a field is missing, unknown, or outside its bounds
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNSUPPORTED_VERSION = "unsupported_version"

    # Envelopes
    INVALID_SIGNATURE = "invalid_signature"
    WRONG_CHAIN = "wrong_chain"
    EXPIRED = "expired"  # the last height it was good for has passed
    NONCE_USED = "nonce_used"  # below the account's next nonce
    NONCE_GAP = "nonce_gap"  # above the account's next nonce
    NONCE_CONFLICT = "nonce_conflict"  # another transaction waits under this nonce
    FEE_NOT_COVERED = "fee_not_covered"  # the free balance does not cover the fee

    # Accounts and money
    UNKNOWN_ACCOUNT = "unknown_account"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    ZERO_AMOUNT = "zero_amount"
    SELF_TRANSFER = "self_transfer"
    UNACCEPTABLE_KEY = "unacceptable_key"  # non-canonical or of low order: nobody could own it
    ROLE_NOT_ALLOWED = "role_not_allowed"
    ALREADY_REGISTERED = "already_registered"
    STAKE_OUT_OF_BOUNDS = "stake_out_of_bounds"
    NO_APPLICATION = "no_application"  # nobody admits who has not applied
    STILL_JAILED = "still_jailed"
    ALREADY_PROPOSED = "already_proposed"
    ALREADY_APPROVED = "already_approved"
    UNKNOWN_PROPOSAL = "unknown_proposal"
    BAD_EVIDENCE = "bad_evidence"  # it convicts nobody, or nobody who was not convicted before
    LIMIT_EXCEEDED = "limit_exceeded"  # a bound of the chain on count or size

    # Blocks
    BLOCK_INVALID = "block_invalid"  # for ever and for everyone
    BAD_ROOT = "bad_root"  # a root in the header is not the root of what it covers
    BAD_CLEARING = "bad_clearing"  # the sealed round does not hold

    # Mempool and API
    MEMPOOL_FULL = "mempool_full"
    RATE_LIMITED = "rate_limited"
    NOT_FOUND = "not_found"
    PRUNED = "pruned"
    NOT_READY = "not_ready"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INTERNAL_ERROR = "internal_error"

    # Market
    ROUND_CLOSED = "round_closed"
    DUPLICATE_ORDER = "duplicate_order"
    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_AGREEMENT = "unknown_agreement"
    UNKNOWN_BROKER = "unknown_broker"
    BROKER_SUSPENDED = "broker_suspended"
    BOOK_CLOSING = "book_closing"  # orders of the suspended broker are still being closed
    INVALID_TARIFF = "invalid_tariff"
    NOT_OWNER = "not_owner"  # only the owner of an order, or the buyer of an agreement
    NOT_COMPLIANT = "not_compliant"  # the server's resources are below the chain's threshold
    WRONG_SIDE = "wrong_side"  # a bid's price for an ask, or the other way round
    UNFIT_FOR_CLASS = "unfit_for_class"  # a book of equal services cannot hold such an order
    ORDER_EXPIRED = "order_expired"  # its last round is not ahead of it
    ORDER_TOO_LONG = "order_too_long"  # it would stay open longer than the chain allows
    EXPIRY_FULL = "expiry_full"  # as many orders as may have their last round at that height
    PRICE_OUT_OF_BOUNDS = "price_out_of_bounds"  # a value, cost or price beyond 2^50 micro
    STEP_TOO_SMALL = "step_too_small"  # its price would take too many rounds to its reservation
    RESOURCES_EXCEEDED = "resources_exceeded"  # more than the server declared
    RATING_CLOSED = "rating_closed"  # not ended yet, rated already, or past the window

    # Consensus
    WRONG_BUILDER = "wrong_builder"  # not the leader of the block's origin view
    BAD_VRF = "bad_vrf"  # the proof behind the block's randomness does not verify
    BAD_COMMITS = "bad_commits"  # last commit, late votes, skips or evidence break a rule


class Rejected(Exception):
    """A refusal every correct node shares: the reason is the code, the detail is for people."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}" if self.detail else self.reason.value


class Corrupt(Exception):
    """Stored data does not read back; the node stops."""


class ProofFailed(Exception):
    """What somebody presented does not prove what it is said to prove.

    `check` is a stable word for what does not hold, `detail` is for people.  Nobody who checks a
    proof may go on with any part of it.
    """

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(check, detail)
        self.check = check
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.check}: {self.detail}"
