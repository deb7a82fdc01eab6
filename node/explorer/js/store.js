// Everything the first page knows, in one place, and who wants to be told when it changes. Views
// subscribe to names of what changed: chain, blocks, validators, trades, book, link. What fills it
// is in feed.js.

export const BLOCKS_KEPT = 60;
export const TRADES_KEPT = 60;
export const ROUNDS_KEPT = 60;
const GATHER_MS = 20;

const watchers = new Map();

export const store = {
  status: null, consensus: null, link: "lost", reachable: true,
  blocks: null, seats: new Map(), validators: null, trades: null, rounds: null, brokers: null,
  depth: null, broker: "", errors: {},
  electing: 0, offsetMs: 0, arrivedAt: 0,
};

/** Calls back after any of these changed; the first time at once when there is something. */
export function watch(names, callback) {
  for (const name of names) {
    if (!watchers.has(name)) watchers.set(name, new Set());
    watchers.get(name).add(callback);
  }
  callback();
}

const due = new Set();

/** Tells who watches these names, once for all that changes within a moment. */
export function changed(...names) {
  if (!due.size) {
    setTimeout(() => {
      const calls = new Set([...due].flatMap((name) => [...(watchers.get(name) ?? [])]));
      due.clear();
      for (const call of calls) call();
    }, GATHER_MS);
  }
  for (const name of names) due.add(name);
}

/** The node's clock, as far as we know it. */
export function nowMs() {
  return Date.now() + store.offsetMs;
}

/** Height of the newest block known here. */
export function tip() {
  return store.blocks?.[0]?.height ?? store.status?.height ?? 0;
}
