// The normal form of a circuit: what its rows say about a given set of named wires, however they were written. Linear rows
// are solved for all other wires first, then brought to reduced echelon form; product rows are reduced by them and scaled.
// Two circuits with one normal form have the same solutions on those wires. For small circuits.
import { inverse, reduce } from "../../node/core/field.ts";
import type { Lc, Row, Value } from "../../node/circuit/lc.ts";

/** Factors by name; "" is the constant one. */
type Form = Map<string, bigint>;

export interface NormalForm {
  readonly linear: readonly string[];
  readonly products: readonly string[];
  /** Wires outside the set that products still mention; none in a circuit that only adds linear steps. */
  readonly foreign: readonly string[];
}

export function normalForm(
  rows: Iterable<Row>,
  nameOf: (wire: number) => string,
  kept: ReadonlySet<string>,
): NormalForm {
  const formOf = ({ wires, factors }: Lc): Form => {
    const form: Form = new Map();
    wires.forEach((wire, i) => add(form, wire === 0 ? "" : nameOf(wire), BigInt(factors[i] as Value)));
    return form;
  };
  const system = new LinearSystem(kept);
  let products: (readonly [Form, Form, Form])[] = [...rows].map(([a, b, c]) => [formOf(a), formOf(b), formOf(c)]);
  for (let before = -1; before !== products.length;) {
    before = products.length;
    products = products.filter(([a, b, c]) => {
      const [fa, fb, fc] = [system.reduced(a), system.reduced(b), system.reduced(c)];
      const [scalar, other] = isConstant(fa) ? [fa, fb] : [fb, fa];
      if (!isConstant(scalar)) return true;
      for (const [name, factor] of other) add(fc, name, -factor * (scalar.get("") ?? 0n));
      system.learn(fc);
      return false;
    });
  }
  const reduced = products.map((row) => row.map((form) => system.reduced(form)) as unknown as [Form, Form, Form]);
  const foreign = new Set(reduced.flatMap((row) => row.flatMap((form) => [...form.keys()])));
  return {
    linear: system.rows().sort(),
    products: [...new Set(reduced.map(spell))].sort(),
    foreign: [...foreign].filter((name) => name !== "" && !kept.has(name)),
  };
}

/** Linear rows, solved: each pivot in terms of wires that are no pivots. */
class LinearSystem {
  readonly #kept: ReadonlySet<string>;
  readonly #pivots = new Map<string, Form>();
  readonly #mentions = new Map<string, Set<string>>();

  constructor(kept: ReadonlySet<string>) {
    this.#kept = kept;
  }

  reduced(form: Form): Form {
    const result: Form = new Map();
    for (const [name, factor] of form) {
      const pivot = this.#pivots.get(name);
      if (pivot === undefined) add(result, name, factor);
      else for (const [other, by] of pivot) add(result, other, factor * by);
    }
    return result;
  }

  /** form = 0; foreign wires are solved for first, then the last name in order, so that the outcome is unique. */
  learn(form: Form): void {
    const rest = this.reduced(form);
    const names = [...rest.keys()].filter((name) => name !== "").sort();
    const last = names.at(-1);
    if (last === undefined) {
      if (rest.size > 0) throw new Error("the rows contradict each other");
      return;
    }
    const pivot = names.find((name) => !this.#kept.has(name)) ?? last;
    const scale = -inverse(rest.get(pivot) as bigint);
    rest.delete(pivot);
    const value: Form = new Map([...rest].map(([name, factor]) => [name, reduce(factor * scale)]));
    for (const user of this.#mentions.get(pivot) ?? []) {
      const old = this.#pivots.get(user) as Form;
      const factor = old.get(pivot);
      if (factor === undefined) continue;
      old.delete(pivot);
      for (const [name, by] of value) add(old, name, factor * by);
      this.#mention(user, value);
    }
    this.#pivots.set(pivot, value);
    this.#mention(pivot, value);
  }

  rows(): string[] {
    return [...this.#pivots].filter(([name]) => this.#kept.has(name)).map(([name, form]) => `${name} = ${text(form)}`);
  }

  #mention(user: string, form: Form): void {
    for (const name of form.keys()) {
      const users = this.#mentions.get(name);
      if (users === undefined) this.#mentions.set(name, new Set([user]));
      else users.add(user);
    }
  }
}

function add(form: Form, name: string, factor: bigint): void {
  const sum = reduce((form.get(name) ?? 0n) + factor);
  if (sum === 0n) form.delete(name);
  else form.set(name, sum);
}

function isConstant(form: Form): boolean {
  return form.size === 0 || (form.size === 1 && form.has(""));
}

function text(form: Form): string {
  const terms = [...form].sort(([a], [b]) => (a < b ? -1 : 1));
  return terms.map(([name, factor]) => `${factor}*${name === "" ? "1" : name}`).join(" + ");
}

/** A product row with both factors scaled so that their first factor is one, in order. */
function spell([a, b, c]: readonly [Form, Form, Form]): string {
  const lead = (form: Form): bigint => form.get([...form.keys()].sort().at(-1) as string) as bigint;
  const scaled = (form: Form, by: bigint): string =>
    text(new Map([...form].map(([name, factor]) => [name, reduce(factor * by)])));
  const [ia, ib] = [inverse(lead(a)), inverse(lead(b))];
  const [first, second] = [scaled(a, ia), scaled(b, ib)].sort() as [string, string];
  return `(${first}) * (${second}) = ${scaled(c, ia * ib)}`;
}
