// What one thread does for a proof, on its own kernel instance: keeps the key's parts that it was asked to work with, and
// does one task at a time. Memory: what is kept lies below, what a task needs for itself above it, taken back at its end.
import { NodeError } from "../core/errors.ts";
import type { ProvingKey } from "./key.ts";
import { G1_BYTES, G2_BYTES, publicSignals, readKey, readWitness, TERM_BYTES, VALUE_BYTES } from "./key.ts";
import type { Polynomial, Sum } from "./messages.ts";
import { Arena, type Kernel, type Pointer } from "./module.ts";
import { type Bases, histogram, loadBases, type Plan, POINT_BYTES, sums } from "./msm.ts";
import { coset, cosetBytes, type Domain, join, loadWitness, openDomain } from "./polynomials.ts";
import type { Joined, KeyFacts, WitnessFacts } from "./prover.ts";
import type { ByteSource } from "./source.ts";
import { type Terms, termsLoader } from "./terms.ts";

export interface Engine {
  key(source: ByteSource): KeyFacts;
  witness(source: ByteSource): WitnessFacts;
  /** One of the three polynomials on the odd coset: domain / 2 pairs. */
  coset(of: Polynomial): Uint8Array;
  join(a: Uint8Array, b: Uint8Array, c: Uint8Array): Joined;
  /** The scalars of sum "h", 32 bytes for each point of the domain. */
  scalars(bytes: Uint8Array): void;
  /** Bit points of windows `from` to `to`: by piece of the key, then by group. */
  sum(of: Sum, plan: Plan, from: number, to: number): Uint8Array[][];
  /** Clears everything that depends on the witness. */
  wipe(): void;
}

interface Kept {
  readonly source: ByteSource;
  readonly key: ProvingKey;
  readonly witness: Pointer;
  readonly scalars: Pointer;
  readonly bases: Map<Sum, readonly Bases[]>;
  polynomials: { readonly domain: Domain; readonly terms: Terms } | undefined;
  /** Bytes of points kept. */
  points: number;
}

/** Points that are read and added up at a time when the key does not fit the cache, and bytes read at a time. */
const PIECE = 1 << 18;
const CHUNK_BYTES = 1 << 20;

/** @param cacheBytes for the points that are kept between proofs */
export function openEngine(kernel: Kernel, cacheBytes: number): Engine {
  const arena = new Arena(kernel);
  const bottom = arena.mark();
  let kept: Kept | undefined;

  const current = (): Kept => {
    if (kept === undefined) throw new NodeError("internal", "no key is open");
    return kept;
  };
  /** Takes back what `work` allocated. */
  const briefly = <T>(work: () => T): T => {
    const mark = arena.mark();
    try {
      return work();
    } finally {
      arena.rewind(mark);
    }
  };
  const polynomialsOf = (of: Kept): NonNullable<Kept["polynomials"]> => (of.polynomials ??= loadPolynomials(arena, of));

  return {
    key: (source) => {
      kept?.source.close();
      kept = undefined;
      arena.rewind(bottom);
      const header = readKey(source);
      const { ic } = header.sections;
      kept = {
        source,
        key: header,
        witness: arena.alloc(VALUE_BYTES * header.wires),
        scalars: arena.alloc(VALUE_BYTES * header.domain),
        bases: new Map(),
        polynomials: undefined,
        points: 0,
      };
      return { header, ic: source.read(ic.offset, ic.size).slice() };
    },
    witness: (source) => {
      const { key, witness } = current();
      const values = readWitness(source, key.wires, arena.bytes(witness, VALUE_BYTES * key.wires));
      const signals = publicSignals(values, key.publics);
      return { signals, histogram: briefly(() => histogram(arena, witness, key.wires)) };
    },
    coset: (of) => {
      const { key, witness } = current();
      const { domain, terms } = polynomialsOf(current());
      return briefly(() => {
        const values = loadWitness(arena, witness, key.wires);
        return arena.bytes(coset(arena, domain, terms, values, of), cosetBytes(domain)).slice();
      });
    },
    join: (a, b, c) => {
      const { key } = current();
      const { domain } = polynomialsOf(current());
      return briefly(() => {
        const [pa, pb, pc] = [a, b, c].map((bytes) => {
          const at = arena.alloc(bytes.length);
          arena.bytes(at, bytes.length).set(bytes);
          release(bytes);
          return at;
        }) as [Pointer, Pointer, Pointer];
        const scalars = join(arena, domain, pa, pb, pc);
        return {
          scalars: arena.bytes(scalars, VALUE_BYTES * key.domain).slice(),
          histogram: histogram(arena, scalars, key.domain),
        };
      });
    },
    scalars: (bytes) => {
      const { scalars, key } = current();
      arena.bytes(scalars, VALUE_BYTES * key.domain).set(bytes);
    },
    sum: (of, plan, from, to) => {
      const state = current();
      const { key, bases } = state;
      const parts = partsOf(key, of);
      const { count } = parts;
      const at = of === "h" ? state.scalars : state.witness + VALUE_BYTES * parts.first;
      const bytes = count * parts.groups.reduce((sum, { group }) => sum + POINT_BYTES[group] + 4, 0);
      const load = (start: number, length: number): Bases[] =>
        parts.groups.map(({ group, offset }) => readBases(arena, state.source, group, offset, start, length));
      if (!bases.has(of) && state.points + bytes <= cacheBytes) {
        const before = arena.mark();
        bases.set(of, load(0, count));
        state.points += arena.mark() - before;
      }
      const loaded = bases.get(of);
      if (loaded !== undefined) return [briefly(() => together(arena, loaded, at, plan, from, to))];
      return Array.from({ length: Math.max(1, Math.ceil(count / PIECE)) }, (_, k) =>
        briefly(() => {
          const [start, length] = [k * PIECE, Math.min(PIECE, count - k * PIECE)];
          return together(arena, load(start, length), at + VALUE_BYTES * start, plan, from, to);
        }),
      );
    },
    wipe: () => {
      const { key, witness, scalars } = current();
      arena.bytes(witness, VALUE_BYTES * key.wires).fill(0);
      arena.bytes(scalars, VALUE_BYTES * key.domain).fill(0);
      arena.clear();
    },
  };
}

