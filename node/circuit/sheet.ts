// What a layer can do to a circuit under construction. Four things do it: the census of the gadgets it needs, the writer
// of the .r1cs (linker.ts), the witness, and the trace that names a row. All see the same calls in the same order, so
// that wires and rows agree; each asks an operand only for what it needs.
import type { Spec } from "./compile.ts";
import { lcOf } from "./lc.ts";
import type { Lc, Value, Wire } from "./lc.ts";

/** Something linear in the wires that exist: as a combination, and as the value that it has. */
export interface Operand {
  lc(): Lc;
  value(): Value;
  /** May be long in a product: a block of a table, written there once. */
  readonly dense?: true;
}

/** Where in the model the next rows belong: a part of a node (or the claim), and indices of its elements. */
export interface Place {
  /** As an identifier, the same in the .sym file and in exported circom. */
  readonly symbol: string;
  readonly index: readonly number[];
}

/** "symbol[i][k]" */
export function placeName({ symbol, index }: Place): string {
  return `${symbol}${index.map((i) => `[${i}]`).join("")}`;
}

export interface Sheet {
  at(place: Place): void;
  /** A wire that nothing binds yet: the model's input. */
  free(value: () => Value): Wire;
  /** A wire equal to the operand: one linear row. */
  bind(operand: Operand): Wire;
  /** Binds public signal k (1-based, as wires are): one linear row. */
  publish(k: number, operand: Operand): void;
  /** The gadget's constraints on the operands; returns its first output's wire, which the others follow. */
  stamp(spec: Spec, operands: readonly Operand[]): Wire;
  /** The value of a wire; only a witness has any. */
  read(wire: Wire): Value;
}

/** The public signals: c and v are outputs, r is an input. */
export const PUBLIC = { c: 1, v: 2, r: 3 } as const;
export const PUBLICS = 3;

export function onWire(sheet: Sheet, wire: Wire): Operand {
  return { lc: () => lcOf([wire, 1]), value: () => sheet.read(wire) };
}

/** Collects the gadgets that a circuit needs; makes no wires. */
export class Census implements Sheet {
  readonly specs = new Set<Spec>();
  at(): void {}
  free(): Wire {
    return 0;
  }
  bind(): Wire {
    return 0;
  }
  publish(): void {}
  stamp(spec: Spec): Wire {
    this.specs.add(spec);
    return 0;
  }
  read(): Value {
    throw new RangeError("a census has no values");
  }
}
