"""Where the market keeps what in the state: one function for each key.

Heights inside keys are eight bytes, big-endian, so that what is due at a height stands together and
a block reads only that.  A book, where `<book>` stands, is a broker and the version of its tariff:
orders under different versions never meet.

    order/<order>                      which book and side an open order is in
    book/<broker><side><order>         the open order
    tally/<broker><owner>              open orders of an account in a book
    sides/<broker>                     open orders of a book on each side
    expiry/<height><order>             orders whose last round is that height's
    expiring/<height>                  how many those are
    arrival/<height><order>            orders waiting to be paired with the book
    row/<book><side><order>            an admitted order of a book with pairs, as integers
    edge/<order>                       the pairs an open order keeps
    due/<height><book><bid>            bids with a pair that crosses at that height
    due_late/                          first height of which not every due bid had its round
    vintage/<book>                     open orders under one version of a broker's tariff
    tariff_due/<height><broker>        tariff changes that take effect after that height
    halvings/<book>[<class>]           how often its round is halved, when it was last deferred
    class/<book><class><side><order>   open orders of a class of equal services, with their price
    class_due/<height><book><class>    classes in which something changed before that round
    frozen/<broker>                    suspended brokers with orders still to be closed
    ask_seller/<seller><order>         open asks of a server
    service/<seller>                   what a server has served, been paid and been rated
    committed/<seller>                 resources in open asks and running agreements
    agreement/<agreement>              running, or ended and open to rating
    agreement_due/<height><agreement>  what ends, or falls out of its window, at that height
    agreement_seller/<seller><agreement>  running agreements of a server
    agreement_late/                    first height of which not all that was due is done
"""

HEIGHT_BYTES = 8

VERSION_BYTES = 8
BOOK_BYTES = 32 + VERSION_BYTES

BIDS = b"b"
ASKS = b"a"
"""The two sides of a book, as bytes in a key."""

PRESENT = b"1"
"""Value of a key that says all there is to say."""

ORDER = b"order/"
BOOK = b"book/"
TALLY = b"tally/"
SIDES = b"sides/"
EXPIRY = b"expiry/"
EXPIRING = b"expiring/"
ARRIVAL = b"arrival/"
ROW = b"row/"
EDGE = b"edge/"
DUE = b"due/"
DUE_LATE_KEY = b"due_late/"
"""First height of `due` with a bid left that is due, eight bytes big-endian."""
VINTAGE = b"vintage/"
TARIFF_DUE = b"tariff_due/"
HALVINGS = b"halvings/"
CLASS = b"class/"
CLASS_DUE = b"class_due/"
FROZEN = b"frozen/"
ASK_SELLER = b"ask_seller/"
SERVICE = b"service/"
COMMITTED = b"committed/"
AGREEMENT = b"agreement/"
AGREEMENT_DUE = b"agreement_due/"
AGREEMENT_SELLER = b"agreement_seller/"

LATE_KEY = b"agreement_late/"
"""First height of `agreement_due` with something left to do, eight bytes big-endian."""

DEFERRED_KEY = b"round/deferred"
"""Last height whose builder deferred a book, eight bytes big-endian."""


def height_bytes(height: int) -> bytes:
    """Return a height as it stands in keys and stored values."""
    return height.to_bytes(HEIGHT_BYTES, "big")


def book_key(broker: bytes, version: int) -> bytes:
    """Return a book as it stands in keys: 32 bytes of broker, 8 of tariff version."""
    return broker + version.to_bytes(VERSION_BYTES, "big")


def at_height(table: bytes, height: int) -> bytes:
    """Return the prefix of what a table holds under one height."""
    return table + height_bytes(height)
