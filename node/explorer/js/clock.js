// Keeps relative times on the page true, once a second, without touching anything else.

import { ago } from "./format.js";
import { say } from "./dom.js";
import { nowMs } from "./store.js";

export function startClock() {
  setInterval(() => {
    if (document.hidden) return;
    const now = nowMs();
    for (const node of document.querySelectorAll("time[data-time]")) {
      say(node, ago(Math.max(0, now - Number(node.dataset.time))));
    }
  }, 1000);
}
