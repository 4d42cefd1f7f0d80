// Pad in all its modes. Zeros (or another value) stay a pad node, which convolutions take in; what repeats elements of the
// input is a rearrangement; negative pads crop.
import { sizeOf } from "../../core/tensor.ts";
import { type Activation, emit, type Value } from "./draft.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import { axesIn, integersAt, type OpRule, scalarAt, type Site, stringOf, valueAt } from "./site.ts";
import { counted, pick } from "./take.ts";

/** From which element of an axis of `dim` the padded axis takes its element `at`, counted from the first unpadded one. */
const SOURCES = {
  edge: (at: number, dim: number) => Math.min(Math.max(at, 0), dim - 1),
  reflect: (at: number, dim: number) => {
    const period = Math.max(1, 2 * (dim - 1));
    const inside = ((at % period) + period) % period;
    return Math.min(inside, period - inside);
  },
  wrap: (at: number, dim: number) => ((at % dim) + dim) % dim,
} satisfies Record<string, (at: number, dim: number) => number>;

interface Pads {
  readonly begin: readonly number[];
  readonly end: readonly number[];
}

function padsOf(site: Site, x: Value): Pads {
  const given = integersAt(site, 1, "pads") ?? malformed("it has no pads");
  const rank = x.shape.length;
  const axes = axesIn(integersAt(site, 3, "axes") ?? counted(0, rank), rank);
  if (given.length !== 2 * axes.length) malformed(`it has ${given.length} pads for ${axes.length} axes`);
  const [begin, end] = [new Array<number>(rank).fill(0), new Array<number>(rank).fill(0)];
  axes.forEach((axis, i) => {
    begin[axis] = given[i] as number;
    end[axis] = given[axes.length + i] as number;
  });
  x.shape.forEach((dim, axis) => {
    const [b, e] = [begin[axis] as number, end[axis] as number];
    if (Math.min(b, 0) + Math.min(e, 0) + dim < 1) malformed(`its pads crop axis ${axis} of ${dim} to nothing`);
  });
  return { begin, end };
}

function crop(site: Site, x: Value, { begin, end }: Pads): Value {
  const lists = x.shape.map((dim, axis) => {
    const [b, e] = [Math.max(0, -(begin[axis] as number)), Math.max(0, -(end[axis] as number))];
    return b + e === 0 ? undefined : counted(b, dim - b - e);
  });
  return pick(site.draft, `${site.name}/crop`, x, lists);
}

function lowerPad(site: Site): Value {
  const x = valueAt(site, 0);
  const mode = stringOf(site, "mode", "constant");
  const { begin, end } = padsOf(site, x);
  const cropped = crop(site, x, { begin, end });
  const inside = { begin: begin.map((pad) => Math.max(0, pad)), end: end.map((pad) => Math.max(0, pad)) };
  const { draft, name } = site;
  if (mode === "constant") return padWith(site, cropped, inside, scalarAt(site, 2, "constant_value") ?? 0);
  if (!Object.hasOwn(SOURCES, mode)) unsupported(`its mode is ${quote(mode)}`, "Modes constant, edge, reflect and wrap are read."); // prettier-ignore
  const source = SOURCES[mode as keyof typeof SOURCES];
  const lists = cropped.shape.map((dim, axis) => {
    const [b, e] = [inside.begin[axis] as number, inside.end[axis] as number];
    if (b + e === 0) return undefined;
    if (mode === "reflect" && Math.max(b, e) >= dim) malformed(`its pads reflect more than the ${dim} elements of axis ${axis}`); // prettier-ignore
    draft.budget(b + dim + e, "the list of its padded elements");
    return counted(-b, b + dim + e).map((at) => source(at, dim));
  });
  return pick(draft, name, cropped, lists);
}

function padWith(site: Site, x: Value, { begin, end }: Pads, value: number): Value {
  if (Number.isNaN(value) || value === Infinity) unsupported(`it pads with ${value}`, "Pad with a finite number.");
  const shape = x.shape.map((dim, axis) => dim + (begin[axis] as number) + (end[axis] as number));
  const { draft, name } = site;
  if (x.kind === "activation") {
    const node = { op: "pad", x: x.ref, pads: [...begin, ...end], value, shape, name } as const;
    return { ...x, ref: emit(draft, node), shape } satisfies Activation;
  }
  draft.budget(sizeOf(shape), "a padded constant");
  const lists = x.shape.map((dim, axis) => counted(-(begin[axis] as number), shape[axis] as number).map((at) => (at >= 0 && at < dim ? at : -1))); // prettier-ignore
  const places = lists.reduce<number[]>(
    (rows, list, axis) => rows.flatMap((row) => list.map((at) => (row < 0 || at < 0 ? -1 : row * (x.shape[axis] as number) + at))), // prettier-ignore
    [0],
  );
  return { ...x, shape, data: Float64Array.from(places, (at) => (at < 0 ? value : (x.data[at] as number))) };
}

export const PAD_RULES = {
  Pad: {
    inputs: [2, 4],
    attributes: { mode: { kind: "string" } },
    limits: "constant pads",
    lower: lowerPad,
  },
} satisfies Record<string, OpRule>;
