// Numbers and times as people read them. Money is integer micro-tokens and never becomes a
// floating point number on its way to the screen.

const MILLION = 1000000n;

/** 1234567 -> "1,234,567"; takes integers and decimal strings of any length. */
export function count(value) {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Micro-tokens to tokens with `digits` places, rounded towards zero: 56739999 -> "56.73". */
export function tokens(micro, digits = 2) {
  if (micro === null || micro === undefined) return "–";
  const whole = BigInt(micro);
  const size = whole < 0n ? -whole : whole;
  const sign = whole < 0n ? "−" : "";
  const part = String(size % MILLION).padStart(6, "0").slice(0, digits);
  return `${sign}${count(size / MILLION)}${digits ? "." + part : ""}`;
}

/** All digits that matter: 56730000 -> "56.73". */
export function exact(micro) {
  return tokens(micro, 6).replace(/\.?0+$/, "");
}

/** Tok_j is stake in micro-tokens times satisfaction in basis points, summed over blocks. */
export function accrued(units) {
  const whole = BigInt(units ?? 0) / 1000000000n; // tenths of a token-block
  return `${count(whole / 10n)}.${whole % 10n}`;
}

/** Parts per million as a percentage: 236006 -> "23.60 %". */
export function share(ppm) {
  const cents = Math.round(ppm / 100);
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")} %`;
}

/** Basis points as a percentage: 7724 -> "77.24 %". */
export function basis(bp) {
  return share(bp * 100);
}

/** "9982cb88…f02e18" */
export function short(hex, head = 8, tail = 0) {
  if (!hex || hex.length <= head + tail + 1) return hex ?? "";
  return `${hex.slice(0, head)}…${tail ? hex.slice(-tail) : ""}`;
}

/** 1, "trade" -> "1 trade"; 3 -> "3 trades". */
export function plural(number, word, many = `${word}s`) {
  return `${count(number)} ${number === 1 ? word : many}`;
}

/** Milliseconds as "0.50 s", "12 s", "3 min", "2 h", "5 d". */
export function span(ms) {
  if (ms < 10000) return `${(Math.max(0, ms) / 1000).toFixed(ms < 1000 ? 2 : 1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** "just now", "4 s ago" */
export function ago(ms) {
  return ms < 1000 ? "just now" : `${span(Math.floor(ms / 1000) * 1000).replace(".0", "")} ago`;
}

/** "2026-11-23 03:21:15.767 UTC" */
export function utc(timeMs) {
  return new Date(timeMs).toISOString().replace("T", " ").replace("Z", " UTC");
}

const REASONS = {
  ok: "it did what it says",
  insufficient_funds: "the account did not hold enough free money",
  nonce_used: "its number had been used by another transaction",
  expired: "it came after its last height",
  role_not_allowed: "this account may not do that",
  unknown_account: "an account it names is not registered",
};

/** What a result code means, in words; unknown codes are shown as they are. */
export function reason(code) {
  return REASONS[code] ?? code.replaceAll("_", " ");
}
