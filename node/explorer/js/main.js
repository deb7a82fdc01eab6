// Starts the explorer: the band, the first page, and the router that shows a page for each hash.

import { el, mark, put, say } from "./dom.js";
import { startClock } from "./clock.js";
import { mountBlocks } from "./blocks.js";
import { mountBook } from "./book.js";
import { mountElection } from "./election.js";
import { mountPulse } from "./pulse.js";
import { mountRounds, mountTrades } from "./trades.js";
import { mountSearch } from "./search.js";
import { mountTheme } from "./toggle.js";
import { mountValidators } from "./validators.js";
import { startRouter } from "./router.js";
import { start } from "./feed.js";
import { store, watch } from "./store.js";

function mountHome(root) {
  const places = ["blocks", "election", "book", "validators", "trades", "rounds"].map((name) => el("div", { class: `place-${name}` }));
  put(root, places);
  const mounts = [mountBlocks, mountElection, mountBook, mountValidators, mountTrades, mountRounds];
  mounts.forEach((mount, index) => mount(places[index]));
}

function mountNames() {
  watch(["chain"], () => {
    const status = store.status;
    if (!status) return;
    say(document.getElementById("chain"), status.chain);
    mark(document.getElementById("chain"), "title", `genesis ${status.genesis_hash}`);
    const kind = status.node.validator ? "validator" : "observer";
    say(document.getElementById("served"), `Served by ${status.node.name || status.node.address.slice(0, 10)} (${kind}), TwinChain ${status.version}`);
  });
}

mountTheme(document.getElementById("theme"));
mountPulse(document.getElementById("pulse"));
mountHome(document.getElementById("home"));
mountSearch(document.getElementById("search"));
mountNames();
startRouter(document.getElementById("home"), document.getElementById("page"));
startClock();
document.querySelector("[data-skip]").addEventListener("click", (event) => {
  event.preventDefault(); // the hash belongs to the router
  document.getElementById("main").focus();
});
start();
