// The validators: what they have, how they fare, and a strip of the last 60 blocks for each.

import { el, keyed, mark, panel, put, say, svg } from "./dom.js";
import { accrued, basis, count, share, tokens } from "./format.js";
import { hueOf, who } from "./links.js";
import { seatsAt } from "./seats.js";
import { BLOCKS_KEPT, store, tip, watch } from "./store.js";
import { quietValidators } from "./pulse.js";

const CELL = 5;
const GAP = 1.6;
const TALL = 20;
const HEIGHTS = { built: 20, signed: 13, missing: 4, out: 20, away: 13 };

const COLUMNS = [
  ["Validator", ""], ["Chance", "Chance of the next turn, P_j"], ["Tok now", "Tokens accrued since the last turn, in token-blocks: stake times satisfaction, summed over blocks"],
  ["Satisfaction", "s_j, from ratings of ended agreements"], ["Stake", "Money locked, in tokens"], ["Deposit", "Pledge of a leader, held for a while after its last turn"],
  ["Built", "Blocks built since genesis"], ["Skipped", "Turns lost by a vote-out since genesis"], ["Last live", "Newest block with a vote or block of this validator on chain"],
  [`Last ${BLOCKS_KEPT} blocks`, ""],
];
const NUMERIC = 8;

/**
 * What a validator did at one block: built, signed, out (voted out), away (nothing of it on chain
 * since), or missing: its signature is not among those that made the block final. A quorum is
 * enough, so that alone is no fault.
 */
function deed(block, address, lastLive) {
  if (block.builder.address === address) return "built";
  const leader = block.leaders.find((each) => each.address === address);
  if (leader && (leader.outcome === "skipped" || leader.outcome === "missed")) return "out";
  const seats = seatsAt(block.height);
  if (seats && block.signed.some((index) => seats[index] === address)) return "signed";
  return block.height > lastLive && block.height < tip() - 3 ? "away" : "missing";
}

function uptime() {
  const width = BLOCKS_KEPT * (CELL + GAP);
  const paths = {};
  const drawing = svg("svg", { class: "uptime", viewBox: `0 0 ${width} ${TALL}`, width, height: TALL, role: "img", preserveAspectRatio: "none" });
  const title = svg("title", {});
  drawing.append(title);
  for (const kind of Object.keys(HEIGHTS)) {
    paths[kind] = svg("path", { class: `cell ${kind}` });
    drawing.append(paths[kind]);
  }
  let told = [];
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / box.width) * BLOCKS_KEPT);
    say(title, told[at] ?? "");
  });
  const update = (row) => {
    const shapes = Object.fromEntries(Object.keys(HEIGHTS).map((kind) => [kind, ""]));
    const counts = { built: 0, signed: 0, missing: 0, out: 0, away: 0 };
    const blocks = [...store.blocks].reverse();
    const first = BLOCKS_KEPT - blocks.length;
    told = [];
    blocks.forEach((block, index) => {
      const kind = deed(block, row.address, row.last_live);
      const x = ((first + index) * (CELL + GAP)).toFixed(1);
      shapes[kind] += `M${x} ${TALL - HEIGHTS[kind]}h${CELL}v${HEIGHTS[kind]}h-${CELL}z`;
      counts[kind] += 1;
      told[first + index] = `${count(block.height)}: ${WORDS[kind]}`;
    });
    for (const [kind, shape] of Object.entries(shapes)) mark(paths[kind], "d", shape);
    mark(drawing, "aria-label", `${row.name}, last ${blocks.length} blocks: ${counts.built} built, ${counts.signed} signed, ${counts.missing} without its signature, ${counts.out} voted out, ${counts.away} away`);
    for (const kind of Object.keys(counts)) mark(drawing, `data-${kind}`, counts[kind]);
  };
  return { drawing, update };
}

const WORDS = {
  built: "built it", signed: "signed it", missing: "not among the first signatures", out: "voted out", away: "not heard",
};

function makeRow(found) {
  const strip = uptime();
  const cells = COLUMNS.slice(1, 1 + NUMERIC).map(([label]) => el("td", { class: "num right", "data-label": label }));
  const state = el("span", { class: "states" });
  const node = el(
    "tr", { class: hueOf(found.address), "data-testid": "validator", "data-name": found.name },
    el("th", { scope: "row" }, who(found.address), state), cells,
    el("td", { class: "uptime-cell", "data-label": COLUMNS.at(-1)[0] }, strip.drawing),
  );
  const names = ["chance", "tokens", "satisfaction", "stake", "deposit", "built", "skipped", "last-live"];
  cells.forEach((cell, index) => cell.setAttribute("data-testid", `v-${names[index]}`));
  node.update = (row) => {
    const values = [
      share(row.chance_ppm), accrued(row.tokens), basis(row.satisfaction_bp), tokens(row.stake_micro, 0),
      tokens(row.deposit_micro, 2), count(row.blocks_built), count(row.turns_skipped), count(row.last_live),
    ];
    values.forEach((value, index) => say(cells[index], value));
    mark(cells[0], "data-ppm", row.chance_ppm);
    cells[6].classList.toggle("warn", row.turns_skipped > 0);
    const behind = tip() - row.last_live;
    cells[7].classList.toggle("bad", behind > 10);
    cells[7].title = behind > 0 ? `${count(behind)} blocks ago` : "";
    const words = [];
    if (row.status !== "active") words.push([row.status, "bad"]);
    if (!row.compliant) words.push(["under resources", "warn"]);
    if (quietValidators().includes(row.name)) words.push(["silent", "bad"]);
    if (store.status?.node.address === row.address) words.push(["this node", ""]);
    const key = words.join();
    if (state.dataset.key !== key) {
      state.dataset.key = key;
      put(state, words.map(([text, kind]) => el("span", { class: `tag ${kind}`, text })));
    }
    if (store.blocks) strip.update(row);
  };
  return node;
}

export function mountValidators(root) {
  const { card, aside, body } = panel("Validators", "validators", el("a", { href: "#/members", "data-testid": "all-members", text: "all members" }));
  const rows = el("tbody");
  const heads = COLUMNS.map(([text, title], index) => el("th", { scope: "col", title: title || null, class: index > 0 && index <= NUMERIC ? "right" : "", text }));
  body.append(el("table", { class: "validators-table stack" }, el("thead", {}, el("tr", {}, heads)), rows));
  body.append(el("p", { class: "key hint" },
    el("span", {}, el("i", { class: "swatch built" }), "built"), el("span", {}, el("i", { class: "swatch signed" }), "signed"),
    el("span", {}, el("i", { class: "swatch missing" }), "quorum was full without it"), el("span", {}, el("i", { class: "swatch out" }), "voted out"),
    el("span", {}, el("i", { class: "swatch away" }), "not heard since")));
  root.append(card);
  const known = new Map();
  watch(["validators", "blocks", "chain"], () => {
    if (!store.validators) {
      const text = store.errors.validators?.message ?? "Loading …";
      put(rows, el("tr", {}, el("td", { colspan: COLUMNS.length, class: "loading", text })));
      return;
    }
    if (!known.size) put(rows);
    const byName = [...store.validators].sort((one, two) => one.name.localeCompare(two.name, "en", { numeric: true }));
    keyed(rows, known, byName, (row) => row.address, makeRow, (node, row) => node.update(row));
    const size = byName.length;
    say(aside, `${size} in the voting set, ${size - Math.floor((size - 1) / 3)} signatures make a block final`);
  });
}
