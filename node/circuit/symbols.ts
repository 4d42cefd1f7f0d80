// Names for wires and rows, derived by rule from the walk: main.<node>[<element>].<signal>. Written as a .sym in circom's
// format, or looked up for one row.
import fs from "node:fs";
import type { ClaimForm } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { Graph } from "../model/ir.ts";
import { isInput, signalName } from "./gadget.ts";
import type { Gadget } from "./gadget.ts";
import type { Lc } from "./lc.ts";
import { LIBRARY } from "./library.ts";
import { Circuit } from "./linker.ts";
import type { Trace } from "./linker.ts";
import { planOf } from "./plan.ts";
import { PUBLIC, placeName } from "./sheet.ts";
import { layAll, loadGadgets } from "./witness.ts";

/** Names of the wires that one call of the sheet added, in order. */
function wireNames({ place, gadget, wires }: Trace): string[] {
  const path = `main.${placeName(place)}`;
  if (gadget === undefined) return [path];
  const { outputs, internals } = gadget.hint;
  return [...outputs, ...internals].slice(0, wires).map((signal) => `${path}.${signal}`);
}

/** Writes a .sym while a circuit is built: one line per wire, as circom does: label, wire, component, name. */
export class SymbolFile {
  readonly #fd: number;
  #lines: string[] = [];

  constructor(file: string) {
    this.#fd = fs.openSync(file, "w");
    // c and v come with their rows; r is given
    this.#line(PUBLIC.r, "main.r");
  }

  write(trace: Trace): void {
    wireNames(trace).forEach((name, i) => this.#line(trace.firstWire + i, name));
    if (this.#lines.length > 4096) this.#flush();
  }

  close(): void {
    this.#flush();
    fs.closeSync(this.#fd);
  }

  #line(wire: number, name: string): void {
    this.#lines.push(`${wire},${wire},0,${name}\n`);
  }

  #flush(): void {
    fs.writeSync(this.#fd, this.#lines.join(""));
    this.#lines = [];
  }
}

/** What a row of a built circuit is about. */
export interface RowName {
  readonly row: number;
  /** The layer's symbol (n<node>_<name>), or claim_... */
  readonly layer: string;
  readonly element: readonly number[];
  /** Gadget with its parameters, or "linear". */
  readonly gadget: string;
  /** The row as the gadget's signals have it. */
  readonly line: string;
}

/** Names row `row` (from 0) of the circuit that `buildCircuit` makes of the graph. @throws NodeError "usage" */
export async function explainRow(graph: Graph, row: number, claim?: ClaimForm): Promise<RowName> {
  const plan = planOf(graph, claim);
  await loadGadgets(plan, LIBRARY);
  let found: RowName | undefined;
  const trace = ({ place, gadget, firstRow, rows }: Trace): void => {
    if (row < firstRow || row >= firstRow + rows) return;
    const line = gadget === undefined ? `0 = sum - ${placeName(place)}` : spell(gadget, row - firstRow);
    found = { row, layer: place.symbol, element: place.index, gadget: gadget?.name ?? "linear", line };
  };
  layAll(plan, new Circuit({ library: LIBRARY, trace }));
  if (found === undefined) throw new NodeError("usage", `the circuit has no row ${row}`);
  return found;
}

export function rowText({ row, layer, element, gadget, line }: RowName): string {
  return `row ${row}: ${placeName({ symbol: layer, index: element })}, ${gadget}: ${line}`;
}

function spell(gadget: Gadget, row: number): string {
  const lc = ({ wires, factors }: Lc): string => {
    const terms = wires.map((wire, i) => {
      const name = isInput(gadget, wire) ? `<${signalName(gadget.hint, wire)}>` : signalName(gadget.hint, wire);
      return factors[i] === 1 ? name : wire === 0 ? `${factors[i]}` : `${factors[i]} ${name}`;
    });
    return terms.length === 0 ? "0" : terms.join(" + ").replaceAll("+ -", "- ");
  };
  const [a, b, c] = gadget.rows[row] as readonly [Lc, Lc, Lc];
  return `(${lc(a)}) * (${lc(b)}) = ${lc(c)}`;
}
