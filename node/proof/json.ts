// JSON with one spelling: keys sorted, two spaces, a final newline. Digests of manifests and transcripts are over it.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Undefined members are left out. Numbers must be finite. */
export function canonicalJson(value: Json): string {
  return `${JSON.stringify(sorted(value), null, 2)}\n`;
}

function sorted(value: Json): Json {
  if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError(`${value} has no JSON`);
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  // Code unit order, the same on every machine.
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}
