// Resize with sizes known at compile time, axis by axis: nearest is a rearrangement, linear and cubic are constant matrices.
// Coordinates are computed in float32, as onnxruntime does, since ties decide which neighbour is nearest.
import { type Activation, noElements, type Value } from "./draft.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import { linear, toFront, toLast } from "./rows.ts";
import { activationAt, axesIn, constantAt, flagOf, floatOf, integersAt, intsOf, type OpRule, type Site, stringOf } from "./site.ts"; // prettier-ignore
import { counted, pick } from "./take.ts";

const f32 = Math.fround;

interface Axis {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
}

/** Where element `at` of the resized axis lies on the original one. */
const COORDINATES = {
  align_corners: (at, { from, to }) => (to === 1 ? 0 : f32(f32(at * (from - 1)) / (to - 1))),
  asymmetric: (at, { scale }) => f32(at / scale),
  half_pixel: (at, { scale }) => f32(f32((at + 0.5) / scale) - 0.5),
  half_pixel_symmetric: (at, { from, to, scale }) => {
    const adjustment = f32(to / f32(scale * from));
    const offset = f32(f32(from / 2) * f32(1 - adjustment));
    return f32(f32(offset + f32((at + 0.5) / scale)) - 0.5);
  },
  pytorch_half_pixel: (at, { to, scale }) => (to > 1 ? f32(f32((at + 0.5) / scale) - 0.5) : 0),
  tf_half_pixel_for_nn: (at, { scale }) => f32((at + 0.5) / scale),
} satisfies Record<string, (at: number, axis: Axis) => number>;

const awayFromZero = (x: number): number => (x < 0 ? -Math.floor(-x + 0.5) : Math.floor(x + 0.5));
const NEAREST = {
  ceil: Math.ceil,
  floor: Math.floor,
  round_prefer_ceil: awayFromZero,
  round_prefer_floor: (x) => (x === Math.floor(x) + 0.5 ? Math.floor(x) : awayFromZero(x)),
} satisfies Record<string, (x: number) => number>;

function chosen<T>(site: Site, name: string, fallback: string, table: Readonly<Record<string, T>>): T {
  const text = stringOf(site, name, fallback);
  if (Object.hasOwn(table, text)) return table[text] as T;
  return unsupported(`its ${name} is ${quote(text)}`, `These are read: ${Object.keys(table).join(", ")}.`);
}

/** What each axis of x becomes. */
function axesOf(site: Site, x: Activation): readonly Axis[] {
  const rank = x.shape.length;
  const axes = axesIn(intsOf(site, "axes") ?? counted(0, rank), rank);
  const sizes = integersAt(site, 3, "sizes");
  const given = site.inputs[2] === undefined ? [] : Array.from(constantAt(site, 2, "scales").data);
  const scales = given.length === 0 ? undefined : given;
  if ((sizes === undefined || sizes.length === 0) === (scales === undefined)) malformed("it has not just one of scales and sizes"); // prettier-ignore
  const list = scales ?? (sizes as readonly number[]);
  if (list.length !== axes.length || list.some((v) => !(v > 0))) malformed(`its scales or sizes are [${list.join(", ")}]`); // prettier-ignore
  const policy = stringOf(site, "keep_aspect_ratio_policy", "stretch");
  const ratios = axes.map((axis, i) => f32((list[i] as number) / (x.shape[axis] as number)));
  const common = policy === "not_larger" ? Math.min(...ratios) : policy === "not_smaller" ? Math.max(...ratios) : undefined; // prettier-ignore
  if (common === undefined && policy !== "stretch") malformed(`its keep_aspect_ratio_policy is ${quote(policy)}`);
  return x.shape.map((from, axis): Axis => {
    const i = axes.indexOf(axis);
    if (i < 0) return { from, to: from, scale: 1 };
    if (scales !== undefined) return { from, to: Math.floor(f32((scales[i] as number) * from)), scale: scales[i] as number }; // prettier-ignore
    if (common !== undefined) return { from, to: awayFromZero(common * from), scale: common };
    return { from, to: list[i] as number, scale: ratios[i] as number };
  });
}

