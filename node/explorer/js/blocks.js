// The strip of newest blocks: who wrote each, whether it was V* or a backup, who was voted out,
// and what is inside. In front stands the block under way with whose turn it is.

import { el, keyed, mark, panel, put, say, empty } from "./dom.js";
import { count, plural } from "./format.js";
import { hueOf, role, who } from "./links.js";
import { nowMs, store, tip, watch } from "./store.js";

const SHOWN = 24;
const MOST_VOTED_OUT = 2;
const STEP_MS = 100;

function votedOut(block) {
  return block.leaders.filter((leader) => leader.outcome === "skipped" || leader.outcome === "missed");
}

function builtAs(block) {
  return block.leaders.find((leader) => leader.outcome === "built")?.role ?? "";
}

function describe(block) {
  const out = votedOut(block).map((leader) => leader.name || leader.address.slice(0, 8));
  const turn = builtAs(block) === "V*" ? "first in the order" : "as a backup";
  const skipped = out.length ? `, after ${out.join(", ")} was voted out` : "";
  return `Block ${block.height} by ${block.builder.name || block.builder.address.slice(0, 8)}, ${turn}${skipped}, `
    + `${plural(block.transactions, "transaction")}, ${plural(block.trades, "trade")}`;
}

function tile(block) {
  const out = votedOut(block);
  const backup = block.view > 1;
  const builtRole = builtAs(block);
  return el(
    "li", { class: `tile ${hueOf(block.builder.address)}${backup ? " backup" : ""}`, "data-testid": "block", "data-height": block.height, "data-view": block.view },
    el(
      "a", { href: `#/block/${block.height}`, "aria-label": describe(block) },
      el("span", { class: "top" }, el("b", { class: "num", text: count(block.height) }), builtRole && role(builtRole)),
      who(block.builder.address, { plain: true }),
      el("span", { class: "inside num" },
        el("span", { class: block.transactions ? "" : "none", text: plural(block.transactions, "tx", "txs") }),
        el("span", { class: block.trades ? "trades" : "none", text: plural(block.trades, "trade") })),
      out.length > 0 && el("span", { class: "out", "data-testid": "voted-out" },
        out.slice(0, MOST_VOTED_OUT).map((leader) => el("span", { text: `${leader.name || leader.address.slice(0, 8)} voted out` })),
        out.length > MOST_VOTED_OUT && el("span", { text: `and ${out.length - MOST_VOTED_OUT} more` })),
    ),
  );
}

function nextTile() {
  const height = el("b", { class: "num" });
  const place = el("span", { class: "place" });
  const leader = el("span", { class: "leader" });
  const bar = el("span", { class: "fill" });
  const note = el("span", { class: "note num" });
  const node = el(
    "div", { class: "tile next", "data-testid": "next-block" },
    el("span", { class: "top" }, height, place), leader,
    el("span", { class: "progress", "aria-hidden": "true" }, bar), note,
  );
  let shown = "";
  const update = () => {
    if (!store.blocks || !store.validators) return;
    const coming = tip() + 1;
    if (store.electing < coming && node.dataset.ready) {
      say(height, count(coming)); // whose turn it is comes with the next answer
      node.classList.add("stale");
      return;
    }
    node.dataset.ready = "1";
    const consensus = store.consensus?.height === coming ? store.consensus : null;
    const view = consensus?.view ?? 1;
    const order = [...store.validators].sort((one, two) => one.position - two.position);
    const chosen = order[(view - 1) % order.length];
    say(height, count(coming));
    const key = `${coming}/${view}/${chosen?.address}`;
    if (chosen && key !== shown) {
      shown = key;
      put(place, role(chosen.role));
      put(leader, who(chosen.address, { plain: true }));
    }
    mark(node, "class", `tile next ${chosen ? hueOf(chosen.address) : ""}${view > 1 ? " backup" : ""}`);
    const waiting = store.status?.mempool.transactions ?? 0;
    say(note, view > 1 ? `attempt ${view}` : `${plural(waiting, "tx", "txs")} waiting`);
  };
  const move = () => {
    if (document.hidden || !store.blocks?.length || !store.status) return;
    const done = (nowMs() - store.blocks[0].time_ms) / store.status.block_time_ms;
    bar.style.transform = `scaleX(${Math.max(0, Math.min(1, done)).toFixed(3)})`;
    setTimeout(move, STEP_MS);
  };
  setInterval(() => { if (!node.dataset.moving && !document.hidden) { node.dataset.moving = "1"; move(); } }, 500);
  document.addEventListener("visibilitychange", () => { delete node.dataset.moving; });
  return { node, update };
}

export function mountBlocks(root) {
  const { card, aside, body } = panel("Newest blocks", "blocks");
  const strip = el("ol", { class: "strip", "aria-label": "Newest blocks, newest first" });
  const next = nextTile();
  const row = el("div", { class: "strip-row", tabindex: "0", role: "group", "aria-label": "Blocks; scroll sideways for older ones" }, next.node, strip);
  body.append(row);
  root.append(card);
  const known = new Map();
  let colours = "";
  watch(["blocks", "validators", "chain"], () => {
    next.update();
    if (!store.blocks) return;
    const wanted = (store.validators ?? []).map((each) => each.address).join();
    if (wanted !== colours) { // colours came after the first blocks
      colours = wanted;
      known.clear();
      put(strip);
    }
    const first = known.size === 0;
    keyed(strip, known, store.blocks.slice(0, SHOWN), (block) => block.height, tile);
    if (!first) strip.firstChild?.classList.add("fresh");
    const backups = store.blocks.filter((block) => block.view > 1).length;
    put(aside, backups
      ? el("span", { class: "warn", text: `${plural(backups, "vote-out")} in the last ${store.blocks.length} blocks` })
      : `All of the last ${store.blocks.length} by `, backups ? null : role("V*"));
    if (!store.blocks.length && !strip.firstChild) put(strip, el("li", { class: "wide" }, empty("No block yet", "The first appears when enough validators are up.")));
  });
}

