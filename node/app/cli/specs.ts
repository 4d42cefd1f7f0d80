// Options that say something of all inputs (or outputs), or of one by its name: "uint8", "image=uint8"; repeatable.
import { InvalidArgumentError } from "commander";
import { NodeError } from "../../core/errors.ts";
import type { Specs } from "../../model/border.ts";
import type { Dims } from "../../model/onnx/check.ts";

/** What commander calls for each time that an option is given. Names may hold "=", what is declared may not. */
export function specsOption<S>(parse: (text: string) => S): (text: string, before?: Specs<S>) => Specs<S> {
  return (text, before = {}) => {
    const at = text.lastIndexOf("=");
    const name = text.slice(0, Math.max(0, at));
    if (at === 0) throw new InvalidArgumentError("There is no name before the =.");
    if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name || "all"} was declared before.`);
    return { ...before, [name]: parsed(parse)(text.slice(at + 1)) };
  };
}

/** "-1,1" @throws NodeError "usage" */
export function parseRange(text: string): readonly [number, number] {
  const parts = text.split(",");
  const [lo, hi] = parts.map((part) => (part.trim() === "" ? NaN : Number(part)));
  if (parts.length === 2 && lo !== undefined && hi !== undefined && lo < hi && Number.isFinite(hi - lo))
    return [lo, hi];
  throw new NodeError("usage", `"${text}" is no range`, {
    mend: "Give two numbers, the smaller first: --input-range=-1,1",
  });
}

/** "length=16", each name once. */
export function dimsOption(text: string, before: Dims = {}): Dims {
  const match = /^(.+)=(\d{1,9})$/.exec(text);
  const size = Number(match?.[2]);
  if (match === null || size < 1) throw new InvalidArgumentError("Give name and size of a dimension: --dim length=16");
  return specsOption(Number)(text, before);
}

/** Commander prints what is wrong with an option and ends with the exit code of "usage", given an error of its own. */
export function parsed<S>(parse: (text: string) => S): (text: string) => S {
  return (text) => {
    try {
      return parse(text);
    } catch (thrown) {
      if (!(thrown instanceof NodeError)) throw thrown;
      throw new InvalidArgumentError([thrown.message, thrown.mend].filter(Boolean).join(". "));
    }
  };
}
