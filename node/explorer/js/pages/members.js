// Who belongs to the chain: members and their seats, who wants in, what is being decided, and what
// the next boundary will change. Kept true while it is shown.

import { get } from "../api.js";
import { el, keyed, mark, put, say } from "../dom.js";
import { basis, count, plural, span, tokens } from "../format.js";
import { changeWords } from "../governance.js";
import { hueOf, toBlock, who } from "../links.js";
import { facts, heading, json, none, right, rowOf, section, table, tabs } from "../parts.js";
import { eventRow } from "../sentences.js";
import { store, tip } from "../store.js";

const LOOK_MS = 1000;
const STATUS = { active: "good", admitted: "accent", applied: "accent", jailed: "warn", left: "", ejected: "bad" };
const PATHS = {
  members: "members?limit=200", next: "validator-sets/next", applications: "applications?limit=200", open: "proposals?limit=200",
  decided: "proposals?status=decided&limit=20", sets: "validator-sets?limit=20", told: "membership?limit=50",
};

export function statusTag(status) {
  return el("span", { class: `tag ${STATUS[status] ?? ""}`, "data-testid": "standing", text: status });
}

export function toMember(row) {
  const hue = hueOf(row.address);
  return el("a", { class: "who", href: `#/member/${row.address}`, title: row.address }, hue && el("span", { class: `dot ${hue}`, "aria-hidden": "true" }), el("span", { class: "name", text: row.name }));
}

/** "yes", "until #400", "from #400" or "none". */
export function seatWords(row) {
  if (row.seated) return row.seat_until ? `until #${count(row.seat_until)}` : row.status === "active" ? "yes" : "yes, without weight";
  return row.seat_from ? `from #${count(row.seat_from)}` : "none";
}

function changes(next) {
  const later = `#${count(next.boundary + next.boundary_blocks)}`;
  const groups = [
    ["joining", "Win a seat there"], ["leaving", "Lose their seat there"],
    ["staying", "Keep a seat though not active, without weight (four must stay, and no more than the set can bear go at once)"],
    ["announced", `Active since the last boundary, so their seat comes one later, at block ${later}`],
  ].filter(([name]) => next[name].length);
  if (!groups.length) return el("p", { class: "body hint", "data-testid": "no-change", text: "Nobody comes or goes there, as things stand." });
  return facts(groups.map(([name, text]) => [text, el("span", { "data-testid": `boundary-${name}` }, next[name].flatMap((address) => [who(address), " "]))]));
}

/** The card about the set that votes, and the countdown to the next boundary. */
function boundaryCard() {
  const place = el("div");
  const words = el("span", { "data-testid": "countdown" });
  const fill = el("span", { class: "fill" });
  const bar = el("span", { class: "progress", "aria-hidden": "true" }, fill);
  const numbers = el("div");
  const card = section("Voting set", numbers, el("p", { class: "body" }, words, bar), place);
  let shown = "";
  return { card, update: (next) => {
    const left = Math.max(0, next.boundary - 1 - Math.max(tip(), next.height));
    const pace = store.status?.block_time_ms ?? 1000;
    say(words, left ? `Next boundary: block #${count(next.boundary)}, decided in ${plural(left, "block")}, about ${span(left * pace)}.` : `Block #${count(next.boundary)} begins.`);
    fill.style.transform = `scaleX(${1 - left / next.boundary_blocks})`;
    const key = JSON.stringify([next.current, next.boundary, next.joining, next.leaving, next.staying, next.announced]);
    if (key === shown) return;
    shown = key;
    const { size, faulty, quorum, first } = next.current;
    put(numbers, facts([["Seats", count(size)], ["Signatures that make a block final", count(quorum)], ["Faulty ones it bears", count(faulty)], ["Voting since", first ? toBlock(first) : "genesis"], ["Seats after the boundary", count(next.size_after)]]));
    put(place, changes(next));
  } };
}

const COLUMNS = ["Member", "Status", "Seat", "Stake", "Satisfaction", "Votes", "Missed", "Built", "Last live"];

function memberRow(row) {
  const state = el("td", { "data-label": COLUMNS[1] });
  const cells = COLUMNS.slice(2).map((label, index) => el("td", { class: index ? "right num" : "", "data-label": label, "data-testid": `m-${label.toLowerCase().split(" ")[0]}` }));
  const node = el("tr", { "data-testid": "member", "data-name": row.name }, el("th", { scope: "row" }, toMember(row)), state, cells);
  node.update = (now) => {
    mark(node, "data-status", now.status);
    if (state.textContent !== now.status) put(state, statusTag(now.status));
    [seatWords(now), tokens(now.stake_micro, 0), basis(now.satisfaction_bp), now.votes_due ? `${count(Math.min(now.votes_seen, now.votes_due))} of ${count(now.votes_due)}` : "–", count(now.turns_missed), count(now.blocks_built), now.last_live ? `#${count(now.last_live)}` : "–"].forEach((text, index) => say(cells[index], text));
  };
  return node;
}

