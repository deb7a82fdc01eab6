// Reads the node's REST interface. Every answer teaches the names of the accounts in it.

import { fetchJson } from "./source.js";

const names = new Map();

/** A refusal or a failure to reach the node; `status` 0 when nothing answered. */
export class ApiError extends Error {
  constructor(status, code, message, hint = "") {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** GETs a path under /v1; returns the whole envelope {data, meta, next_cursor?}. */
export async function get(path, { timeoutMs = 8000, by = fetchJson } = {}) {
  const { status, body } = await by(path, timeoutMs);
  if (status === 0) {
    throw new ApiError(0, "unreachable", "The node does not answer.", "It may be down or restarting.");
  }
  if (status >= 400 || body === null) {
    throw new ApiError(
      status, body?.code ?? "error", body?.detail || body?.title || `The node answered ${status}.`,
      body?.hint ?? "",
    );
  }
  learn(body.meta?.names);
  return body;
}

/** The command that fetches the same from a terminal. */
export function curl(path) {
  return `curl -s '${location.origin}/v1/${path}'`;
}

/** Remembers names by address. */
export function learn(found) {
  for (const [address, name] of Object.entries(found ?? {})) names.set(address, name);
}

/** Remembers the name of a party {address, name}. */
export function meet(party) {
  if (party?.name) names.set(party.address, party.name);
}

/** The name of an account, "" when it has none that we know. */
export function nameOf(address) {
  return names.get(address) ?? "";
}
