// onnxruntime's pools of 8-bit tensors: QLinearGlobalAveragePool, whose sums are exact, and QLinearAveragePool, which adds
// rounded float32 reals and is read where that cannot be seen.
import { exponentOf, pow2 } from "../binary.ts";
import type { Side } from "../plane.ts";
import { requantized } from "../rounding.ts";
import { type Activation, tensorOf } from "./draft.ts";
import { windowAttributes } from "./linear.ts";
import { malformed, unsupported } from "./problems.ts";
import { needType, sideOf } from "./qlinear.ts";
import { centered, paramsAt, quantizedAt, rangeOf, requantizeTo, single } from "./quantized.ts";
import { flagOf, intsOf, type OpRule, type Site } from "./site.ts";
import { planeOf, tapsWithin, unlift, windowsOf } from "./window.ts";

const f = Math.fround;

/** Sums of centered integers over windows, as a depthwise convolution of ones. */
function sums(
  site: Site,
  x: Activation,
  kernel: readonly [number, number],
  more: Pick<ReturnType<typeof windowsOf>, "strides" | "pads" | "dilations" | "out">,
): Activation {
  const channels = x.shape[1] as number;
  const { strides, pads, dilations, out } = more;
  const weights = new Float64Array(channels * kernel[0] * kernel[1]).fill(1);
  site.draft.budget(weights.length, "its windows");
  const node = {
    op: "conv",
    x: x.ref,
    weights,
    weightShape: [channels, 1, ...kernel],
    bias: new Float64Array(channels),
    strides,
    pads,
    dilations,
    group: channels,
    exact: true,
    shape: [1, channels, ...out],
    name: `${site.name}/sum`,
  } as const;
  return tensorOf(site.draft, node, "int32");
}

function needChannelsFirst(site: Site): void {
  if (flagOf(site, "channels_last", false)) unsupported("its channels come last", "Give the model as it was before optimization."); // prettier-ignore
}

function lowerGlobalAverage(site: Site): Activation {
  needChannelsFirst(site);
  const plane = planeOf(site, quantizedAt(site, 0));
  const [x, y] = [paramsAt(site, 1, "input"), paramsAt(site, 3, "output")];
  needType(plane.x, x, y);
  const [, , height, width] = plane.x.shape as [number, number, number, number];
  const whole = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], out: [1, 1] } as const;
  const sum = sums(site, centered(site, plane.x, single(x.zeroPoint)), [height, width], whole);
  const scale = f(single(x.scale) / f(single(y.scale) * (height * width)));
  return unlift(site, plane, requantizeTo(site, sum, Float64Array.of(scale), y));
}

function lowerAverage(site: Site): Activation {
  needChannelsFirst(site);
  const plane = planeOf(site, quantizedAt(site, 0));
  const [x, y] = [paramsAt(site, 1, "input"), paramsAt(site, 3, "output")];
  needType(plane.x, x, y);
  const windows = windowsOf(site, plane, intsOf(site, "kernel_shape") ?? malformed("it has no kernel_shape"));
  const [, , height, width] = plane.x.shape as [number, number, number, number];
  const [top, left] = windows.pads;
  const taps = windows.kernel[0] * windows.kernel[1];
  const rows = tapsWithin(windows, 0, top, top + height);
  const columns = tapsWithin(windows, 1, left, left + width);
  const inside = rows.flatMap((r) => columns.map((c) => r * c));
  const padded = flagOf(site, "count_include_pad", false);
  if (!padded && inside.some((n) => n !== inside[0])) {
    unsupported("its windows average over different numbers of elements", "Give it no padding, or count_include_pad = 1."); // prettier-ignore
  }
  const count = padded ? taps : (inside[0] as number);
  const scale = averageScale(sideOf(x), sideOf(y), rangeOf(plane.x.type), taps, count);
  const sum = sums(site, centered(site, plane.x, single(x.zeroPoint)), windows.kernel, windows);
  return unlift(site, plane, requantizeTo(site, sum, Float64Array.of(scale), y, { arithmetic: "shifted" }));
}

/**
 * onnxruntime adds float32 reals, divides by their count and by the output's scale and adds the zero point, rounding each
 * time: a function of the integers' sum alone only where no rounding can carry a value over a half. The float32 ratio that
 * rounds the same for every sum. @throws Refusal if there is none
 */
function averageScale(x: Side, y: Side, [lo, hi]: readonly [number, number], taps: number, count: number): number {
  const farthest = Math.max(hi - x.zeroPoint, x.zeroPoint - lo);
  // A power of two leaves the sums exact: only the two divisions and the last addition round.
  const exact = x.scale === pow2(exponentOf(x.scale));
  // Each of the taps is rounded once, and so is each sum of them, none larger than `taps` of the farthest values.
  const drift = (2 * taps * taps * farthest * x.scale * UNIT) / count / y.scale;
  const wanted = (n: number): number | undefined => {
    const last = { arithmetic: "shifted", scale: 1, zeroPoint: y.zeroPoint, lo, hi } as const;
    if (exact) return requantized(last, f(f(f(n * x.scale) / f(count)) / y.scale));
    const real = (n * x.scale) / count / y.scale + y.zeroPoint;
    const error = drift + 4 * UNIT * (Math.abs(real) + 2 * Math.abs(y.zeroPoint) + 1);
    const [low, high] = [real - error, real + error].map((v) => Math.min(hi, Math.max(lo, Math.floor(v + 0.5))));
    return low === high ? low : undefined;
  };
  for (const scale of [f(f(x.scale / f(count)) / y.scale), f(x.scale / f(y.scale * count))]) {
    const rule = { arithmetic: "shifted", scale, zeroPoint: y.zeroPoint, lo, hi } as const;
    let n = -taps * farthest;
    while (n <= taps * farthest && requantized(rule, n) === wanted(n)) n++;
    if (n > taps * farthest) return scale;
  }
  return unsupported(
    `onnxruntime's rounded float32 sums at the scales ${x.scale} and ${y.scale} are not a function of the integers' sum`,
    "Give the pool an input scale that is a power of two.",
  );
}

/** Half a unit in the last place of a float32 in [1, 2), as a share of it. */
const UNIT = 2 ** -24;

const eightBit = "8-bit tensors, constant scales; bit for bit onnxruntime's";
const channelsLast = { channels_last: { kind: "int" } } as const;

/** Of the domain com.microsoft. */
export const QLINEAR_POOL_RULES = {
  QLinearAveragePool: {
    inputs: [4, 5],
    attributes: {
      ...windowAttributes,
      ...channelsLast,
      ceil_mode: { kind: "int" },
      count_include_pad: { kind: "int" },
    },
    limits: `windows of one size, scales at which float32 sums do not matter; ${eightBit}`,
    lower: lowerAverage,
  },
  QLinearGlobalAveragePool: {
    inputs: [4, 5],
    attributes: channelsLast,
    limits: `channels first; ${eightBit}`,
    lower: lowerGlobalAverage,
  },
} satisfies Record<string, OpRule>;
