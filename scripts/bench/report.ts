// bench/README.md, from the results alone: the whole page, so that no figure on it is written by hand.
import { type Bar, LEVELS, measured, type NetworkResults, type Outcomes, peakBytes, type Results } from "./results.ts";
import { modelsPart } from "./models-part.ts";
import { proversPart, stampText } from "./provers/report.ts";
import { amount, bytes, count, notes, ratioText, seconds, spreadText, table } from "./text.ts";

type Cell = (outcomes: Outcomes) => string;

/** A row of the first table: what is shown of each network. */
const ROWS: readonly (readonly [string, Cell])[] = [
  ["constraints", figure("circuit", "constraints", count)],
  ["of these, the claim", figure("circuit", "claimConstraints", count)],
  ["domain", figure("circuit", "domain", count)],
  ["compile: float to quantized ONNX", time("model", "compile")],
  ["circuit, cold", time("circuit", "cold")],
  ["circuit, warm", time("circuit", "warm")],
  ["development key", time("key", "make")],
  ["inference (onnxruntime), warm", time("witness", "run")],
  ["witness, cold", time("witness", "cold")],
  ["witness, warm", time("witness", "warm")],
  ["glassbox compile, from float ONNX to development key", time("compile", "all")],
  ["proof, cold", time("prove", "cold")],
  ["proof, warm", time("prove", "warm")],
  ["proof by snarkjs, cold", time("snarkjs", "cold")],
  ["proof by snarkjs, warm", time("snarkjs", "warm")],
  ["proof by rapidsnark", time("rapidsnark", "warm")],
  ["verification, cold", time("verify", "cold")],
  ["verification, warm", time("verify", "warm")],
  ["peak: compile", peak("model")],
  ["peak: circuit", peak("circuit")],
  ["peak: key", peak("key")],
  ["peak: witness", peak("witness")],
  ["peak: proof", peak("prove")],
  ["peak: proof by snarkjs", peak("snarkjs")],
  ["peak: proof by rapidsnark", peak("rapidsnark")],
  ["size: quantized ONNX", figure("model", "onnxBytes", bytes)],
  ["size: .r1cs", figure("circuit", "r1csBytes", bytes)],
  ["size: .zkey", figure("key", "zkeyBytes", bytes)],
  ["size: .wtns", figure("witness", "wtnsBytes", bytes)],
  ["size: proof as JSON", figure("prove", "proofJsonBytes", bytes)],
  ["gas: register", figure("gas", "register", count)],
  ["gas: request", figure("gas", "request", count)],
  ["gas: fulfil", figure("gas", "fulfil", count)],
];

/** A row of the second table: ours against the baseline's. */
interface Versus {
  readonly what: string;
  readonly ours: readonly [phase: string, name: string];
  readonly theirs: readonly [phase: string, name: string];
  readonly kind: "seconds" | "figure" | "bytes" | "peak";
}

const VERSUS: readonly Versus[] = [
  { what: "circuit, cold", ours: ["circuit", "cold"], theirs: ["circom", "cold"], kind: "seconds" },
  { what: "circuit, peak", ours: ["circuit", ""], theirs: ["circom", ""], kind: "peak" },
  { what: "constraints", ours: ["circuit", "constraints"], theirs: ["circom", "constraints"], kind: "figure" },
  { what: ".r1cs", ours: ["circuit", "r1csBytes"], theirs: ["circom", "r1csBytes"], kind: "bytes" },
  { what: "development key", ours: ["key", "make"], theirs: ["key", "make"], kind: "seconds" },
  { what: ".zkey", ours: ["key", "zkeyBytes"], theirs: ["key", "zkeyBytes"], kind: "bytes" },
  { what: "inference and witness, cold", ours: ["witness", "coldWithRun"], theirs: ["circom-witness", "cold"], kind: "seconds" }, // prettier-ignore
  { what: "inference and witness, warm", ours: ["witness", "warmWithRun"], theirs: ["circom-witness", "warm"], kind: "seconds" }, // prettier-ignore
  { what: "proof, cold", ours: ["prove", "cold"], theirs: ["snarkjs", "cold"], kind: "seconds" },
  { what: "proof, warm", ours: ["prove", "warm"], theirs: ["snarkjs", "warm"], kind: "seconds" },
  { what: "proof, peak", ours: ["prove", ""], theirs: ["snarkjs", ""], kind: "peak" },
];

