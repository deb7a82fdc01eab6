// Keeps the store true: snapshots over REST first, then events as they come, and after each block
// a reading of what it changed. While no block comes it asks the node why.

import { get, meet } from "./api.js";
import { setRounds, setTrades, takeRating, takeTrade } from "./deals.js";
import { colourValidators } from "./links.js";
import { loadSeats } from "./seats.js";
import { BLOCKS_KEPT, changed, ROUNDS_KEPT, store, tip, TRADES_KEPT } from "./store.js";
import { listen, readShared } from "./stream.js";

const REFRESH_MS = 450; // at most this often, however fast blocks come

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
    if (store.status && store.status.genesis_hash !== data.genesis_hash) location.reload(); // another chain
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
  trades: () => load("trades", `trades?limit=${TRADES_KEPT}`, ({ data }) => setTrades(data)),
  rounds: () => load("trades", `rounds?limit=${ROUNDS_KEPT}`, ({ data }) => setRounds(data)),
  brokers: () => load("book", "brokers", ({ data }) => {
    data.forEach(meet);
    store.brokers = data;
    if (!data.some((row) => row.address === store.broker)) store.broker = liveliest(data);
  }),
};

/** The broker to show first: one with both sides open in one curve, else the one with most orders. */
function liveliest(brokers) {
  const facing = (row) => (row.tariff.classes?.length ? 0 : Math.min(row.open_bids, row.open_asks));
  const interest = (row) => facing(row) * 1000 + row.open_bids + row.open_asks;
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

let reading = null;

/** Reads the newest blocks; while one reading is under way, more are not begun. */
function readBlocks() {
  reading ??= loaders.blocks().finally(() => { reading = null; });
  return reading;
}

function takeBlock(block) {
  meetBlock(block);
  store.reachable = true;
  if (!store.blocks || block.height <= tip()) return;
  if (block.height !== tip() + 1 && store.blocks.length) {
    readBlocks();
    return;
  }
  store.blocks = [block, ...store.blocks].slice(0, BLOCKS_KEPT);
  store.arrivedAt = performance.now();
  changed("blocks", "chain");
  refreshSoon();
}

function catchUp() {
  readBlocks().then(refreshSoon);
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
    if (answer && !store.brokers) Object.values(loaders).forEach((read) => read());
  });
  loaders.consensus();
}
