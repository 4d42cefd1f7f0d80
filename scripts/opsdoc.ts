// Writes docs/ops.md from the tables in the code: the ONNX ops that are read (node/model/onnx/ops.ts), the ops of the
// integer graph (node/model/ir.ts) and the gadgets that they are proved with (the headers of circuits/). A test compares.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Op } from "../node/model/ir.ts";
import { OPSETS } from "../node/model/onnx/check.ts";
import { supportedOps } from "../node/model/onnx/ops.ts";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** What each op of the integer graph is proved with, and what that costs. */
const INTEGER_OPS: { readonly [K in Op]: readonly [gadgets: readonly string[], cost: string] } = {
  input: [["Bits"], "bits of its type + 1 per value: its range is proved"],
  dense: [[], "0: linear"],
  conv: [[], "0: linear"],
  affine: [[], "0: linear"],
  sum: [[], "0: linear"],
  reshape: [[], "0: wiring"],
  transpose: [[], "0: wiring"],
  pad: [[], "0: wiring"],
  concat: [[], "0: wiring"],
  take: [[], "0: wiring"],
  rescale: [["Rescale", "RescaleEven", "AtLeast", "AtMost"], "B + 2, B + 4 where it may saturate; 3 more for halves to even; n + 3 more where a saturated width is no power of two"], // prettier-ignore
  max: [["Max2"], "n + 3"],
  maxpool: [["Max2"], "n + 3 for each value of the window but one"],
  argmax: [["MaxIndex"], "n + 4 for each value but one"],
  mul: [["Mul"], "1"],
  matmul: [["Mul"], "1 per product"],
  div: [["Div"], "n + 2k + 3 for a quotient of n bits and a divisor of k"],
  sqrt: [["Sqrt"], "n + 2k + 3 for a root of n bits, twice which has k"],
  lookup: [["OneHot", "Select"], "2^h for a one-hot of h bits of the index, then a tree of choices: 26 at 8 bits, 58 at 10; less where entries repeat; the index' bits, n + 1, where nothing spelled them before"], // prettier-ignore
  step: [["Steps", "AtLeast"], "n + 2; of m > 1 thresholds of one number, m + 2B + 3"],
  iszero: [["IsZero"], "2"],
  onehot: [["OneHot"], "m + 2 for m columns"],
  select: [["Select"], "1"],
};

/** Up to the first full stop that ends a sentence. */
const sentence = (text: string): string =>
  text
    .replaceAll(/\s+/g, " ")
    .trim()
    .split(/\.(?= |$)/)[0] ?? "";

/** What each gadget's header says first, and what its cost line says. */
function gadgets(): readonly (readonly string[])[] {
  const folder = path.join(root, "circuits");
  const files = fs.readdirSync(folder).toSorted();
  return files.map((file) => {
    const lines = fs.readFileSync(path.join(folder, file), "utf8").split("\n");
    const from = lines.findIndex((line) => line.startsWith("//"));
    const comments = lines.slice(from);
    const header = comments.slice(0, comments.findIndex((line) => !line.startsWith("//"))).map((line) => line.slice(2)).join("\n"); // prettier-ignore
    const cost = header.split("Cost:")[1];
    if (cost === undefined) throw new Error(`the header of ${file} does not say what it costs`);
    return [file.replace(".circom", ""), sentence(header), sentence(cost)];
  });
}

const cell = (text: string): string => text.replaceAll("|", "\\|");
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  row(...head),
  `|${head.map(() => "---|").join("")}`,
  ...rows.map((cells) => row(...cells)),
];

/** The document. */
export function opsDocument(): string {
  const ops = supportedOps();
  const of = (domain: string): string[][] =>
    ops
      .filter(({ op }) => (domain === "" ? !op.includes(".") : op.startsWith(`${domain}.`)))
      .map(({ op, since, attributes, limits, cost }) => [
        domain === "" ? op : op.slice(domain.length + 1),
        attributes.join(", "),
        since === undefined ? "" : String(since),
        limits,
        cost,
      ]);
  const head = ["op", "attributes that are read", "from opset", "restrictions", "constraints"];
  const lines = [
    "# Operators",
    "",
    "<!-- Made from the tables in the code by `node scripts/opsdoc.ts`; test/docs.test.ts holds it to them. -->",
    "",
    `Models of ai.onnx' opsets ${OPSETS.oldest} to ${OPSETS.newest} are read (beside ai.onnx.ml, older ones too), with the domains ai.onnx.ml and com.microsoft.`,
    "What is not in these tables is refused by name, all of a model's problems at once. Shapes are static; several inputs",
    "and outputs are fine. Most ops of constants are computed when compiling; of the others, the message names the op.",
    "",
    "## What it costs",
    "",
    "The last column counts constraints for each element of the result, unless it says otherwise:",
    "",
    "- B is the number of bits of an accumulator (or of a number that is compared), by its exact static bounds; n the number",
    "  of bits of what is compared with 0, but for its sign: two 8-bit numbers differ by n = 8 bits.",
    "- Weights are constants, so that everything linear is free. Behind a linear op, a *rescale* of B + 4 constraints (B + 2",
    "  where it cannot saturate) brings each value back to a few bits where the next op needs that, once: before weights,",
    "  tables and products, and at the output. It is not counted in the tables below. Relu and Clip are that rescale's",
    "  clamp.",
    "- *A table* is a look-up: 26 constraints at 8 bits of index, 58 at 10 (the default width), fewer where entries",
    "  repeat. What has more bits than the index is rescaled to it first. Functions of one tensor that follow each other",
    "  become one table.",
    "- *A quotient* is n + 2k + 3: n bits of the quotient (16 or so), k of the divisor. *A root* is the same: n bits of the",
    "  root, k of twice the root.",
    "- K is the number of rows, columns or keys that an index chooses from.",
    "- Inputs cost their type's bits + 1 per value, truth values 2 more; every 31 bytes of input or output about 42 for the",
    "  claim's hash.",
    "",
    "## ai.onnx",
    "",
    ...table(head, of("")),
    "",
    "## ai.onnx.ml",
    "",
    ...table(head, of("ai.onnx.ml")),
    "",
    "## com.microsoft",
    "",
    "What onnxruntime's quantizer writes; its results are onnxruntime's, bit for bit.",
    "",
    ...table(head, of("com.microsoft")),
    "",
    "## The integer graph",
    "",
    "What ONNX ops become, and what is proved; `glassbox inspect --ir` prints a model's.",
    "",
    ...table(["op", "gadgets", "constraints per element"], Object.entries(INTEGER_OPS).map(([op, [names, cost]]) => [op, names.join(", "), cost])), // prettier-ignore
    "",
    "## The gadgets",
    "",
    "One template each in `circuits/`, whose headers say what their parameters are.",
    "",
    ...table(["gadget", "ensures", "constraints"], gadgets()),
  ];
  return `${lines.join("\n")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  fs.writeFileSync(path.join(root, "docs", "ops.md"), opsDocument());
