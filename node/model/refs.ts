// What a node of either graph reads, by the names of its fields: x, or a and b, with c before them where there is a
// condition; xs for any number. One convention for both lists, so that passes need no table of ops.
interface Reader {
  readonly op: string;
}

const FIELDS = ["c", "a", "b", "x"] as const;

/** The tensors that a node reads, in the order in which rules get them. */
export function readsOf(node: Reader): readonly number[] {
  const fields = node as Partial<Readonly<Record<(typeof FIELDS)[number], number> & { xs: readonly number[] }>>;
  if (fields.xs !== undefined) return fields.xs;
  return FIELDS.flatMap((field) => fields[field] ?? []);
}

/** The node with each ref moved. */
export function withReads<N extends Reader>(node: N, move: (ref: number) => number): N {
  const fields = node as Partial<Readonly<Record<(typeof FIELDS)[number], number> & { xs: readonly number[] }>>;
  if (fields.xs !== undefined) return { ...node, xs: fields.xs.map(move) };
  const moved = FIELDS.flatMap((field) => (fields[field] === undefined ? [] : [[field, move(fields[field])] as const]));
  return moved.length === 0 ? node : { ...node, ...Object.fromEntries(moved) };
}
