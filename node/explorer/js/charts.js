// SVG charts drawn from data: supply and demand as steps, price and volume per round.
// Positions are floating point, labels are made from the integers.

import { put, svg } from "./dom.js";
import { count, plural, tokens } from "./format.js";

const FONT = 11;

/** A round step so that about `parts` steps reach `most`. */
export function niceStep(most, parts) {
  const rough = Math.max(most, 1) / parts;
  const power = 10 ** Math.floor(Math.log10(rough));
  const digit = [1, 2, 5, 10].find((each) => each * power >= rough) ?? 10;
  return digit * power;
}

function ticks(most, parts, least = 0) {
  const step = niceStep(most, parts);
  const found = [];
  for (let value = least; value <= most * 1.0001; value += step) found.push(value);
  return found;
}

export function frame(place, height, label) {
  const width = Math.max(260, place.clientWidth || 480);
  const drawing = svg("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  return { drawing, width };
}

export function text(x, y, words, anchor = "start", kind = "axis") {
  return svg("text", { x, y, class: kind, "text-anchor": anchor, "font-size": FONT, text: words });
}

function wholeTokens(micro) {
  return tokens(Math.round(micro), micro < 10e6 && micro > 0 ? 1 : 0);
}

/** Steps (price, orders up to and including it) as a line from the left. */
function stepPath(steps, x, y) {
  let path = "";
  let before = 0;
  for (const { price_micro: price, orders } of steps) {
    path += `${path ? "L" : "M"}${x(before).toFixed(1)} ${y(price).toFixed(1)}H${x(orders).toFixed(1)}`;
    before = orders;
  }
  return path;
}

/**
 * Demand falls, supply rises; where they cross, that many pairs could trade. `band` {low, high, mean}
 * are the prices a round traded at, told by `words` where there is no mean.
 */
export function drawDepth(place, depth, band = null) {
  const { demand, supply, crossing } = depth;
  const orders = Math.max(demand.at(-1)?.orders ?? 0, supply.at(-1)?.orders ?? 0, 1);
  const top = Math.max(...demand.map((each) => each.price_micro), ...supply.map((each) => each.price_micro), 1e6);
  const label = `Supply and demand: ${plural(demand.at(-1)?.orders ?? 0, "bid")}, ${plural(supply.at(-1)?.orders ?? 0, "ask")}`;
  const tall = 216;
  const { drawing, width } = frame(place, tall, label);
  const left = 44;
  const bottom = tall - 32;
  const x = (value) => left + (value / orders) * (width - left - 10);
  const y = (value) => bottom - (value / (top * 1.06)) * (bottom - 10);
  for (const value of ticks(top * 1.04, 4)) {
    drawing.append(svg("line", { class: "grid", x1: left, x2: width - 10, y1: y(value), y2: y(value) }));
    drawing.append(text(left - 7, y(value) + 4, wholeTokens(value), "end"));
  }
  for (const value of ticks(orders, Math.min(6, orders)).filter(Number.isInteger)) {
    if (value) drawing.append(text(x(value), bottom + 15, count(value), "middle"));
  }
  drawing.append(text(width - 10, tall - 3, "orders at this price or better", "end"));
  drawing.append(text(left - 7, tall - 3, "tokens", "end"));
  for (const [steps, kind] of [[demand, "demand"], [supply, "supply"]]) {
    const line = stepPath(steps, x, y);
    if (!line) continue;
    const last = steps.at(-1);
    drawing.append(svg("path", { class: `area ${kind}`, d: `${line}V${bottom}H${left}Z` }));
    drawing.append(svg("path", { class: `line ${kind}`, d: line }));
    drawing.append(svg("circle", { class: `end ${kind}`, cx: x(last.orders), cy: y(last.price_micro), r: 3 }));
  }
  if (crossing) {
    drawing.append(svg("line", { class: "crossing", x1: x(crossing), x2: x(crossing), y1: 8, y2: bottom }));
    const side = x(crossing) > width - 70 ? "end" : "start";
    drawing.append(text(x(crossing) + (side === "end" ? -5 : 5), 16, `${crossing} ${crossing === 1 ? "crosses" : "cross"}`, side, "mark"));
  }
  if (band) {
    drawing.append(svg("rect", { class: "prices", x: left, width: width - left - 10, y: y(band.high), height: Math.max(2, y(band.low) - y(band.high)) }));
    drawing.append(text(width - 14, y(band.high) - 4, band.words ? band.words : band.low === band.high ? `traded at ${tokens(band.low)}` : `traded at ${tokens(band.low)} to ${tokens(band.high)}, mean ${tokens(band.mean)}`, "end", "mark"));
  }
  put(place, drawing);
}

/** Money paid as bars, the mean price as a line inside the band of lowest to highest. */
export function drawRounds(place, rounds, tell) {
  const tall = Math.max(250, Math.min(460, place.clientHeight));
  const split = Math.round(tall * 0.6);
  const most = Math.max(...rounds.map((each) => each.paid_micro), 1);
  const high = Math.max(...rounds.map((each) => each.high_micro), 1);
  const label = `Mean price and money paid in ${plural(rounds.length, "round")}; newest mean price ${tokens(rounds.at(-1).price_micro)} tokens`;
  const { drawing, width } = frame(place, tall, label);
  const left = 44;
  const slot = (width - left - 10) / rounds.length;
  const middle = (index) => left + (index + 0.5) * slot;
  const price = (value) => split - 8 - (value / (high * 1.05)) * (split - 26);
  const floor = tall - 24;
  const volume = (value) => (value / most) * (floor - split - 18);
  drawing.append(text(left, 11, "Price, lowest to highest and mean", "start", "title"));
  drawing.append(text(left, split + 10, "Paid by buyers", "start", "title"));
  for (const value of ticks(high * 1.04, 4)) {
    drawing.append(svg("line", { class: "grid", x1: left, x2: width - 10, y1: price(value), y2: price(value) }));
    drawing.append(text(left - 7, price(value) + 4, wholeTokens(value), "end"));
  }
  drawing.append(svg("line", { class: "grid", x1: left, x2: width - 10, y1: floor, y2: floor }));
  drawing.append(text(left - 7, floor - volume(most) + 4, wholeTokens(most), "end"));
  const thick = Math.max(1.5, Math.min(14, slot * 0.62));
  let line = "";
  rounds.forEach((round, index) => {
    const at = middle(index);
    drawing.append(svg("line", { class: "band", "stroke-width": thick, x1: at, x2: at, y1: price(round.high_micro), y2: price(round.low_micro) + 0.5 }));
    drawing.append(svg("rect", { class: "volume", x: at - thick / 2, width: thick, y: floor - volume(round.paid_micro), height: Math.max(1, volume(round.paid_micro)), rx: 1 }));
    line += `${line ? "L" : "M"}${at.toFixed(1)} ${price(round.price_micro).toFixed(1)}`;
  });
  drawing.append(svg("path", { class: "line mean", d: line }));
  if (rounds.length === 1) drawing.append(svg("circle", { class: "end mean", cx: middle(0), cy: price(rounds[0].price_micro), r: 3 }));
  drawing.append(text(left, tall - 6, `#${count(rounds[0].height)}`));
  if (rounds.length > 1) drawing.append(text(width - 10, tall - 6, `#${count(rounds.at(-1).height)}`, "end"));
  const cursor = svg("line", { class: "cursor", y1: 16, y2: floor, visibility: "hidden" });
  drawing.append(cursor);
  drawing.addEventListener("pointermove", (event) => {
    const index = Math.floor((event.clientX - drawing.getBoundingClientRect().left - left) / slot);
    const round = rounds[Math.max(0, Math.min(rounds.length - 1, index))];
    const at = middle(rounds.indexOf(round));
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
    cursor.setAttribute("visibility", "visible");
    tell(round);
  });
  drawing.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    tell(rounds.at(-1));
  });
  put(place, drawing);
}
