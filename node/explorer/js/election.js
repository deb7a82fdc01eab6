// Who writes next: the drawn order of the coming height, with each validator's chance of having
// been first, and the three factors the chance is made of.

import { el, keyed, mark, panel, put, say, empty } from "./dom.js";
import { accrued, basis, count, share, tokens } from "./format.js";
import { hueOf, role, who } from "./links.js";
import { store, watch } from "./store.js";

const SHOWN = 12;

function row(entry) {
  const bar = el("span", { class: "fill" });
  const chance = el("span", { class: "chance num", "data-testid": "chance" });
  const facts = el("span", { class: "facts num" });
  const place = el("span", { class: "place" });
  const node = el(
    "li", { class: `turn ${hueOf(entry.address)}` }, place,
    el("span", { class: "who-cell" }, who(entry.address), facts),
    el("span", { class: "bar-cell" }, el("span", { class: "track", "aria-hidden": "true" }, bar), chance),
  );
  node.update = (found) => {
    if (node.dataset.role !== found.role) {
      node.dataset.role = found.role;
      put(place, role(found.role));
    }
    node.classList.toggle("first", found.position === 0);
    bar.style.transform = `scaleX(${found.chance_ppm / 1e6})`;
    say(chance, share(found.chance_ppm));
    mark(chance, "data-ppm", found.chance_ppm);
    say(facts, found.consumed
      ? "had a turn just now: weight 0"
      : `Tok ${accrued(found.weight)} · s ${basis(found.satisfaction_bp)} · τ ${tokens(found.stake_micro, 0)}`);
    node.classList.toggle("resting", found.chance_ppm === 0);
  };
  return node;
}

export function mountElection(root) {
  const { card, head, aside, body } = panel("Who writes next", "election");
  head.append(el("p", { class: "hint wide" }, "Drawn with chance P", el("sub", { text: "j" }), " = Tok", el("sub", { text: "j" }), " / Σ Tok (Eq. 2). If ", role("V*"), " stays silent, the others vote it out and the next in the order writes."));
  const list = el("ol", { class: "turns", "aria-label": "Drawn order of the next height" });
  const rest = el("p", { class: "hint" });
  body.append(list, rest);
  root.append(card);
  const known = new Map();
  watch(["validators"], () => {
    if (!store.validators) {
      put(list, el("li", { class: "loading", text: store.errors.validators ? store.errors.validators.message : "Loading …" }));
      return;
    }
    if (!known.size) put(list);
    if (!store.validators.length) {
      put(list, el("li", {}, empty("No validator", "The voting set is empty.")));
      return;
    }
    const order = [...store.validators].sort((one, two) => one.position - two.position);
    keyed(list, known, order.slice(0, SHOWN), (each) => each.address, row, (node, each) => node.update(each));
    say(rest, order.length > SHOWN ? `and ${order.length - SHOWN} more in the table below` : "");
    put(aside, "for block ", el("a", { class: "num", href: `#/election/${store.electing}`, text: count(store.electing) }));
  });
}
