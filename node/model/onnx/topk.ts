// Indices of extremes: ArgMax, ArgMin and TopK. An index is an exact integer; the lowest one wins a tie.
import { type Activation, affine, reshape, tensorOf } from "./draft.ts";
import { malformed } from "./problems.ts";
import { along, maxLast, negate, plus, times, toFront, toLast } from "./rows.ts";
import { axisIn, flagOf, integersAt, intOf, type OpRule, type Site, tensorAt } from "./site.ts";
import { counted, pick } from "./take.ts";

function argmax(site: Site, x: Activation, axis: number): Activation {
  const from = site.draft.nodes[x.ref];
  // A softmax keeps the order.
  const ref = from?.op === "softmax" && axis === x.shape.length - 1 ? from.x : x.ref;
  const node = { op: "argmax", x: ref, axis, shape: x.shape.with(axis, 1), name: site.name } as const;
  return tensorOf(site.draft, node, "int64");
}

/** Among equals the last index is the first one of the reversed axis. */
function lowerArg(site: Site, least: boolean): Activation {
  const x = tensorAt(site, 0);
  const { draft, name } = site;
  const axis = axisIn(intOf(site, "axis", 0), x.shape.length);
  const last = (x.shape[axis] as number) - 1;
  const signed = least ? negate(draft, `${name}/negative`, x) : x;
  const reversed = flagOf(site, "select_last_index", false);
  const list = counted(last, last + 1, -1);
  const turned = reversed ? pick(draft, `${name}/reverse`, signed, x.shape.map((_, k) => (k === axis ? list : undefined))) : signed; // prettier-ignore
  const index = argmax(site, turned, axis);
  const y = reversed ? affine(draft, `${name}/index`, index, -1, last) : index;
  return flagOf(site, "keepdims", true) ? y : reshape(draft, `${name}/shape`, y, y.shape.toSpliced(axis, 1));
}

/** More rounds than this are a sort, which no circuit should hold. */
const MOST_ROUNDS = 64;

/**
 * k rounds over the last axis. A round's winner takes the row's minimum afterwards; among the elements that are the maximum
 * then, the first one that has not won yet is next. So ties need no number below all reals.
 */
function lowerTopK(site: Site): readonly Activation[] {
  const given = tensorAt(site, 0);
  const { draft, name } = site;
  const rank = given.shape.length;
  const axis = axisIn(intOf(site, "axis", -1), rank);
  const count = given.shape[axis] as number;
  const [k, ...more] = integersAt(site, 1, "k") ?? [];
  if (k === undefined || more.length > 0 || k < 1 || k > count) malformed(`it wants ${k} of ${count} elements`);
  if (k > MOST_ROUNDS) malformed(`it wants ${k} elements, more than ${MOST_ROUNDS}`, "Choose fewer, or leave sorting to the reader."); // prettier-ignore
  flagOf(site, "sorted", true); // Any order is allowed where it is 0.
  const largest = flagOf(site, "largest", true);
  const rows = toLast(draft, `${name}/turn`, given, axis);
  const x = largest ? rows : negate(draft, `${name}/negative`, rows);
  const { shape } = x;
  const wide = (value: Activation): Activation => along(draft, `${name}/repeat`, value, count);
  const least = k === 1 ? x : wide(negate(draft, `${name}/least`, maxLast(draft, `${name}/least`, negate(draft, `${name}/least`, x)))); // prettier-ignore
  const winners: Activation[] = [];
  const values: Activation[] = [];
  let left = x;
  let won: Activation | undefined;
  for (let round = 0; round < k; round++) {
    const most = maxLast(draft, `${name}/value${round}`, left);
    const winner = argmax(site, won === undefined ? left : unwon(site, left, wide(most), won), rank - 1);
    winners.push(winner);
    values.push(most);
    if (round === k - 1) break;
    const flat = reshape(draft, `${name}/winner`, winner, shape.slice(0, -1));
    const hot = tensorOf(draft, { op: "onehot", x: flat.ref, shape, name: `${name}/onehot` }, x.type);
    const select = { op: "select", c: hot.ref, a: least.ref, b: left.ref, shape, name: `${name}/left` } as const;
    left = tensorOf(draft, select, x.type);
    won = won === undefined ? hot : plus(draft, `${name}/won`, won, hot);
  }
  const joined = (parts: readonly Activation[]): Activation => {
    if (parts.length === 1) return parts[0] as Activation;
    const xs = parts.map(({ ref }) => ref);
    const node = { op: "concat", xs, axis: rank - 1, shape: shape.with(-1, k), name } as const;
    return tensorOf(draft, node, (parts[0] as Activation).type);
  };
  const best = joined(values);
  const signed = largest ? best : negate(draft, `${name}/sign`, best);
  return [signed, joined(winners)].map((value) => toFront(draft, `${name}/back`, value, axis));
}

/** 1 where an element is the maximum and has not won yet, else 0. */
function unwon(site: Site, left: Activation, most: Activation, won: Activation): Activation {
  const { draft, name } = site;
  const { shape } = left;
  const gap = plus(draft, `${name}/gap`, left, most, [1, -1]);
  const zero = { op: "compare", x: gap.ref, relation: "zero", shape, name: `${name}/equal` } as const;
  return times(draft, `${name}/open`, tensorOf(draft, zero, left.type), affine(draft, `${name}/unwon`, won, -1, 1));
}

const arg = (least: boolean): OpRule => ({
  inputs: [1, 1],
  attributes: {
    axis: { kind: "int" },
    keepdims: { kind: "int" },
    select_last_index: { kind: "int", since: 12 },
  },
  limits: "",
  lower: (site) => lowerArg(site, least),
});

export const TOPK_RULES = {
  ArgMax: arg(false),
  ArgMin: arg(true),
  TopK: {
    inputs: [2, 2],
    outputs: 2,
    attributes: { axis: { kind: "int" }, largest: { kind: "int" }, sorted: { kind: "int" } },
    limits: `constant k of at most ${MOST_ROUNDS}`,
    lower: lowerTopK,
  },
} satisfies Record<string, OpRule>;
