"""Numbers people type, as exact integers: tokens to micro-tokens, shares to parts per million."""

from node.cli.exits import ExitCode, fail

SIX_DIGITS = 6
WHOLE_DIGITS = 18


def micro(text: str, what: str) -> int:
    """`2.5` -> 2500000.  Ends the command with exit 2 for anything that is not such a number."""
    whole, _, fraction = text.replace("_", "").partition(".")
    if not is_whole(whole or "0") or not is_whole(fraction or "0") or not (whole or fraction):
        fail(ExitCode.USAGE, f"{what}: {text!r} is not a number such as 5 or 0.25")
    if len(fraction) > SIX_DIGITS:
        fail(ExitCode.USAGE, f"{what}: {text!r} has more than six digits after the point")
    scale: int = 10**SIX_DIGITS
    return int(whole or "0") * scale + int(fraction.ljust(SIX_DIGITS, "0") or "0")


def is_whole(text: str) -> bool:
    """Whether a text is decimal digits, at most 18: `str.isdigit` alone takes `²` as well."""
    return text.isascii() and text.isdigit() and len(text) <= WHOLE_DIGITS


def milli(text: str, what: str) -> int:
    """`1.5` -> 1500, with the same refusals."""
    value = micro(text, what)
    if value % 1000:
        fail(ExitCode.USAGE, f"{what}: {text!r} has more than three digits after the point")
    return value // 1000


def named_micro(text: str, names: tuple[str, ...], what: str) -> dict[str, int]:
    """`r=0.3,d=0.2` -> {"r": 300000, "d": 200000}; exactly `names`, in any order."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or name.strip() not in names or name.strip() in found:
            fail(ExitCode.USAGE, f"{what}: needs {','.join(f'{one}=NUMBER' for one in names)}")
        found[name.strip()] = micro(value.strip(), f"{what} {name.strip()}")
    if len(found) != len(names):
        fail(ExitCode.USAGE, f"{what}: needs {','.join(f'{one}=NUMBER' for one in names)}")
    return found


def three(text: str, what: str) -> tuple[int, int, int]:
    """`20000,40000,10000` -> the three integers."""
    parts = text.split(",")
    if len(parts) != 3 or not all(is_whole(part.strip()) for part in parts):
        fail(ExitCode.USAGE, f"{what}: needs three integers such as 20000,40000,10000")
    first, second, third = (int(part) for part in parts)
    return first, second, third
