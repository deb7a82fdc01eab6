// One transaction: where it stands, what it does in plain words, and its decoded body. A pending
// one is followed until it is final.

import { get, learn, meet } from "../api.js";
import { el, put } from "../dom.js";
import { count, plural, reason, short } from "../format.js";
import { money, toBlock, when, who, whole } from "../links.js";
import { facts, heading, json, section, tabs } from "../parts.js";
import { actionSentence } from "../sentences.js";
import { nowMs } from "../store.js";

const WAIT_SECONDS = 20;

function stepper(found) {
  const final = found.status === "final";
  const ok = found.code === "ok";
  const step = (kind, text, note) => el("li", { class: kind, "aria-current": kind === "now" ? "step" : null }, text, note && el("small", {}, note));
  return el("ol", { class: "stepper", "aria-label": "Where it stands", "data-testid": "stepper", "data-status": found.status },
    step("done", "Received", "signature checked"),
    step(final ? "done" : "now", "Waiting", "in the mempool"),
    step(final ? "done" : "", "In a block", final ? ["block ", toBlock(found.height)] : ""),
    step(final ? (ok ? "done" : "failed") : "", final && !ok ? "Failed" : "Final", final ? (ok ? "for ever" : "no effect but its fee") : ""));
}

function sentences(found) {
  const { actions, from } = found.envelope;
  const lines = actions.map((action, index) => el("p", { class: "sentence", "data-testid": "sentence" }, actionSentence(action, from, found.order_ids?.[index], found.height)));
  return el("section", { class: "card" }, el("header", {}, el("h2", { text: actions.length === 1 ? "What it does" : `What its ${actions.length} actions do` })), el("div", { class: "body" }, lines,
    found.code && found.code !== "ok" && el("p", { class: "notice", role: "note", text: `It had no effect: ${reason(found.code)}. The fee was paid all the same.` })));
}

function draw(root, path, { data: found }) {
  meet(found.from);
  const { envelope } = found;
  const kinds = found.types.length === 1 ? found.types[0] : plural(found.types.length, "action");
  put(root,
    heading("Transaction", [short(found.hash, 12, 8)], path, who(envelope.from), `, ${kinds}`, found.height ? [", block ", toBlock(found.height), ", ", when(found.time_ms, nowMs())] : ""),
    section("", stepper(found)),
    tabs([
      ["Summary", () => [sentences(found), section("Facts", facts([
        ["Hash", whole(found.hash)], ["From", who(envelope.from)],
        ["Result", found.code ? el("span", { class: `tag ${found.code === "ok" ? "good" : "bad"}`, text: found.code.replaceAll("_", " ") }) : "not yet"],
        ["Fee", found.fee_micro === undefined ? null : money(found.fee_micro, 6)], ["Nonce of the account", count(envelope.nonce)],
        ["Expires", envelope.expires ? `after block ${count(envelope.expires)}` : "never"], ["Size", `${count(found.bytes)} bytes`],
        found.index === undefined ? null : ["Place in the block", String(found.index)], ["Signature", whole(envelope.sig)],
      ]))]],
      ["Decoded body", () => json(envelope)],
      ["Raw JSON", () => json(found)],
    ]));
}

export async function transactionPage(root, { id, alive }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const path = `txs/${encodeURIComponent(id)}`;
  let answer = await get(path);
  if (!alive()) return;
  document.title = `Transaction ${short(id)} – TwinChain`;
  learn(answer.meta.names);
  draw(root, path, answer);
  if (answer.data.status !== "pending") return;
  follow();

  async function follow() {
    while (alive() && answer.data.status === "pending") {
      try {
        const next = await get(`${path}?wait=final&timeout=${WAIT_SECONDS}`, { timeoutMs: (WAIT_SECONDS + 5) * 1000 });
        if (!alive() || next.data.status === "unknown") return;
        answer = next;
        if (answer.data.status === "final") draw(root, path, answer);
      } catch {
        return; // the page keeps what it showed
      }
    }
  }
}