/** Weights of the two neighbours of `at`; beyond the ends the last element counts. */
function linearTaps(at: number, from: number): readonly (readonly [number, number])[] {
  const inside = Math.min(Math.max(at, 0), from - 1);
  const low = Math.min(Math.floor(inside), from - 1);
  return [
    [low, 1 - (inside - low)],
    [Math.min(low + 1, from - 1), inside - low],
  ];
}

/** Keys' cubic convolution with coefficient a over the four neighbours. */
function cubicTaps(at: number, from: number, a: number, excludeOutside: boolean): (readonly [number, number])[] {
  const low = Math.floor(at);
  const t = at - low;
  const near = (x: number): number => ((a + 2) * x - (a + 3)) * x * x + 1;
  const far = (x: number): number => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  const taps = [far(1 + t), near(t), near(1 - t), far(2 - t)].map((w, k): [number, number] => [low - 1 + k, w]);
  if (!excludeOutside) return taps.map(([k, w]) => [Math.min(Math.max(k, 0), from - 1), w]);
  const inside = taps.filter(([k]) => k >= 0 && k < from);
  const total = inside.reduce((sum, [, w]) => sum + w, 0);
  return inside.map(([k, w]) => [k, w / total]);
}

function lowerResize(site: Site): Value {
  const x = activationAt(site, 0);
  const { draft, name } = site;
  const mode = stringOf(site, "mode", "nearest");
  const coordinate = chosen(site, "coordinate_transformation_mode", "half_pixel", COORDINATES);
  const round = chosen(site, "nearest_mode", "round_prefer_floor", NEAREST);
  const axes = axesOf(site, x);
  if (axes.some(({ to }) => to < 1)) noElements(axes.map(({ to }) => to));
  if (flagOf(site, "antialias", false) && axes.some(({ from, to }) => to < from)) {
    unsupported("it shrinks with antialias", "Export it with antialias = 0.");
  }
  axes.forEach(({ to }) => draft.budget(to, "the list of its elements"));
  const changed = axes.map(({ from, to, scale }) => from !== to || scale !== 1);
  if (mode === "nearest") {
    const lists = axes.map((axis, i) => {
      if (!changed[i]) return undefined;
      return counted(0, axis.to).map((at) => Math.min(Math.max(round(coordinate(at, axis)), 0), axis.from - 1));
    });
    return pick(draft, name, x, lists);
  }
  if (mode !== "linear" && mode !== "cubic") unsupported(`its mode is ${quote(mode)}`, "Modes nearest, linear and cubic are read."); // prettier-ignore
  const a = floatOf(site, "cubic_coeff_a", -0.75);
  const excluded = flagOf(site, "exclude_outside", false);
  return axes.reduce((y, axis, i) => {
    if (!changed[i]) return y;
    const { from, to } = axis;
    draft.budget(from * to, "the weights of an interpolation");
    const weights = new Float64Array(from * to);
    for (let at = 0; at < to; at++) {
      const place = coordinate(at, axis);
      const taps = mode === "linear" ? linearTaps(place, from) : cubicTaps(place, from, a, excluded);
      for (const [k, weight] of taps) weights[k * to + at]! += weight;
    }
    const turned = toLast(draft, `${name}/turn${i}`, y, i);
    return toFront(draft, `${name}/back${i}`, linear(draft, `${name}/axis${i}`, turned, weights, to), i);
  }, x);
}

export const RESIZE_RULES = {
  Resize: {
    inputs: [1, 4],
    attributes: {
      antialias: { kind: "int", since: 18 },
      axes: { kind: "ints", since: 18 },
      coordinate_transformation_mode: { kind: "string" },
      cubic_coeff_a: { kind: "float" },
      exclude_outside: { kind: "int" },
      extrapolation_value: { kind: "float" },
      keep_aspect_ratio_policy: { kind: "string", since: 18 },
      mode: { kind: "string" },
      nearest_mode: { kind: "string" },
    },
    limits: "constant sizes or scales; no tf_crop_and_resize, no antialias",
    lower: lowerResize,
  },
} satisfies Record<string, OpRule>;
