// One election: the draw of a height, its seed, the weights and the order that came out.

import { get, meet } from "../api.js";
import { el, put } from "../dom.js";
import { accrued, basis, count, share, tokens } from "../format.js";
import { role, toBlock, who, whole } from "../links.js";
import { facts, heading, json, right, rowOf, section, table, tabs } from "../parts.js";

export async function electionPage(root, { id, alive }) {
  put(root, el("p", { class: "loading", text: "Loading …" }));
  const path = `elections/${encodeURIComponent(id)}`;
  const { data: found } = await get(path);
  if (!alive()) return;
  found.entries.forEach(meet);
  document.title = `Election of block ${count(found.height)} – TwinChain`;
  const rows = [...found.entries].sort((one, two) => one.position - two.position).map((entry) => rowOf(
    role(entry.role), who(entry.address), right(share(entry.chance_ppm)), right(accrued(entry.weight)), right(accrued(entry.tokens)),
    right(basis(entry.satisfaction_bp)), right(tokens(entry.stake_micro, 0)), right(count(entry.resource)),
    entry.consumed ? "had a turn just now" : entry.compliant ? "" : "under the resource threshold"));
  put(root, heading("Election", `Block ${count(found.height)}`, path,
    `Each validator was first with chance P = Tok / Σ Tok (Eq. 2), by the tokens as of block ${count(found.weights_height)}: nobody who knows the seed could still move them.`),
  tabs([
    ["Draw", () => [
      section("Drawn order", table(["Turn", "Validator", ">Chance", ">Weight", ">Tok now", ">Satisfaction", ">Stake", ">Resource", ""], rows)),
      section("Draw", facts([["Block", toBlock(found.height)], ["Weights as of block", toBlock(found.weights_height)], ["Look-back", count(found.lookback)], ["Seed", whole(found.seed)]])),
    ]],
    ["Raw JSON", () => json(found)],
  ]));
}
