// From a key's list of terms to rows, in one pass over pieces of the list: a counting sort, whose counts are taken while the
// list is read, and a hash table of the coefficients, as circuits have few different ones. Trusts nothing in the list.

import { TERM } from "./qap";

/** Of a term in a key's list: matrix, row, signal, coefficient. */
const LISTED: usize = 44;
/** Of a term between the two: row in both matrices, signal, coefficient. */
const UNSORTED: usize = 12;

let domain: u32 = 0;
let wires: u32 = 0;
let starts: usize = 0;
let unsorted: usize = 0;
/** Indices plus one of coefficients, found by their bytes; the number of slots is a power of two, mask + 1. */
let table: usize = 0;
let mask: u32 = 0;
let coefficients: usize = 0;
let distinct: u32 = 0;

/** A search gives up here, so that a key with made-up collisions only loses the sharing of its coefficients. */
const PROBES: u32 = 32;

/**
 * Starts a list. `startsAt`: 2 n + 2 words, cleared here; `unsortedAt`: 12 bytes a term. Row i of A has place i, that of B
 * n + i. Coefficient 0 is 0.
 */
export function openTerms(n: u32, wireCount: u32, startsAt: usize, unsortedAt: usize): void {
  domain = n;
  wires = wireCount;
  starts = startsAt;
  unsorted = unsortedAt;
  distinct = 0;
  memory.fill(startsAt, 0, (2 * <usize>n + 2) * 4);
}

/** Gives room for half as many coefficients as slots: `tableAt` has 4 bytes a slot, `coefficientsAt` 16. Moves what is there. */
export function growTerms(tableAt: usize, slots: u32, coefficientsAt: usize): void {
  memory.fill(tableAt, 0, <usize>slots * 4);
  memory.copy(coefficientsAt, coefficients, <usize>distinct * 32);
  table = tableAt;
  mask = slots - 1;
  coefficients = coefficientsAt;
  if (distinct === 0) {
    memory.fill(coefficientsAt, 0, 32);
    distinct = 1;
  }
  for (let i: u32 = 0; i < distinct; i++) {
    let slot = hash(coefficients + <usize>i * 32) & mask;
    for (let probe: u32 = 0; probe < PROBES; probe++, slot = (slot + 1) & mask) {
      const place = table + <usize>slot * 4;
      if (load<u32>(place)) continue;
      store<u32>(place, i + 1);
      break;
    }
  }
}

function hash(at: usize): u32 {
  let h = load<u64>(at) * 0x9e3779b97f4a7c15;
  h = (rotl(h, 29) ^ load<u64>(at, 8)) * 0x9e3779b97f4a7c15;
  h = (rotl(h, 29) ^ load<u64>(at, 16)) * 0x9e3779b97f4a7c15;
  h = (rotl(h, 29) ^ load<u64>(at, 24)) * 0x9e3779b97f4a7c15;
  return <u32>(h >> 32);
}

/** The index of the 32 bytes at `at`, which are added if they are new. There is room. */
function indexOf(at: usize): u32 {
  let slot = hash(at) & mask;
  for (let probe: u32 = 0; probe < PROBES; probe++, slot = (slot + 1) & mask) {
    const place = table + <usize>slot * 4;
    const index = load<u32>(place);
    if (index === 0) {
      store<u32>(place, distinct + 1);
      break;
    }
    const known = coefficients + <usize>(index - 1) * 32;
    if (
      load<u64>(known) === load<u64>(at) && load<u64>(known, 8) === load<u64>(at, 8) &&
      load<u64>(known, 16) === load<u64>(at, 16) && load<u64>(known, 24) === load<u64>(at, 24)
    ) return index - 1;
  }
  memory.copy(coefficients + <usize>distinct * 32, at, 32);
  return distinct++;
}

/** Takes listed terms; stops at one that is out of range, or for want of room. Returns how many it took. */
export function readTerms(from: usize, count: u32): u32 {
  for (let i: u32 = 0; i < count; i++, from += LISTED, unsorted += UNSORTED) {
    if (distinct > mask >> 1) return i;
    const matrix = load<u32>(from), row = load<u32>(from, 4), signal = load<u32>(from, 8);
    if (matrix > 1 || row >= domain || signal >= wires) return i;
    const place = matrix * domain + row;
    store<u32>(unsorted, place);
    store<u32>(unsorted, signal, 4);
    store<u32>(unsorted, indexOf(from + 12), 8);
    const counter = starts + (<usize>place + 2) * 4;
    store<u32>(counter, load<u32>(counter) + 1);
  }
  return count;
}

/** How many coefficients there are by now; if this is half the slots, readTerms wants room. */
export function coefficientCount(): u32 {
  return distinct;
}

/** Fills `terms`, row by row; from then on, the terms of place i are those from starts[i] up to starts[i+1]. */
export function sortTerms(unsortedAt: usize, count: u32, terms: usize): void {
  for (let i: usize = starts + 8, end = starts + (2 * <usize>domain + 2) * 4; i < end; i += 4) {
    store<u32>(i, load<u32>(i) + load<u32>(i - 4));
  }
  // starts[i+1] is where i's terms begin, and moves to where they end, which is where those of i + 1 begin.
  for (const end = unsortedAt + <usize>count * UNSORTED; unsortedAt < end; unsortedAt += UNSORTED) {
    const counter = starts + (<usize>load<u32>(unsortedAt) + 1) * 4;
    const index = load<u32>(counter);
    store<u32>(counter, index + 1);
    store<u64>(terms + <usize>index * TERM, load<u64>(unsortedAt, 4));
  }
}