function memberTable() {
  const rows = el("tbody");
  const known = new Map();
  const head = el("tr", {}, COLUMNS.map((text, index) => el("th", { scope: "col", class: index > 2 ? "right" : "", text })));
  const card = section("Members", el("table", { class: "validators-table stack", "data-testid": "members" }, el("thead", {}, head), rows), el("p", { class: "key hint", text: "Votes and missed turns count since the last boundary. Stake of who is gone is free again some blocks after the seat." }));
  const order = { active: 0, jailed: 1, admitted: 2, left: 3, ejected: 4 };
  return { card, update: (members) => {
    const sorted = [...members].sort((one, two) => order[one.status] - order[two.status] || one.name.localeCompare(two.name, "en", { numeric: true }));
    keyed(rows, known, sorted, (row) => row.address, memberRow, (node, row) => node.update(row));
  } };
}

/** A card whose content is made anew only when what it shows has changed. */
function steady(title, testid, draw) {
  const place = el("div", { "data-testid": testid });
  let shown = "";
  return { card: section(title, place), update: (value) => {
    const key = JSON.stringify(value);
    if (key !== shown) put(place, draw(value));
    shown = key;
  } };
}

const applicants = (rows) => (rows.length ? table(["Name", "Address", "Endpoint", ">Resource", ">Until block", "Proposed"], rows.map((row) => rowOf(row.name, toMember({ ...row, name: `${row.address.slice(0, 10)}…` }), el("span", { class: "mono", text: row.endpoint }), right(count(row.comprehensive_resource)), right(count(row.expires)), row.proposal ? "yes" : "not yet"))) : none("Nobody waits to be admitted."));

const listed = (addresses) => addresses.flatMap((address, index) => [index ? ", " : "", who(address)]);

const openRows = (rows) => (rows.length ? table(["Proposal", "Approved by", ">Counts", "Missing", ">Until block"], rows.map((row) => rowOf([who(row.proposer), " proposes ", changeWords(row.change)], listed(row.approvals), right(`${row.counted} of ${row.needed}`), listed(row.missing), right(count(row.expires))))) : none("Nothing is being decided."));

const decidedRows = (rows) => (rows.length ? table(["Block", "", "What", "Approved by"], rows.map((row) => rowOf(toBlock(row.decided), el("span", { class: `tag ${row.status === "carried" ? "good" : ""}`, text: row.status }), changeWords(row.change), listed(row.approvals)))) : none("Nothing has been decided yet."));

const setRows = (rows) => table(["From block", ">Seats", "Came", "Went", "Who votes"], rows.map((row) => rowOf(row.first <= tip() ? toBlock(row.first) : `#${count(row.first)}`, right(count(row.size)), listed(row.joined), listed(row.left), listed(row.addresses))));

const toldRows = (rows) => (rows.length ? el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "History" }, el("table", { class: "events" }, el("tbody", {}, rows.map(eventRow)))) : none("Nothing has happened since the genesis."));

export async function membersPage(root, { query, alive, onLeave }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const read = async () => Object.fromEntries(await Promise.all(Object.entries(PATHS).map(async ([name, path]) => [name, (await get(path)).data])));
  let found = await read();
  if (!alive()) return;
  document.title = "Members – TwinChain";
  const views = {
    next: boundaryCard(), members: memberTable(), applications: steady("Applicants", "applicants", applicants),
    open: steady("Being decided", "open-proposals", openRows), decided: steady("Decided", "decided-proposals", decidedRows),
    sets: steady("Voting sets", "sets", setRows), told: steady("What happened", "told", toldRows),
  };
  const update = () => Object.entries(views).forEach(([name, view]) => view.update(found[name]));
  update();
  const pages = [
    ["Members", () => [views.next.card, views.members.card, views.applications.card]],
    ["Proposals", () => [views.open.card, views.decided.card]], ["Sets", () => [views.next.card, views.sets.card]],
    ["History", () => views.told.card], ["Raw JSON", () => json(found)],
  ];
  const wanted = pages.findIndex(([name]) => name.toLowerCase() === query.get("tab"));
  const shown = tabs(pages);
  put(root, heading("Membership", "Who belongs to this chain", "members", "DT servers that the members admitted. Those with a seat build blocks and vote; seats change only at boundaries."), shown);
  if (wanted > 0) shown.querySelectorAll("[role=tab]")[wanted].click();
  let at = tip();
  const timer = setInterval(async () => {
    if (document.hidden || !alive() || tip() === at) return;
    at = tip();
    try {
      found = await read();
      if (alive()) update();
    } catch {
      views.next.update(found.next); // the next look may reach the node again
    }
  }, LOOK_MS);
  onLeave(() => clearInterval(timer));
}
