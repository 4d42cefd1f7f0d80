// BN254 from ffjavascript, in the two ways this folder needs it: one single-threaded instance for single points and
// pairings, and short-lived threaded ones for batches. snarkjs has its own, in its own process.
import { buildBn128, type Curve, type WasmModule } from "ffjavascript";
import { R } from "../core/field.ts";

export { G1_BYTES, G2_BYTES } from "../groth16/key.ts";

const shared = globalThis as { curve_bn128?: Curve | null };

let local: Promise<Curve> | undefined;

/** No threads, so nothing to end. */
export function localCurve(): Promise<Curve> {
  local ??= buildBn128(true);
  return local;
}

/** A threaded curve with `plugin`'s functions in its WebAssembly; its threads end with `use`. */
export async function withThreads<T>(
  plugin: (module: WasmModule) => void,
  use: (curve: Curve) => Promise<T>,
): Promise<T> {
  const curve = await threaded(plugin);
  try {
    return await use(curve);
  } finally {
    await curve.tm.terminate();
  }
}

let last: Promise<unknown> = Promise.resolve();

/**
 * ffjavascript keeps its last threaded instance in a global, where it and snarkjs look first: one found there would come
 * without the plugin, and ours must not be found. One at a time, or the global's owner could be lost.
 */
function threaded(plugin: (module: WasmModule) => void): Promise<Curve> {
  const build = async (): Promise<Curve> => {
    const before = shared.curve_bn128 ?? null;
    shared.curve_bn128 = null;
    try {
      return await buildBn128(false, plugin);
    } finally {
      shared.curve_bn128 = before;
    }
  };
  const built = last.then(build);
  last = built.catch(() => undefined);
  return built;
}

/** Whether an affine point other than infinity is on the curve and in the group of order R. */
export function isSound(curve: Curve, group: "G1" | "G2", point: Uint8Array): boolean {
  const g = curve[group];
  if (g.isZero(point) || !g.isValid(point)) return false;
  // G1 has no cofactor; G2's is not 1.
  return group === "G1" || g.isZero(g.timesScalar(point, R));
}