export function page(results: Results): string {
  const { networks, models, provers } = results;
  return `# Bench

Written by \`npm run bench\` from [results.json](results.json); nothing here is written by hand.

${stampText(results)}

## Bars

${table(["bar", "limit", "measured", "", "cores busy with other work"], results.bars.map(barRow))}

Times mean little where other programs kept the machine busy: the last column says how much, while that bar was measured.
${models === undefined ? "" : `\n${modelsPart(models)}`}${provers === undefined ? "" : `\n${proversPart(provers)}`}
${networks.length === 0 ? "" : networksPart(networks)}## How to read it

- **cold**: the first call in a fresh process, after its modules are loaded; for a snarkjs proof also the start of the prover's
  process, for a verification also the curve and the check of the key. **warm**: later calls in the same process.
- **compile**: read the ONNX file and the calibration data, quantize, write the quantized ONNX file. Networks of random weights
  begin as integer graphs, so there is none.
- **circuit**: from the integer graph to the \`.r1cs\` on disk; cold includes circom compiling the gadgets.
- **witness**: from the tensors of the run to the bytes of the \`.wtns\`, the check of every tensor against the integer graph
  included.
- **proof**: as the node makes it, from \`.zkey\` and \`.wtns\` to a proof that has been verified, whose signals are then compared with
  the claim. rapidsnark runs where the environment variable \`RAPIDSNARK\` names its \`prover\`.
- **peak**: the most resident memory of a phase, which has a process of its own, plus, where it starts one, that of the prover's
  process; bars and ratios take the sum. 1 MB is 10^6 bytes.
- **gas**: transactions on an embedded chain (EDR) with real proofs; \`fulfil\` is a prover's first, which costs most.
- A development key stands in for a ceremony's; the proof costs the same with either.

## How to run it

\`\`\`
npm run bench                                   all of it, into bench/
npm run bench -- provers                        the race of provers only; the rest of bench/ stays as it is
npm run bench -- models                         the whole way of whole models only
npm run bench -- --only digits-cnn --runs 5     some networks; printed, and written only where --out says
npm run bench -- --check                        exit code 1 if a bar is missed
npm run bench -- --help
\`\`\`

Run it on a quiet machine; it takes about half an hour on 2 cores.
`;
}

function networksPart(networks: readonly NetworkResults[]): string {
  return `## Glassbox

Medians, least and most in brackets.

${table(["", ...networks.map(({ title }) => title)], ownRows(networks))}
${notes(networks.map(({ title, phases }) => [title, phases]))}
## Against circom2 and snarkjs

The same network in the usual way, in the same run: one circom program (what \`glassbox export-circom\` writes: the same gadgets,
the weights as constants) compiled as a whole by circom2, the witness by circom's own program, the proof by snarkjs. \`--O1\` is
circom's default; \`--O2\` has fewer rows and denser ones, and takes longer to compile. The baseline's key is a development key of
ours for its .r1cs, since \`powersoftau\` and \`zkey new\` take minutes and would say nothing about the proof. Ratios are Glassbox
to baseline: below 1 is less.

${table(["network", "", "Glassbox", ...LEVELS.flatMap((level) => [`circom --${level}`, "ratio"])], networks.flatMap(versusRows))}
${notes(networks.flatMap(baselineNotes))}
`;
}

function barRow({ what, unit, limit, atLeast, measured, verdict, others }: Bar): string[] {
  const found = measured === null ? "-" : amount(unit, measured);
  return [
    what,
    `${atLeast === true ? "at least " : ""}${amount(unit, limit)}`,
    found,
    `**${verdict}**`,
    others === undefined ? "-" : others.toFixed(1),
  ];
}

function ownRows(networks: readonly NetworkResults[]): string[][] {
  return ROWS.map(([name, cell]) => [name, ...networks.map(({ phases }) => cell(phases))]).filter((row) =>
    row.slice(1).some((cell) => cell !== "-"),
  );
}

function versusRows({ title, phases, baselines }: NetworkResults): string[][] {
  if ("reason" in baselines) return [];
  return VERSUS.map(({ what, ours, theirs, kind }) => {
    const mine = valueOf(phases, kind, ours);
    const show = (value: number | undefined): string => (value === undefined ? "-" : SHOW[kind](value));
    const others = LEVELS.flatMap((level) => {
      const other = valueOf(baselines[level], kind, theirs);
      return [show(other), mine === undefined || other === undefined ? "-" : ratioText(mine / other)];
    });
    return [title, what, show(mine), ...others];
  });
}

function baselineNotes({ title, baselines }: NetworkResults): (readonly [string, Outcomes])[] {
  if ("reason" in baselines) return [[title, { "circom2 + snarkjs": baselines }]];
  return LEVELS.map((level) => [`${title}, --${level}`, baselines[level]]);
}

function valueOf(outcomes: Outcomes, kind: Versus["kind"], [phase, name]: readonly [string, string]) {
  const outcome = measured(outcomes[phase]);
  if (kind === "seconds") return outcome?.seconds[name]?.median;
  if (kind === "peak") return outcome && (peakBytes(outcome.peak) ?? undefined);
  return outcome?.figures[name];
}

const SHOW: Readonly<Record<Versus["kind"], (value: number) => string>> = {
  seconds,
  figure: count,
  bytes,
  peak: bytes,
};

// ---- cells ----

function time(phase: string, name: string): Cell {
  return (outcomes) => {
    const spread = measured(outcomes[phase])?.seconds[name];
    return spread === undefined ? "-" : spreadText(spread);
  };
}

function figure(phase: string, name: string, show: (value: number) => string): Cell {
  return (outcomes) => {
    const value = measured(outcomes[phase])?.figures[name];
    return value === undefined ? "-" : show(value);
  };
}

function peak(phase: string): Cell {
  return (outcomes) => {
    const outcome = measured(outcomes[phase]);
    if (outcome === undefined) return "-";
    const { own, child } = outcome.peak;
    if (child === null) return `${bytes(own)} + ?`;
    return child === 0 ? bytes(own) : `${bytes(own)} + ${bytes(child)}`;
  };
}
