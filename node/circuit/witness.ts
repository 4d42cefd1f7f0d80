// The witness: the same walk as the circuit's, filling values instead of writing rows. Tensors are those that the model's
// runtime gave; they are first held against the integer graph, so that a wrong one is named here and not by the verifier.
import type { ClaimForm } from "../core/domain.ts";
import { R, R_WORDS, putField } from "../core/field.ts";
import { NodeError } from "../core/errors.ts";
import { apply } from "../model/evaluate.ts";
import { nodeAt, readsOf } from "../model/ir.ts";
import type { Graph } from "../model/ir.ts";
import { layClaim } from "./border.ts";
import type { Spec } from "./compile.ts";
import type { Gadget } from "./gadget.ts";
import { lay } from "./layers.ts";
import type { Value, Wire } from "./lc.ts";
import { Values } from "./lc.ts";
import { LIBRARY } from "./library.ts";
import type { Library } from "./library.ts";
import { Circuit } from "./linker.ts";
import { planOf } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { walkOn } from "./walk.ts";
import { Census, PUBLIC, PUBLICS, placeName } from "./sheet.ts";
import type { Operand, Place, Sheet } from "./sheet.ts";

/** Makes the bytes of a .wtns from the tensors of every node, in the graph's order, the challenge r, and the claim's salt. */
export type MakeWitness = (tensors: readonly Float64Array[], r: bigint, salt?: bigint) => Uint8Array;

/**
 * @throws NodeError from range analysis; what it returns throws "integrity" for tensors that the graph does not yield, and
 * "input" for an r or salt that is no field element, or a salt missing or not wanted.
 */
export async function prepareWitness(graph: Graph, claim?: ClaimForm): Promise<MakeWitness> {
  const prepared = await prepare(planOf(graph, claim), LIBRARY);
  return (tensors, r, salt) => {
    checkTensors(graph, tensors);
    return fill(prepared, tensors, r, salt);
  };
}

export interface Prepared {
  readonly plan: Plan;
  readonly library: Library;
  readonly wires: number;
}

/** Loads the gadgets and counts the wires. */
export async function prepare(plan: Plan, library: Library): Promise<Prepared> {
  await loadGadgets(plan, library);
  const circuit = new Circuit({ library });
  layAll(plan, circuit);
  return { plan, library, wires: circuit.wires };
}

export async function loadGadgets(plan: Plan, library: Library): Promise<void> {
  const census = new Census();
  layAll(plan, census);
  await library.load([...census.specs]);
}

/** Lays the whole circuit in one go. */
export function layAll(plan: Plan, sheet: Sheet, tensors?: readonly Float64Array[], salt?: bigint): void {
  const walk = walkOn(plan, sheet, tensors, salt);
  plan.graph.nodes.forEach((_, ref) => lay(walk, ref));
  layClaim(walk);
}

/** The .wtns of tensors that are taken as they are. */
export function fill(
  { plan, library, wires }: Prepared,
  tensors: readonly Float64Array[],
  r: bigint,
  salt?: bigint,
): Uint8Array {
  if (r < 0n || r >= R) throw new NodeError("input", "the challenge r is not a field element", { facts: { r } });
  if ((salt !== undefined) !== (plan.claim === "private-input")) {
    throw new NodeError(
      "input",
      `a claim with a ${plan.claim === "public" ? "public input has no" : "private input needs a"} salt`,
    );
  }
  // The value is not quoted: it is what hides the input.
  if (salt !== undefined && (salt < 0n || salt >= R)) throw new NodeError("input", "the salt is not a field element");
  const witness = new Witness(library, wires);
  witness.values.set(PUBLIC.r, r);
  layAll(plan, witness, tensors, salt);
  return wtnsOf(witness.values, wires);
}

function checkTensors(graph: Graph, tensors: readonly Float64Array[]): void {
  graph.nodes.forEach((node, ref) => {
    const found = tensors[ref];
    const reads = readsOf(node);
    const expected =
      node.op === "input" ? found : apply(node, reads.map((x) => tensors[x] as Float64Array), reads.map((x) => nodeAt(graph, x).shape)); // prettier-ignore
    if (found === undefined || expected === undefined || found.length !== expected.length) {
      throw new NodeError("integrity", `layer "${node.name}": ${found?.length ?? "no"} values, not those of its shape`);
    }
    for (let i = 0; i < found.length; i++) {
      if (found[i] === expected[i]) continue;
      throw new NodeError(
        "integrity",
        `layer "${node.name}", element ${i}: ${found[i]}, where the graph yields ${expected[i]}`,
        {
          mend: "The runtime does not compute what the circuit proves: run `glassbox doctor`, and keep graph optimisation off.",
          facts: {
            layer: node.name,
            op: node.op,
            element: i,
            found: found[i] as number,
            expected: expected[i] as number,
          },
        },
      );
    }
  });
}

class Witness implements Sheet {
  readonly values: Values;
  readonly #library: Library;
  readonly #gadgets = new Map<Spec, Gadget>();
  #next = 1 + PUBLICS;
  #place: Place = { symbol: "", index: [] };

  constructor(library: Library, wires: number) {
    this.#library = library;
    this.values = new Values(wires);
  }

  at(place: Place): void {
    this.#place = place;
  }

  free(value: () => Value): Wire {
    this.values.set(this.#next, value());
    return this.#next++;
  }

  bind(operand: Operand): Wire {
    return this.free(() => operand.value());
  }

  publish(k: number, operand: Operand): void {
    this.values.set(k, operand.value());
  }

  stamp(spec: Spec, operands: readonly Operand[]): Wire {
    let gadget = this.#gadgets.get(spec);
    if (gadget === undefined) this.#gadgets.set(spec, (gadget = this.#library.get(spec)));
    const base = this.#next;
    this.#next += gadget.fresh;
    try {
      gadget.hint.run(operands.map((operand) => operand.value()), base, this.values); // prettier-ignore
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new NodeError("integrity", `${placeName(this.#place)}: ${gadget.name} has no witness: ${reason}`, {
        cause,
        facts: { layer: this.#place.symbol, element: this.#place.index[0] ?? 0, gadget: gadget.name },
      });
    }
    return base;
  }

  read(wire: Wire): Value {
    return this.values.get(wire);
  }
}

function wtnsOf(values: Values, wires: number): Uint8Array {
  const words = new Uint32Array(19 + 8 * wires);
  // "wtns", version 2, two sections: field and count; values
  words.set([0x736e7477, 2, 2, 1, 40, 0, 32, ...R_WORDS, wires, 2]);
  words.set(new Uint32Array(BigUint64Array.of(BigInt(32 * wires)).buffer), 17);
  for (let wire = 0; wire < wires; wire++) putField(words, 19 + 8 * wire, values.get(wire));
  return new Uint8Array(words.buffer);
}