/** Wipes a message, and gives its memory back now instead of when the collector finds it, if the engine has `transfer`. */
function release(bytes: Uint8Array): void {
  bytes.fill(0);
  (bytes.buffer as { transfer?: (length: number) => unknown }).transfer?.(0);
}

interface Parts {
  readonly groups: readonly { readonly group: 1 | 2; readonly offset: number }[];
  readonly count: number;
  /** The wire whose value is the first scalar. */
  readonly first: number;
}

function partsOf({ sections, wires, publics, domain }: ProvingKey, of: Sum): Parts {
  switch (of) {
    case "a":
      return { groups: [{ group: 1, offset: sections.a.offset }], count: wires, first: 0 };
    case "b":
      return {
        groups: [
          { group: 1, offset: sections.b1.offset },
          { group: 2, offset: sections.b2.offset },
        ],
        count: wires,
        first: 0,
      };
    case "c":
      return { groups: [{ group: 1, offset: sections.c.offset }], count: wires - publics - 1, first: publics + 1 };
    case "h":
      return { groups: [{ group: 1, offset: sections.h.offset }], count: domain, first: 0 };
  }
}

/** Bases with the same points at infinity, as all honest keys' B1 and B2, share their sorting; others must not. */
function together(
  arena: Arena,
  bases: readonly Bases[],
  scalars: Pointer,
  plan: Plan,
  from: number,
  to: number,
): Uint8Array[] {
  const [first, ...others] = bases as readonly [Bases, ...Bases[]];
  if (others.every((each) => samePlaces(arena, first, each))) return sums(arena, bases, scalars, plan, from, to);
  return bases.flatMap((each) => sums(arena, [each], scalars, plan, from, to));
}

function samePlaces({ kernel }: Arena, a: Bases, b: Bases): boolean {
  if (a.finite !== b.finite) return false;
  const [first, second] = [a, b].map(({ indices }) => new Uint32Array(kernel.memory.buffer, indices, a.finite)) as [
    Uint32Array,
    Uint32Array,
  ];
  for (let i = 0; i < a.finite; i++) if (first[i] !== second[i]) return false;
  return true;
}

/** Points `from` to `from + count` of a section that starts at `offset`. */
function readBases(arena: Arena, source: ByteSource, group: 1 | 2, offset: number, from: number, count: number): Bases {
  const size = group === 1 ? G1_BYTES : G2_BYTES;
  function* chunks(): Generator<Uint8Array> {
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (let at = 0; at < size * count; at += CHUNK_BYTES) {
      const chunk = buffer.subarray(0, Math.min(CHUNK_BYTES, size * count - at));
      source.readInto(offset + size * from + at, chunk);
      yield chunk;
    }
  }
  return loadBases(arena, group, count, chunks());
}

function loadPolynomials(arena: Arena, { source, key }: Kept): NonNullable<Kept["polynomials"]> {
  const domain = openDomain(arena, Math.log2(key.domain));
  const loader = termsLoader(arena, { domain, wires: key.wires, count: key.terms });
  const start = key.sections.terms.offset + 4;
  const buffer = new Uint8Array(TERM_BYTES * Math.floor(CHUNK_BYTES / TERM_BYTES));
  for (let at = 0; at < TERM_BYTES * key.terms; at += buffer.length) {
    const chunk = buffer.subarray(0, Math.min(buffer.length, TERM_BYTES * key.terms - at));
    source.readInto(start + at, chunk);
    loader.feed(chunk);
  }
  return { domain, terms: loader.finish() };
}
