// The exported functions on points, for either group: `group` is 1 or 2.

import * as batch from "./batch";
import * as curve from "./curve";
import { horner as hornerOf } from "./horner";
import * as fixed from "./fixed";
import * as layout from "./layout";
import * as msm from "./msm";

type G1 = layout.G1;
type G2 = layout.G2;

export function readPoints(group: u32, bytes: usize, count: u32, from: u32, points: usize, indices: usize): u32 {
  return group == 1
    ? curve.readPoints<G1>(bytes, count, from, points, indices)
    : curve.readPoints<G2>(bytes, count, from, points, indices);
}

export function writePoints(group: u32, points: usize, count: u32, bytes: usize): void {
  if (group == 1) curve.writePoints<G1>(points, count, bytes);
  else curve.writePoints<G2>(points, count, bytes);
}

export function copyPoint(group: u32, from: usize, to: usize): void {
  if (group == 1) layout.copyPoint<G1>(from, to);
  else layout.copyPoint<G2>(from, to);
}

export function setInfinite(point: usize): void {
  layout.setInfinite(point);
}

export function addLater(group: u32, a: usize, b: usize, to: usize): void {
  if (group == 1) batch.queue<G1>(a, b, to);
  else batch.queue<G2>(a, b, to);
}

export function flush(group: u32): void {
  if (group == 1) batch.flush<G1>();
  else batch.flush<G2>();
}

export function sumBuckets(
  group: u32, points: usize, sorted: usize, counts: usize, buckets: u32, sums: usize, slots: usize,
): void {
  if (group == 1) msm.sumBuckets<G1>(points, sorted, counts, buckets, sums, slots);
  else msm.sumBuckets<G2>(points, sorted, counts, buckets, sums, slots);
}

export function fold(group: u32, sums: usize, widths: usize, windows: u32): void {
  if (group == 1) msm.fold<G1>(sums, widths, windows);
  else msm.fold<G2>(sums, widths, windows);
}

export function gather(group: u32, sums: usize, widths: usize, windows: u32, points: usize): void {
  if (group == 1) msm.gather<G1>(sums, widths, windows, points);
  else msm.gather<G2>(sums, widths, windows, points);
}

export function horner(group: u32, points: usize, count: u32, doubling: bool, result: usize): void {
  if (group == 1) hornerOf<G1>(points, count, doubling, result);
  else hornerOf<G2>(points, count, doubling, result);
}

export function doublePoint(group: u32, from: usize, times: u32, to: usize): void {
  if (group == 1) fixed.doublePoint<G1>(from, times, to);
  else fixed.doublePoint<G2>(from, times, to);
}

export function buildTable(group: u32, table: usize, count: u32): void {
  if (group == 1) fixed.buildTable<G1>(table, count);
  else fixed.buildTable<G2>(table, count);
}

export function addMultiples(group: u32, table: usize, values: usize, count: u32, bit: u32, width: u32, to: usize): void {
  if (group == 1) fixed.addMultiples<G1>(table, values, count, bit, width, to);
  else fixed.addMultiples<G2>(table, values, count, bit, width, to);
}

export function hornerAll(group: u32, sums: usize, lengths: usize, count: u32, to: usize): void {
  if (group == 1) fixed.hornerAll<G1>(sums, lengths, count, to);
  else fixed.hornerAll<G2>(sums, lengths, count, to);
}
