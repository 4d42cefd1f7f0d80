// Gadgets by (template, parameters): those that a circuit needs and nobody asked for before are compiled together, in one
// run of circom, and kept in memory for the life of the process. No cache on disk: a cold run takes about 0.2 s.
import { NodeError } from "../core/errors.ts";
import { batchSource, compile, specLabel, specName } from "./compile.ts";
import type { Spec } from "./compile.ts";
import { gadgetOf } from "./gadget.ts";
import type { Gadget } from "./gadget.ts";
import { HINTS } from "./hints.ts";
import type { Hint, Hints } from "./hints.ts";
import { ONE, lcOf } from "./lc.ts";
import type { Lc, Row, Value } from "./lc.ts";
import { ABSORB, absorbHint, absorbRows } from "./poseidon.ts";
import { readR1cs, rowsOf, symbolsOf } from "./r1cs.ts";

export class Library {
  readonly #hints: Hints;
  readonly #gadgets = new Map<string, Gadget>();

  /** hints: other than the project's own only where a test plays the dishonest prover. */
  constructor(hints: Hints = HINTS) {
    this.#hints = hints;
  }

  /** Makes `get` answer for all of these. */
  async load(specs: readonly Spec[]): Promise<void> {
    const missing = new Map<string, Spec>();
    for (const spec of specs) {
      if (spec.template !== ABSORB && !this.#gadgets.has(specName(spec))) missing.set(specName(spec), spec);
    }
    const absorb = specs.some(({ template }) => template === ABSORB) && !this.#gadgets.has(`${ABSORB}()`);
    if (absorb) missing.set("Sbox()", { template: "Sbox", params: [] });
    const wanted = [...missing.values()];
    const made = await compileGadgets(wanted, this.#hints);
    made.forEach((gadget, i) => this.#gadgets.set(specName(wanted[i] as Spec), gadget));
    if (absorb) {
      const hint = absorbHint();
      this.#gadgets.set(
        `${ABSORB}()`,
        gadgetOf(`${ABSORB}()`, hint, absorbRows(this.get({ template: "Sbox", params: [] }), hint)),
      );
    }
  }

  get(spec: Spec): Gadget {
    const gadget = this.#gadgets.get(specName(spec));
    if (gadget === undefined) throw new NodeError("internal", `gadget ${specName(spec)} was not loaded`);
    return gadget;
  }
}

/** The process's own library. */
export const LIBRARY = new Library();

async function compileGadgets(specs: readonly Spec[], hints: Hints): Promise<Gadget[]> {
  if (specs.length === 0) return [];
  const known = specs.map(({ template, params }): Hint => {
    const make = hints[template];
    if (make === undefined) throw new NodeError("internal", `no hint for the template ${template}`);
    return make(...params.flat());
  });
  const source = batchSource(specs, (spec) => (known[specs.indexOf(spec)] as Hint).inputs);
  const { r1cs, sym } = await compile(source, { level: "--O0" });

  // component i owns these wires; its local ones stand in the order of its hint, which has all their names
  const signals = known.map(({ inputs, outputs, internals }) => [...outputs, ...inputs, ...internals]);
  const positions = signals.map((list) => new Map(list.map((signal, k) => [signal, 1 + k])));
  const owner: number[] = [-1];
  const localOf: number[] = [ONE];
  const found = specs.map((): string[] => []);
  for (const { wire, name } of symbolsOf(sym)) {
    const [, component = "", signal = ""] = /^main\.g(\d+)\.(.+)$/.exec(name) ?? [];
    const i = Number(component);
    owner[wire] = i;
    localOf[wire] = positions[i]?.get(signal) ?? -1;
    found[i]?.push(signal);
  }
  specs.forEach((spec, i) => {
    const [theirs, ours] = [found[i] as string[], signals[i] as string[]];
    if ([...theirs].sort().join() === [...ours].sort().join()) return;
    throw new NodeError("internal", `${specName(spec)} has the signals ${theirs.join()}, its hint ${ours.join()}`);
  });
  const rows: Row[][] = specs.map(() => []);
  for (const row of rowsOf(readR1cs(r1cs))) {
    const i = owner[row.flatMap(({ wires }) => wires).find((wire) => wire > 0) ?? 0] ?? -1;
    // circom's order of terms depends on where in the batch a gadget stands, so they are put in order of wires
    const local = ({ wires, factors }: Lc): Lc => {
      const terms = wires.map((wire, k) => [localOf[wire] as number, factors[k] as Value] as const);
      return lcOf(...terms.sort(([x], [y]) => x - y));
    };
    rows[i]?.push([local(row[0]), local(row[1]), local(row[2])]);
  }
  return specs.map((spec, i) => gadgetOf(specLabel(spec), known[i] as Hint, rows[i] as Row[]));
}
