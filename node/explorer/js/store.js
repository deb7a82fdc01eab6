// Everything the first page knows, kept true: snapshots over REST, then events as they come.
// Views subscribe to names of what changed: chain, blocks, validators, trades, book, link.

import { get, learn, meet } from "./api.js";
import { colourValidators } from "./links.js";
import { listen, readShared } from "./stream.js";

export const BLOCKS_KEPT = 60;
export const TRADES_KEPT = 60;
export const ROUNDS_KEPT = 60;
const GATHER_MS = 20;
const REFRESH_MS = 450; // at most this often, however fast blocks come

const watchers = new Map();

export const store = {
  status: null, consensus: null, link: "lost", reachable: true,
  blocks: null, seats: new Map(), validators: null, trades: null, rounds: null, brokers: null,
  depth: null, broker: "", params: null, errors: {},
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
function changed(...names) {
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

async function load(name, path, use) {
  try {
    const answer = await get(path, { by: readShared });
    delete store.errors[name];
    store.reachable = true;
    use(answer);
    changed(name);
    return answer;
  } catch (error) {
    store.errors[name] = error;
    if (error.status === 0) store.reachable = false;
    changed(name, "chain");
    return null;
  }
}

const loaders = {
  status: () => load("chain", "status", ({ data, meta }) => {
    store.status = data;
    if (meta.time_ms) store.offsetMs = meta.time_ms + data.tip_age_ms - Date.now();
  }),
  consensus: () => load("chain", "consensus", ({ data }) => { store.consensus = data; }),
  blocks: () => load("blocks", `blocks?limit=${BLOCKS_KEPT}`, ({ data }) => {
    data.forEach(meetBlock);
    if (!store.blocks || (data[0]?.height ?? 0) >= tip()) store.blocks = data;
    store.arrivedAt = performance.now();
  }),
  validators: () => load("validators", "validators", ({ data, meta }) => {
    if (meta.height + 1 < store.electing) return; // an answer that was overtaken
    data.forEach(meet);
    colourValidators(data.map((row) => row.address));
    store.validators = data;
    store.electing = meta.height + 1;
  }),
  trades: () => load("trades", `trades?limit=${TRADES_KEPT}`, ({ data }) => { store.trades = data; }),
  rounds: () => load("trades", `rounds?limit=${ROUNDS_KEPT}`, ({ data }) => { store.rounds = data; }),
  brokers: () => load("book", "brokers", ({ data }) => {
    data.forEach(meet);
    store.brokers = data;
    if (!data.some((row) => row.address === store.broker)) store.broker = liveliest(data);
  }),
  params: () => load("chain", "params", ({ data }) => { store.params = data; }),
};

/** The broker to show first: one with both sides open, else the one with most orders. */
function liveliest(brokers) {
  const interest = (row) => Math.min(row.open_bids, row.open_asks) * 1000 + row.open_bids + row.open_asks;
  return [...brokers].sort((one, two) => interest(two) - interest(one))[0]?.address ?? "";
}

export async function loadDepth() {
  const wanted = store.broker;
  if (!wanted) return;
  await load("book", `brokers/${wanted}/depth`, ({ data }) => {
    if (wanted === store.broker) store.depth = data;
  });
}

/** Shows the book of another broker. */
export function chooseBroker(address) {
  store.broker = address;
  store.depth = null;
  changed("book");
  loadDepth();
}

function meetBlock(block) {
  meet(block.builder);
  block.leaders.forEach(meet);
}

/** The addresses in the voting set of a height, by index; a set seldom changes. */
export function seatsAt(height) {
  let found = null;
  for (const [from, seats] of store.seats) if (from <= height) found = seats;
  return found;
}

/** Reads the voting sets of the blocks shown: equal at both ends means equal in between. */
async function loadSeats() {
  const newest = tip();
  if (!newest) return;
  const oldest = Math.max(1, newest - BLOCKS_KEPT);
  const seats = new Map();
  const read = async (height) => (await get(`elections/${height}`)).data.entries.map((row) => row.address);
  const same = (one, two) => one.length === two.length && one.every((address, at) => address === two[at]);
  const narrow = async (low, lowSeats, high, highSeats) => {
    if (same(lowSeats, highSeats)) return;
    if (high - low === 1) { seats.set(high, highSeats); return; }
    const middle = low + Math.floor((high - low) / 2);
    const found = await read(middle);
    await narrow(low, lowSeats, middle, found);
    await narrow(middle, found, high, highSeats);
  };
  try {
    const first = await read(oldest);
    seats.set(oldest, first);
    await narrow(oldest, first, newest, await read(newest));
    store.seats = seats;
    changed("validators");
  } catch (error) {
    store.errors.seats = error;
  }
}

let waiting = null;
let refreshedAt = -Infinity;
let refreshedFor = 0;

/** Reads what a new block changes; several blocks in quick succession make one reading. */
function refreshSoon() {
  if (waiting || document.hidden) return;
  const pause = Math.max(0, refreshedAt + REFRESH_MS - performance.now());
  waiting = setTimeout(async () => {
    refreshedAt = performance.now();
    await Promise.all([
      loaders.status(), loaders.consensus(), loaders.validators(), loaders.brokers(), loadDepth(),
    ]);
    waiting = null;
    if (store.status && store.status.height > refreshedFor) refreshedFor = store.status.height;
    if (tip() > refreshedFor) refreshSoon();
  }, pause);
}


function takeBlock(block) {
  meetBlock(block);
  store.reachable = true;
  if (!store.blocks || block.height <= tip()) return;
  if (block.height !== tip() + 1 && store.blocks.length) {
    loaders.blocks();
    return;
  }
  store.blocks = [block, ...store.blocks].slice(0, BLOCKS_KEPT);
  store.arrivedAt = performance.now();
  changed("blocks", "chain");
  refreshSoon();
}

function takeTrade(event) {
  learn(event.names);
  if (!store.trades || event.kind !== "trade.made") return;
  if (store.trades.some((trade) => trade.id === event.id)) return;
  const block = store.blocks?.find((each) => each.height === event.height);
  const trade = { ...event, time_ms: block?.time_ms ?? nowMs(), agreement: {}, fresh: true };
  store.trades = [trade, ...store.trades].slice(0, TRADES_KEPT);
  addToRound(trade);
  changed("trades");
}

/** Adds a trade to the totals of its round. */
function addToRound({ height, time_ms, data }) {
  if (!store.rounds) return;
  const newest = store.rounds[0];
  if (newest && height < newest.height) return;
  const before = newest?.height === height ? newest : {
    height, time_ms, trades: 0, price_sum: 0, paid_micro: 0, received_micro: 0, broker_micro: 0,
    low_micro: data.price_micro, high_micro: data.price_micro,
  };
  const priceSum = (before.price_sum ?? before.price_micro * before.trades) + data.price_micro;
  const trades = before.trades + 1;
  const round = {
    ...before, trades, price_sum: priceSum, price_micro: Math.floor(priceSum / trades),
    low_micro: Math.min(before.low_micro, data.price_micro),
    high_micro: Math.max(before.high_micro, data.price_micro),
    paid_micro: before.paid_micro + data.paid_micro,
    received_micro: before.received_micro + data.received_micro,
    broker_micro: before.broker_micro + data.broker_micro,
  };
  const rest = newest?.height === height ? store.rounds.slice(1) : store.rounds;
  store.rounds = [round, ...rest].slice(0, ROUNDS_KEPT);
}

function takeRating({ data, names }) {
  learn(names);
  const trade = store.trades?.find((each) => each.data.agreement === data.agreement);
  if (!trade) return;
  trade.agreement = { ...trade.agreement, rated: true, rating_bp: data.rating_bp };
  changed("trades");
}

function catchUp() {
  loaders.blocks().then(refreshSoon);
  loaders.trades();
  loaders.rounds();
}

function take({ topic, data }) {
  if (topic === "block") takeBlock(data);
  else if (topic === "trade") takeTrade(data);
  else if (topic === "satisfaction") takeRating(data);
  else if (topic === "validators") loadSeats();
  else if (topic === "gap") catchUp();
}

let settle;
const first = new Promise((resolve) => { settle = resolve; });

/** Resolves once the first snapshot is there, or failed, or takes too long. */
export function ready() {
  return Promise.race([first, new Promise((resolve) => setTimeout(resolve, 2500))]);
}

/** Begins: listen first, then read, so that nothing falls between the two. */
export async function start() {
  listen(take, (state) => {
    const back = state === "live" && store.link === "lost" && store.blocks;
    store.link = state;
    if (back) catchUp();
    changed("link", "chain");
  });
  await Promise.all(Object.values(loaders).map((read) => read()));
  settle();
  await Promise.all([loadDepth(), loadSeats()]);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) catchUp(); });
  setInterval(lookWhileQuiet, 1000);
}

/** While no block comes, ask why: whose turn it is, who is silent. */
function lookWhileQuiet() {
  if (document.hidden) return;
  const target = store.status?.block_time_ms ?? 1000;
  const quiet = performance.now() - store.arrivedAt;
  if (quiet < Math.max(1200, 1.6 * target)) return;
  loaders.status().then((answer) => {
    if (answer && (answer.data.height > tip() || !store.blocks || !store.validators)) catchUp();
    if (answer && !store.params) Object.values(loaders).forEach((read) => read());
  });
  loaders.consensus();
}
