// Builds a circuit: the integer graph's .r1cs, its .sym on request, and the report that says what each layer costs.
// Deterministic: the same graph and tool version give the same bytes on any machine.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { ClaimForm } from "../core/domain.ts";
import { NodeError, throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { sizeOf } from "../core/tensor.ts";
import { nodeAt } from "../model/ir.ts";
import type { Graph, Op, Ref } from "../model/ir.ts";
import { layClaim } from "./border.ts";
import { lay } from "./layers.ts";
import { LIBRARY } from "./library.ts";
import { Circuit } from "./linker.ts";
import type { Trace } from "./linker.ts";
import { planOf } from "./plan.ts";
import { PUBLICS } from "./sheet.ts";
import { SymbolFile } from "./symbols.ts";
import { walkOn } from "./walk.ts";
import { loadGadgets } from "./witness.ts";

export interface BuildOptions extends LongCall {
  /** What c and v are about; "public" unless it is given. */
  readonly claim?: ClaimForm;
  /** Where the .r1cs goes; without it rows are only counted. */
  readonly file?: string;
  /** Where the .sym goes. */
  readonly symFile?: string;
  /** More rows are refused, as soon as there are more. */
  readonly limit?: Limit;
}

/** A number of constraints that is too large for something. */
export interface Limit {
  readonly most: number;
  /** Why more is too much; goes on from "more than so many constraints:". */
  readonly why: string;
  readonly mend: string;
}

export interface LayerReport {
  readonly node: Ref;
  readonly name: string;
  readonly op: Op;
  readonly elements: number;
  readonly constraints: number;
  /** Fewest and most bits into which a gadget of this layer takes a value apart; [0, 0] where none does. */
  readonly bits: readonly [number, number];
}

export interface CircuitReport {
  readonly constraints: number;
  readonly wires: number;
  readonly publicSignals: typeof PUBLICS;
  /** Size of the evaluation domain of snarkjs' Groth16. */
  readonly domain: number;
  /** Of `constraints`: what spells the output, c and v. The input's bits belong to its layer. */
  readonly claimConstraints: number;
  readonly layers: readonly LayerReport[];
  readonly gadgets: Readonly<Record<string, { readonly stamps: number; readonly rows: number }>>;
  /** SHA-256 of the .r1cs, where one was written. */
  readonly sha256: string | undefined;
}

/** @throws NodeError "unsupported" where a value could leave the bits that a gadget takes, or above the limit; "aborted" */
export async function buildCircuit(graph: Graph, options: BuildOptions = {}): Promise<CircuitReport> {
  const { file, symFile, onProgress, signal, limit } = options;
  const plan = planOf(graph, options.claim);
  await loadGadgets(plan, LIBRARY);
  const symbols = symFile === undefined ? undefined : new SymbolFile(symFile);
  const bits = new Set<number>(); // of the current layer
  const trace = (event: Trace): void => {
    symbols?.write(event);
    const { gadget } = event;
    if (gadget !== undefined && gadget.bits > 0) bits.add(gadget.bits);
  };
  const partial = file === undefined ? undefined : `${file}.partial`; // renamed once it is whole
  const circuit = new Circuit({ library: LIBRARY, file: partial, trace });
  try {
    const walk = walkOn(plan, circuit);
    const layers: LayerReport[] = [];
    for (let ref = 0; ref < graph.nodes.length; ref++) {
      throwIfAborted(signal);
      onProgress?.({ what: "circuit", done: ref, total: graph.nodes.length });
      await setImmediate(); // so that an abort is heard
      const { name, op, shape } = nodeAt(graph, ref);
      const before = circuit.rows;
      bits.clear();
      lay(walk, ref);
      refuseAbove(limit, circuit.rows);
      const range = bits.size === 0 ? ([0, 0] as const) : ([Math.min(...bits), Math.max(...bits)] as const);
      layers.push({ node: ref, name, op, elements: sizeOf(shape), constraints: circuit.rows - before, bits: range });
    }
    const network = circuit.rows;
    layClaim(walk);
    refuseAbove(limit, circuit.rows);
    circuit.close();
    if (file !== undefined) fs.renameSync(partial as string, file);
    onProgress?.({ what: "circuit", done: graph.nodes.length, total: graph.nodes.length });
    return {
      constraints: circuit.rows,
      wires: circuit.wires,
      publicSignals: PUBLICS,
      domain: domainOf(circuit.rows),
      claimConstraints: circuit.rows - network,
      layers,
      gadgets: Object.fromEntries([...circuit.stamps].sort(([a], [b]) => (a < b ? -1 : 1))),
      sha256: file === undefined ? undefined : digestOf(file),
    };
  } finally {
    symbols?.close();
    circuit.abandon();
    if (partial !== undefined) fs.rmSync(partial, { force: true });
  }
}

/** The power of two that snarkjs takes for `constraints` rows: room for them, the public signals and the constant. */
export function domainOf(constraints: number): number {
  return 2 ** (Math.floor(Math.log2(constraints + PUBLICS)) + 1);
}

function refuseAbove(limit: Limit | undefined, rows: number): void {
  if (limit === undefined || rows <= limit.most) return;
  const { most, why, mend } = limit;
  throw new NodeError("unsupported", `the model needs more than ${most} constraints: ${why}`, {
    mend,
    facts: { most },
  });
}

function digestOf(file: string): string {
  const hash = createHash("sha256");
  const chunk = Buffer.alloc(1 << 20);
  const fd = fs.openSync(file, "r");
  try {
    for (let read = fs.readSync(fd, chunk); read > 0; read = fs.readSync(fd, chunk))
      hash.update(chunk.subarray(0, read));
  } finally {
    fs.closeSync(fd);
  }
  return hash.digest("hex");
}
