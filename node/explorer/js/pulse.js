// The band under the header: is the chain alive, how fast is it, and if not, whom it waits for.

import { announce, el, mark, put, say } from "./dom.js";
import { count, plural, span } from "./format.js";
import { nowMs, store, tip, watch } from "./store.js";

const FOLLOW_MS = 250;

/** Mean interval of the newest blocks in ms, null while there are too few. */
export function meanInterval(blocks, most = 20) {
  const few = (blocks ?? []).slice(0, most + 1);
  if (few.length < 3) return null;
  return (few[0].time_ms - few.at(-1).time_ms) / (few.length - 1);
}

function list(names) {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** Validators this node does not hear: named silent by its watch, or not connected to it. */
export function quietValidators() {
  const consensus = store.consensus;
  if (!consensus) return [];
  const unheard = consensus.validators.filter((row) => !row.connected).map((row) => row.name);
  return [...new Set([...(consensus.silent ?? []), ...unheard])];
}

function leaderAt(view) {
  const { order, validators } = store.consensus;
  const address = order[(view - 1) % order.length];
  return validators.find((row) => row.address === address)?.name ?? address.slice(0, 8);
}

function waitingFor() {
  const consensus = store.consensus;
  if (!consensus) return "";
  if (consensus.view > 1) {
    const missed = [];
    for (let view = 1; view < consensus.view && view <= consensus.order.length; view += 1) {
      missed.push(leaderAt(view));
    }
    return `${list([...new Set(missed)])} missed the turn; ${leaderAt(consensus.view)} is next`;
  }
  return `waiting for ${leaderAt(1)} to build block ${count(consensus.height)}`;
}

/** The state of the light: {kind: live|slow|stalled|lost|wait, text, why}. */
export function judge() {
  const { status, consensus } = store;
  if (!store.reachable) {
    const last = tip() ? ` Last seen: block ${count(tip())}.` : "";
    return { kind: "lost", text: "Node unreachable", why: `This node does not answer; trying again.${last}` };
  }
  if (!status || !store.blocks) return { kind: "wait", text: "Connecting", why: "" };
  const quiet = quietValidators();
  const idle = Math.min(performance.now() - store.arrivedAt, nowMs() - (store.blocks[0]?.time_ms ?? 0));
  const limit = Math.max(1500, 2.5 * status.block_time_ms);
  if (status.state === "syncing") {
    return { kind: "wait", text: "Syncing", why: `This node is catching up with the chain, at block ${count(tip())}.` };
  }
  if (!tip()) return { kind: "wait", text: "Waiting", why: "No block yet: the chain starts when enough validators are up." };
  if (idle > limit) {
    const quorum = consensus?.quorum;
    const up = consensus ? consensus.validators.length - quiet.length : 0;
    const stuck = status.state === "stalled" || (consensus && up < quorum);
    const silent = quiet.length ? `No sign of ${list(quiet)}` : "";
    const short = stuck && consensus && up < quorum
      ? `: ${up} of ${consensus.validators.length} validators heard, ${quorum} needed` : "";
    const next = up < quorum ? "The chain goes on by itself when enough are back." : `${capital(waitingFor())}.`;
    const why = silent ? `${silent}${short}. ${next}` : next;
    return { kind: stuck ? "stalled" : "slow", text: stuck ? "Stalled" : "Late", why };
  }
  if (quiet.length) return { kind: "live", uneasy: true, text: "Live", why: `No sign of ${list(quiet)}; the others go on.` };
  if (store.link !== "live") return { kind: "live", text: "Live", why: "The event stream is away; asking every two seconds." };
  const size = consensus?.validators.length;
  const why = size > 1 ? `All ${size} validators heard; ${consensus.quorum} signatures make a block final.` : "";
  return { kind: "live", text: "Live", why };
}

function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function figure(label, testid, title) {
  const value = el("dd", { class: "num", "data-testid": testid, text: "–" });
  return { node: el("div", { title }, el("dt", { text: label }), value), value };
}

/** Fills the band and keeps it true. */
export function mountPulse(root) {
  const height = el("span", { class: "height num", "data-testid": "height", text: "–" });
  const light = el("span", { class: "light", "aria-hidden": "true" });
  const text = el("strong", { "data-testid": "state" });
  const why = el("span", { class: "why", "data-testid": "why" });
  const interval = figure("Block time", "block-time", "Mean of the newest 20 intervals, and what the genesis asks for");
  const waiting = figure("Waiting", "mempool", "Transactions in this node's mempool");
  const done = figure("Last 60 blocks", "recent", "Transactions and trades in the newest 60 blocks");
  const peers = figure("Peers", "peers", "Connected peers of this node");
  const status = el("div", { class: "status", "data-testid": "status" }, light, el("div", {}, text, why));
  put(root, el(
    "div", { class: "pulse-in" },
    el("div", { class: "tip" }, el("span", { class: "label", text: "Height" }), height), status,
    el("dl", { class: "figures" }, interval.node, waiting.node, done.node, peers.node),
  ));
  let before = "";
  const follow = () => {
    const found = judge();
    mark(status, "data-kind", found.kind);
    why.classList.toggle("warn", Boolean(found.uneasy));
    document.body.classList.toggle("stale", found.kind === "lost");
    say(text, found.text);
    say(why, found.why);
    if (before && before !== found.kind) announce(`${found.text}. ${found.why}`);
    before = found.kind;
  };
  let beaten = 0;
  const beat = () => { // one beat of the light for each block
    if (beaten === tip()) return;
    beaten = tip();
    light.classList.remove("beat");
    requestAnimationFrame(() => light.classList.add("beat"));
  };
  watch(["chain", "blocks", "link"], () => {
    say(height, tip() ? count(tip()) : "–");
    beat();
    follow();
    if (!store.status) return;
    const mean = meanInterval(store.blocks);
    put(interval.value, mean === null ? "–" : exactSpan(mean), el("span", { class: "aim", text: ` target ${exactSpan(store.status.block_time_ms)}` }));
    say(waiting.value, plural(store.status.mempool.transactions, "tx", "txs"));
    const blocks = store.blocks ?? [];
    const sum = (name) => blocks.reduce((total, block) => total + block[name], 0);
    say(done.value, `${plural(sum("transactions"), "tx", "txs")} · ${plural(sum("trades"), "trade")}`);
    say(peers.value, `${store.status.peers.connected} of ${store.status.peers.known}`);
  });
  setInterval(follow, FOLLOW_MS);
}

function exactSpan(ms) {
  return ms < 10000 ? `${(ms / 1000).toFixed(2)} s` : span(ms);
}
