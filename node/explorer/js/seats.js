// Which validator sat where in the voting set of each block shown: signatures name seats, not
// addresses, and the set may change between two blocks.

import { get } from "./api.js";
import { BLOCKS_KEPT, changed, store, tip } from "./store.js";

/** The addresses in the voting set of a height, by index; a set seldom changes. */
export function seatsAt(height) {
  let found = null;
  for (const [from, seats] of store.seats) if (from <= height) found = seats;
  return found;
}

/** Reads the voting sets of the blocks shown: equal at both ends means equal in between. */
export async function loadSeats() {
  const newest = tip();
  if (!newest) return;
  const oldest = Math.max(1, newest - BLOCKS_KEPT);
  const seats = new Map();
  const read = async (height) => (await get(`elections/${height}`)).data.entries.map((row) => row.address);
  const same = (one, two) => one.length === two.length && one.every((address, at) => address === two[at]);
  const narrow = async (low, lowSeats, high, highSeats) => {
    if (same(lowSeats, highSeats)) return;
    if (high - low === 1) { seats.set(high, highSeats); return; }
    const middle = low + Math.floor((high - low) / 2);
    const found = await read(middle);
    await narrow(low, lowSeats, middle, found);
    await narrow(middle, found, high, highSeats);
  };
  try {
    const first = await read(oldest);
    seats.set(oldest, first);
    await narrow(oldest, first, newest, await read(newest));
    store.seats = seats;
    changed("validators");
  } catch (error) {
    store.errors.seats = error;
  }
}
