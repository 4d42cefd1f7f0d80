// The writer of a circuit: stamps of gadgets, and linear rows, into an .r1cs file. Nothing else makes a constraint.
//
// A long combination goes into C of a 0 * 0 = C row, once: there its density costs the prover nothing. Rows are streamed;
// the counts in the header are filled in at the end. Without a file it only counts and traces.
import fs from "node:fs";
import { R_WORDS, putField } from "../core/field.ts";
import { NodeError } from "../core/errors.ts";
import type { Spec } from "./compile.ts";
import { isInput, slotOf } from "./gadget.ts";
import type { Gadget } from "./gadget.ts";
import { plus, times } from "./lc.ts";
import type { Lc, Value, Wire } from "./lc.ts";
import type { Library } from "./library.ts";
import { PUBLICS, placeName } from "./sheet.ts";
import type { Operand, Place, Sheet } from "./sheet.ts";

/** The longest combination that may stand where it is written more than once or makes a product dense. */
export const LONG = 4;

/** What one call of the sheet added, for .sym files and for naming rows. */
export interface Trace {
  readonly place: Place;
  readonly gadget: Gadget | undefined;
  readonly firstRow: number;
  readonly rows: number;
  readonly firstWire: Wire;
  readonly wires: number;
}

export interface CircuitOptions {
  readonly library: Library;
  readonly file?: string | undefined;
  readonly trace?: ((trace: Trace) => void) | undefined;
}

const CHUNK = 1 << 20;
const HEAD = 100; // bytes: file header, section 1, header of section 2

export class Circuit implements Sheet {
  wires = 1 + PUBLICS;
  rows = 0;
  privateInputs = 0;
  /** Stamps and rows by gadget. */
  readonly stamps = new Map<string, { stamps: number; rows: number }>();
  readonly #library: Library;
  readonly #trace: ((trace: Trace) => void) | undefined;
  #fd: number | undefined;
  readonly #words = new Uint32Array(CHUNK);
  #at = 0;
  #size = 0;
  #place: Place = { symbol: "", index: [] };
  // A wire must not stand twice in one combination (snarkjs keeps the last): last[w] >= origin says that w is already in
  // the current one, and where. origin grows with every combination, so that nothing is ever cleared.
  #last = new Float64Array(CHUNK).fill(-1);
  #origin = 0;
  // The current combination, each wire once. The arrays are kept: emptying them would make every row grow them anew.
  readonly #wires: Wire[] = [];
  readonly #factors: Value[] = [];
  #count = 0;

