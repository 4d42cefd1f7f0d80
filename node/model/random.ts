// Seeded pseudo-random numbers that are the same on every machine: for trial calibration data, not for secrets.

/** Mulberry32 (T. Ettinger, public domain): each call yields the next number in [0, 1), a multiple of 2^-32. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
