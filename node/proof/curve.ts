// BN254 from ffjavascript, in the two ways this folder needs it: one single-threaded instance for single points and
// pairings, and short-lived threaded ones for batches. Minds ffjavascript's global cache, which snarkjs shares.
import { buildBn128, type Curve, type WasmModule } from "ffjavascript";
import { R } from "../core/field.ts";

export const G1_BYTES = 64;
export const G2_BYTES = 128;

/** bn128's last threaded instance: snarkjs takes it from here and never ends its threads by itself. */
const shared = globalThis as { curve_bn128?: Curve | null };

let local: Promise<Curve> | undefined;

/** No threads, so nothing to end. */
export function localCurve(): Promise<Curve> {
  local ??= buildBn128(true);
  return local;
}

let queue: Promise<unknown> = Promise.resolve();

/** One at a time: both functions below pass through ffjavascript's global. */
function exclusive<T>(work: () => Promise<T>): Promise<T> {
  const result = queue.then(work, work);
  queue = result.catch(() => undefined);
  return result;
}

/** A threaded curve with `plugin`'s functions in its WebAssembly; its threads end with `use`. */
export function withThreads<T>(plugin: (module: WasmModule) => void, use: (curve: Curve) => Promise<T>): Promise<T> {
  return exclusive(async () => {
    // A cached instance would come without the plugin, and ours must not be left for others to find.
    const before = shared.curve_bn128 ?? null;
    shared.curve_bn128 = null;
    let curve: Curve;
    try {
      curve = await buildBn128(false, plugin);
    } finally {
      shared.curve_bn128 = before;
    }
    try {
      return await use(curve);
    } finally {
      await curve.tm.terminate();
    }
  });
}

/** Runs a function of snarkjs and ends the threads that it leaves behind, unless they were there before. */
export function withSnarkjs<T>(use: () => Promise<T>): Promise<T> {
  return exclusive(async () => {
    const before = shared.curve_bn128 ?? null;
    try {
      return await use();
    } finally {
      if (before === null) await shared.curve_bn128?.terminate();
    }
  });
}

/** Whether an affine point other than infinity is on the curve and in the group of order R. */
export function isSound(curve: Curve, group: "G1" | "G2", point: Uint8Array): boolean {
  const g = curve[group];
  if (g.isZero(point) || !g.isValid(point)) return false;
  // G1 has no cofactor; G2's is not 1.
  return group === "G1" || g.isZero(g.timesScalar(point, R));
}
