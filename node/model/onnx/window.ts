// Geometry of sliding windows (Conv and pools): auto_pad, ceil_mode and 1-D inputs are resolved here into explicit 2-D
// windows. Relies on the site's attributes kernel_shape, strides, pads, dilations, auto_pad and ceil_mode.
import { type Activation, reshape } from "./draft.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import { activationAt, flagOf, intsOf, type Site, stringOf } from "./site.ts";

type Pair = readonly [number, number];

export interface Windows {
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  /** top, left, bottom, right: what the windows reach over the edge, no more. */
  readonly pads: readonly [number, number, number, number];
  /** What the file declares as padding, which an average may count: the same, without ceil_mode's overhang. */
  readonly declared: readonly [number, number, number, number];
  readonly out: Pair;
}

/** The input as NCHW. 1-D models get a height of 1; `lower` brings the result back. */
export interface Plane {
  readonly x: Activation;
  readonly flat: boolean;
}

export function planeOf(site: Site, x: Activation = activationAt(site, 0)): Plane {
  const [batch, channels, ...rest] = x.shape as [number, number, ...number[]];
  if (rest.length !== 1 && rest.length !== 2) {
    unsupported(`its input has ${x.shape.length} dimensions`, "1-D [1, C, L] and 2-D [1, C, H, W] inputs are read.");
  }
  if (batch !== 1) unsupported(`its input has a batch of ${batch}`, "Only a batch of 1 is read.");
  if (rest.length === 2) return { x, flat: false };
  return { x: reshape(site.draft, `${site.name}/lift`, x, [1, channels, 1, rest[0] as number]), flat: true };
}

export function unlift(site: Site, plane: Plane, y: Activation): Activation {
  if (!plane.flat) return y;
  return reshape(site.draft, `${site.name}/lower`, y, y.shape.toSpliced(2, 1));
}

function listOf(site: Site, name: string, length: number, least: number): readonly number[] {
  const list = intsOf(site, name) ?? new Array<number>(length).fill(least);
  if (list.length !== length || list.some((v) => v < least || v > 2 ** 31)) {
    malformed(`attribute "${name}" is [${list.join(", ")}], not ${length} number(s) of ${least} or more`);
  }
  return list;
}

interface AxisWindows {
  readonly out: number;
  readonly begin: number;
  readonly end: number;
  readonly declaredEnd: number;
}

/**
 * Along one axis. ceil_mode drops a last window that would start in the padding behind the input, as onnxruntime does.
 * SAME with a stride wider than the window asks for negative padding: none for Conv, an error for pools, as there.
 */
function alongAxis(
  dim: number,
  extent: number,
  stride: number,
  pads: "SAME_UPPER" | "SAME_LOWER" | Pair,
  ceil: boolean,
  pool: boolean,
): AxisWindows {
  let out: number;
  let begin: number;
  let declaredEnd: number;
  if (typeof pads === "string") {
    out = Math.ceil(dim / stride);
    const wanted = (out - 1) * stride + extent - dim;
    if (wanted < 0 && pool) unsupported(`its auto_pad ${pads} asks for negative padding`, "Give the pads as numbers.");
    const need = Math.max(0, wanted);
    begin = pads === "SAME_UPPER" ? Math.floor(need / 2) : Math.ceil(need / 2);
    declaredEnd = need - begin;
  } else {
    [begin, declaredEnd] = pads;
    const steps = (dim + begin + declaredEnd - extent) / stride;
    out = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    if (ceil && (out - 1) * stride >= dim + begin) out--;
  }
  if (out < 1 || extent > dim + begin + declaredEnd) malformed(`its window of ${extent} is larger than its input`);
  return { out, begin, end: Math.max(0, (out - 1) * stride + extent - dim - begin), declaredEnd };
}

/** `kernel` is that of the 1-D or 2-D op itself; so are the attributes. */
export function windowsOf(site: Site, plane: Plane, kernel: readonly number[]): Windows {
  const rank = plane.flat ? 1 : 2;
  if (kernel.length !== rank || kernel.some((k) => k < 1 || k > 2 ** 31)) {
    malformed(`its kernel is [${kernel.join(", ")}] on an input of ${rank} spatial dimension(s)`);
  }
  const strides = listOf(site, "strides", rank, 1);
  const dilations = listOf(site, "dilations", rank, 1);
  const pads = listOf(site, "pads", 2 * rank, 0);
  const auto = stringOf(site, "auto_pad", "NOTSET");
  if (!["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"].includes(auto)) malformed(`its auto_pad is ${quote(auto)}`);
  if (auto !== "NOTSET" && pads.some((pad) => pad !== 0)) {
    malformed(`it gives both pads and auto_pad ${quote(auto)}`, "Leave one of them.");
  }
  const same = auto === "SAME_UPPER" || auto === "SAME_LOWER";
  if (same && dilations.some((d) => d !== 1)) {
    unsupported(`it has dilations with auto_pad ${quote(auto)}`, "Give the pads as numbers: runtimes differ here.");
  }
  const ceil = flagOf(site, "ceil_mode", false);
  const axes = kernel.map((k, i) => {
    const dim = plane.x.shape[plane.flat ? 3 : 2 + i] as number;
    const extent = (k - 1) * (dilations[i] as number) + 1;
    const given: Pair = [pads[i] as number, pads[rank + i] as number];
    return alongAxis(dim, extent, strides[i] as number, same ? auto : given, ceil, site.op !== "Conv");
  });
  site.draft.budget(
    axes.reduce((sum, axis) => sum + axis.out, 0),
    "the list of its windows",
  );
  const whole = { out: 1, begin: 0, end: 0, declaredEnd: 0 };
  const [h, w] = (plane.flat ? [whole, ...axes] : axes) as [AxisWindows, AxisWindows];
  const pair = (list: readonly number[]): Pair => (plane.flat ? [1, ...list] : list) as unknown as Pair;
  return {
    kernel: pair(kernel),
    strides: pair(strides),
    dilations: pair(dilations),
    pads: [h.begin, w.begin, h.end, w.end],
    declared: [h.begin, w.begin, h.declaredEnd, w.declaredEnd],
    out: [h.out, w.out],
  };
}

/** How many of each window's taps lie in [from, to) of the padded axis; `axis` 0 is the height. */
export function tapsWithin(
  windows: Pick<Windows, "kernel" | "strides" | "dilations" | "out">,
  axis: 0 | 1,
  from: number,
  to: number,
): number[] {
  const [kernel, stride, dilation] = [windows.kernel[axis], windows.strides[axis], windows.dilations[axis]];
  return Array.from({ length: windows.out[axis] }, (_, o) => {
    const start = o * stride;
    const below = Math.min(kernel, Math.max(0, Math.ceil((from - start) / dilation)));
    const under = Math.min(kernel, Math.max(0, Math.ceil((to - start) / dilation)));
    return Math.max(0, under - below);
  });
}