  constructor({ library, file, trace }: CircuitOptions) {
    this.#library = library;
    this.#trace = trace;
    if (file === undefined) return;
    this.#fd = fs.openSync(file, "w");
    fs.writeSync(this.#fd, Buffer.alloc(HEAD));
  }

  at(place: Place): void {
    this.#place = place;
  }

  free(): Wire {
    const wire = this.#fresh(1);
    this.privateInputs++;
    this.#say(undefined, 0, wire, 1);
    return wire;
  }

  bind(operand: Operand): Wire {
    const wire = this.#fresh(1);
    this.#linear(operand, wire);
    this.#say(undefined, 1, wire, 1);
    return wire;
  }

  publish(k: number, operand: Operand): void {
    this.#linear(operand, k);
    this.#say(undefined, 1, k, 1);
  }

  stamp(spec: Spec, operands: readonly Operand[]): Wire {
    const gadget = this.#library.get(spec);
    const base = this.#fresh(gadget.fresh);
    this.rows += gadget.rows.length;
    const count = this.stamps.get(gadget.name) ?? { stamps: 0, rows: 0 };
    this.stamps.set(gadget.name, { stamps: count.stamps + 1, rows: count.rows + gadget.rows.length });
    this.#say(gadget, gadget.rows.length, base, gadget.fresh);
    if (this.#fd === undefined) return base;

    this.#room(gadget.body.length);
    this.#words.set(gadget.body, this.#at);
    for (const position of gadget.patch) this.#words[this.#at + position]! += base;
    this.#at += gadget.body.length;
    const inputs = operands.map((operand, i) => this.#fit(gadget, i, operand));
    const outs = gadget.hint.outputs.length;
    for (let row = gadget.bodyRows; row < gadget.rows.length; row++) {
      for (const { wires, factors } of gadget.rows[row] as readonly Lc[]) {
        this.#begin();
        wires.forEach((wire, t) => {
          const factor = factors[t] as Value;
          if (wire === 0) this.#term(0, factor);
          else if (isInput(gadget, wire)) this.#terms(inputs[wire - 1 - outs] as Lc, factor);
          else this.#term(base + slotOf(gadget, wire), factor);
        });
        this.#end();
      }
    }
    return base;
  }

  read(): Value {
    throw new RangeError("a circuit under construction has no values");
  }

  /** Ends the .r1cs: the wire map, then the header with the counts. */
  close(): void {
    if (this.#fd === undefined) return;
    this.#flush();
    const map = new Uint32Array(3 + 2 * this.wires);
    map.set([3, 8 * this.wires, 0]);
    for (let wire = 0; wire < this.wires; wire++) map[3 + 2 * wire] = wire;
    fs.writeSync(this.#fd, map);
    const head = Buffer.alloc(HEAD);
    head.write("r1cs");
    const outputs = PUBLICS - 1;
    const words = [this.wires, outputs, 1, this.privateInputs, this.wires, 0, this.rows, 2];
    const u32s: readonly [number, readonly number[]][] = [[4, [1, 3, 1, 64, 0, 32]], [28, R_WORDS], [60, words]]; // prettier-ignore
    for (const [at, list] of u32s) list.forEach((word, i) => head.writeUInt32LE(word, at + 4 * i));
    head.writeBigUInt64LE(BigInt(this.#size), 92);
    fs.writeSync(this.#fd, head, 0, HEAD, 0);
    this.abandon();
  }

  /** Lets go of the file, whole or not. */
  abandon(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  #say(gadget: Gadget | undefined, rows: number, firstWire: Wire, wires: number): void {
    this.#trace?.({ place: this.#place, gadget, firstRow: this.rows - rows, rows, firstWire, wires });
  }

  #fresh(count: number): Wire {
    const first = this.wires;
    this.wires += count;
    if (this.#fd !== undefined && this.wires > this.#last.length) {
      const wider = new Float64Array(2 * this.wires).fill(-1);
      wider.set(this.#last);
      this.#last = wider;
    }
    return first;
  }

  #fit(gadget: Gadget, i: number, operand: Operand): Lc {
    const lc = operand.lc();
    if (lc.wires.length <= LONG || gadget.alone[i] === true || operand.dense === true) return lc;
    throw new NodeError("internal", `${placeName(this.#place)}: ${lc.wires.length} terms into ${gadget.name}, unbound`);
  }

  #linear(operand: Operand, wire: Wire): void {
    this.rows++;
    if (this.#fd === undefined) return;
    this.#room(2);
    this.#words.fill(0, this.#at, this.#at + 2); // A and B are empty
    this.#at += 2;
    this.#begin();
    this.#terms(operand.lc(), 1);
    this.#term(wire, -1);
    this.#end();
  }

  #begin(): void {
    this.#origin += this.#count;
    this.#count = 0;
  }

  #terms({ wires, factors }: Lc, scale: Value): void {
    for (let i = 0; i < wires.length; i++) {
      const factor = factors[i] as Value;
      this.#term(wires[i] as Wire, scale === 1 ? factor : times(scale, factor));
    }
  }

  #term(wire: Wire, factor: Value): void {
    const position = (this.#last[wire] as number) - this.#origin;
    if (position >= 0) {
      this.#factors[position] = plus(this.#factors[position] as Value, factor);
    } else {
      this.#last[wire] = this.#origin + this.#count;
      this.#wires[this.#count] = wire;
      this.#factors[this.#count++] = factor;
    }
  }

  #end(): void {
    this.#room(1 + 9 * this.#count);
    const head = this.#at++;
    let count = 0;
    for (let i = 0; i < this.#count; i++) {
      const factor = this.#factors[i] as Value;
      if (factor === 0 || factor === 0n) continue;
      this.#words[this.#at] = this.#wires[i] as Wire;
      putField(this.#words, this.#at + 1, factor);
      this.#at += 9;
      count++;
    }
    this.#words[head] = count;
  }

  #room(words: number): void {
    if (this.#at + words <= CHUNK) return;
    this.#flush();
    if (words > CHUNK) throw new NodeError("unsupported", "a combination has more than 116,000 terms");
  }

  #flush(): void {
    const written = fs.writeSync(this.#fd as number, this.#words, 0, 4 * this.#at);
    if (written !== 4 * this.#at) throw new NodeError("environment", "the disk took only a part of the .r1cs");
    this.#size += written;
    this.#at = 0;
  }
}
