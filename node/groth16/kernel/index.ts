// What the WebAssembly module exports. Pairs of field elements are 80 bytes, points as in curve.ts.
export { mul, sqr, mulAdd } from "./product";
export { FP, FR, add, sub, neg, reduce, isZero, inverse, unpack, pack } from "./field";
export { coset, double, halve, merge, reduceAll, scale, split, splitFirst } from "./fft";
export { convertCoefficients, group, join, products, rows, unpackValues } from "./qap";
export { coefficientCount, growTerms, openTerms, readTerms, sortTerms } from "./terms";
export { mul2, sqr2, inverse2 } from "./fp2";
export { inversePair } from "./inverse";
export { combinationEntries, combinationLengths, placesOf } from "./fixed";
export { differences, fractions, packPairs, separate, spellTerms, weigh, writePlain } from "./keymaking";
export { forget, slotBytes, sort } from "./msm";
export { settleElement } from "./settle";
export { histogram, offsets, prepare, reaching } from "./scalars";
export {
  addLater, addMultiples, buildTable, copyPoint, doublePoint, flush, fold, gather, horner, hornerAll, readPoints, setInfinite,
  sumBuckets, writePoints,
} from "./points";

/** The first byte that belongs to the caller; memory below holds constants and scratch. */
export function heap(): usize {
  return (__heap_base + 63) & ~63;
}
