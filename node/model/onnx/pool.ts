// Pools: maxima stay window maxima, averages become a depthwise convolution (and an affine map where windows at the edge
// average over fewer elements).
import { malformed, unsupported } from "./problems.ts";
import { type Activation, affine, tensorOf } from "./draft.ts";
import { windowAttributes } from "./linear.ts";
import { absolute, times } from "./rows.ts";
import { flagOf, intOf, intsOf, type OpRule, type Site, tensorAt } from "./site.ts";
import { type Plane, planeOf, tapsWithin, unlift, type Windows, windowsOf } from "./window.ts";

/** Windows of a pool; each must hold at least one element of the input. */
function poolWindows(site: Site, plane: Plane): Windows {
  const windows = windowsOf(site, plane, intsOf(site, "kernel_shape") ?? malformed("it has no kernel_shape"));
  if (insideTaps(plane, windows).some((taps) => taps.includes(0))) {
    unsupported("one of its windows lies in the padding entirely", "Use less padding.");
  }
  return windows;
}

/** Elements of the input in each window, along the height and along the width. */
function insideTaps(plane: Plane, windows: Windows): [number[], number[]] {
  const [, , height, width] = plane.x.shape as [number, number, number, number];
  const [top, left] = windows.pads;
  return [tapsWithin(windows, 0, top, top + height), tapsWithin(windows, 1, left, left + width)];
}

function wholePlane(plane: Plane): Windows {
  const [, , height, width] = plane.x.shape as [number, number, number, number];
  const none = [0, 0, 0, 0] as const;
  return { kernel: [height, width], strides: [1, 1], dilations: [1, 1], pads: none, declared: none, out: [1, 1] };
}

function maxPool(site: Site, plane: Plane, windows: Windows): Activation {
  const { kernel, strides, dilations, pads, out } = windows;
  const shape = [1, plane.x.shape[1] as number, ...out];
  site.draft.budget(kernel[0] * kernel[1], "its window");
  const node = { op: "maxpool", x: plane.x.ref, kernel, strides, pads, dilations, shape, name: site.name } as const;
  return unlift(site, plane, tensorOf(site.draft, node, plane.x.type));
}

/** `weight` times the sum over each window. */
function sumPool(site: Site, plane: Plane, windows: Windows, weight: number): Activation {
  const { kernel, strides, dilations, pads, out } = windows;
  const channels = plane.x.shape[1] as number;
  const taps = kernel[0] * kernel[1];
  site.draft.budget(channels * (taps + 1), "the weights of an average");
  const node = {
    op: "conv",
    x: plane.x.ref,
    weights: new Float64Array(channels * taps).fill(weight),
    weightShape: [channels, 1, ...kernel],
    bias: new Float64Array(channels),
    strides,
    pads,
    dilations,
    group: channels,
    shape: [1, channels, ...out],
    name: site.name,
  } as const;
  return tensorOf(site.draft, node, plane.x.type);
}

/** `counts`: how many elements each window averages over, along the height and along the width. */
function averagePool(site: Site, plane: Plane, windows: Windows, counts: [number[], number[]]): Activation {
  const { kernel, out } = windows;
  const [rows, columns] = counts;
  const even = counts.every((list) => list.every((count) => count === list[0]));
  const taps = kernel[0] * kernel[1];
  const y = sumPool(site, plane, windows, 1 / (even ? (rows[0] as number) * (columns[0] as number) : taps));
  if (even) return unlift(site, plane, y);
  const data = Float64Array.from(rows.flatMap((r) => columns.map((c) => taps / (r * c))));
  const share = affine(site.draft, `${site.name}/edges`, y, { kind: "constant", type: "float64", shape: out, data }, 0);
  return unlift(site, plane, share);
}

function lowerMaxPool(site: Site): Activation {
  flagOf(site, "storage_order", false); // Orders the Indices output only, which is refused where it is read.
  const plane = planeOf(site, tensorAt(site, 0));
  return maxPool(site, plane, poolWindows(site, plane));
}

function lowerAveragePool(site: Site): Activation {
  const plane = planeOf(site);
  const windows = poolWindows(site, plane);
  if (!flagOf(site, "count_include_pad", false)) {
    return averagePool(site, plane, windows, insideTaps(plane, windows));
  }
  const [, , height, width] = plane.x.shape as [number, number, number, number];
  const [top, left, bottom, right] = windows.declared;
  const rows = tapsWithin(windows, 0, 0, top + height + bottom);
  return averagePool(site, plane, windows, [rows, tapsWithin(windows, 1, 0, left + width + right)]);
}

/** The mean over each channel's plane. */
export function globalAverage(site: Site): Activation {
  const plane = planeOf(site);
  const windows = wholePlane(plane);
  return averagePool(site, plane, windows, [[windows.kernel[0]], [windows.kernel[1]]]);
}

/** (sum of |x|^p over each window)^(1/p); padding adds nothing. */
function lpPool(site: Site, plane: Plane, windows: Windows): Activation {
  const { draft, name } = site;
  const p = intOf(site, "p", 2);
  if (p !== 1 && p !== 2) unsupported(`its p is ${p}`, "Norms 1 and 2 are read.");
  const { x } = plane;
  const powers = p === 1 ? absolute(draft, `${name}/abs`, x) : times(draft, `${name}/square`, x, x);
  const sums = sumPool(site, { ...plane, x: powers }, windows, 1);
  if (p === 1) return unlift(site, plane, sums);
  const root = { op: "unary", x: sums.ref, fn: ["sqrt", "x"], shape: sums.shape, name: `${name}/sqrt` } as const;
  return unlift(site, plane, tensorOf(draft, root, x.type));
}

const pool = { ...windowAttributes, ceil_mode: { kind: "int" } } as const;

export const POOL_RULES = {
  AveragePool: {
    inputs: [1, 1],
    attributes: { ...pool, dilations: { kind: "ints", since: 19 }, count_include_pad: { kind: "int" } },
    limits: "1-D and 2-D",
    lower: lowerAveragePool,
  },
  GlobalAveragePool: { inputs: [1, 1], attributes: {}, limits: "1-D and 2-D", lower: globalAverage },
  GlobalMaxPool: {
    inputs: [1, 1],
    attributes: {},
    limits: "1-D and 2-D",
    lower: (site) => {
      const plane = planeOf(site);
      return maxPool(site, plane, wholePlane(plane));
    },
  },
  GlobalLpPool: {
    inputs: [1, 1],
    attributes: { p: { kind: "int" } },
    limits: "1-D and 2-D, p of 1 and 2",
    lower: (site) => {
      const plane = planeOf(site);
      return lpPool(site, plane, wholePlane(plane));
    },
  },
  LpPool: {
    inputs: [1, 1],
    attributes: {
      ...windowAttributes,
      ceil_mode: { kind: "int", since: 18 },
      dilations: { kind: "ints", since: 18 },
      p: { kind: "int" },
    },
    limits: "1-D and 2-D, p of 1 and 2",
    lower: (site) => {
      const plane = planeOf(site);
      return lpPool(site, plane, poolWindows(site, plane));
    },
  },
  MaxPool: {
    inputs: [1, 1],
    outputs: 2,
    attributes: { ...pool, storage_order: { kind: "int" } },
    limits: "1-D and 2-D, Indices output unused",
    lower: lowerMaxPool,
  },
} satisfies Record<string, OpRule>;
