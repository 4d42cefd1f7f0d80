// Whole models as a part of bench/README.md, from the results alone: what glassbox compile said beforehand beside what was
// measured.
import { lossOf } from "./bars.ts";
import { stampText } from "./provers/report.ts";
import { type Measured, measured, type ModelResults, type ModelsResults, type Spread } from "./results.ts";
import { bytes, count, notes, ratioText, seconds, share, spreadText, table } from "./text.ts";

export function modelsPart(results: ModelsResults): string {
  return `## Models

From a float ONNX file to a verified proof, as a user takes them: \`glassbox compile\` in a process of its own, then key, witness
and proof by the phases below. **said**: what \`glassbox compile\` tells before it makes a key, for a quiet machine of 2 cores.

${stampText(results)}

${results.models.map(modelTable).join("\n\n")}
${notes(results.models.map(({ title, phases }) => [title, phases]))}`;
}

type Row = readonly [what: string, said: string, found: string, times: string];

function modelTable({ title, phases }: ModelResults): string {
  const [compiled, key, witness, prove, verify] = ["package", "key", "witness", "prove", "verify"].map((phase) =>
    measured(phases[phase]),
  );
  const rows = [
    ...(compiled === undefined ? [] : packageRows(compiled)),
    ...against("key", bytes, compiled?.figures["keyBytes"], key?.figures["zkeyBytes"]),
    ...against("development key", seconds, compiled?.figures["keySeconds"], key?.seconds["make"]),
    ...plain("longest time without word of progress", seconds, key?.seconds["silence"]),
    ...plain("peak: key", bytes, key?.peak.own),
    ...plain("inference and witness, warm", seconds, witness?.seconds["warmWithRun"]),
    ...against("proof in a fresh process", seconds, compiled?.figures["proofSeconds"], prove?.seconds["cold"]),
    ...plain("proof, warm", seconds, prove?.seconds["warm"]),
    ...against("peak: proof", bytes, compiled?.figures["proofBytes"], prove?.peak.own),
    ...plain("verification, warm", seconds, verify?.seconds["warm"]),
  ];
  const others = Object.values(phases).map((outcome) => measured(outcome)?.others ?? 0);
  rows.push(...plain("cores busy with other work, at most", (cores) => cores.toFixed(1), Math.max(0, ...others)));
  return `### ${title}\n\n${table(["", "said", "measured", "measured / said"], rows)}`;
}

function packageRows(compiled: Measured): Row[] {
  const { figures, peak, seconds: times } = compiled;
  const { samples = 0, floatShare, integerShare, changed } = figures;
  return [
    ...plain("constraints", count, figures["constraints"]),
    ...plain("of these, the claim", count, figures["claimConstraints"]),
    ...plain("domain", count, figures["domain"]),
    ...plain("float ONNX", bytes, figures["sourceBytes"]),
    ...plain(".r1cs", bytes, figures["r1csBytes"]),
    ...plain("glassbox compile before keys", seconds, times["compile"]),
    ...plain("peak: glassbox compile before keys", bytes, peak.child ?? undefined),
    ...plain(`accuracy of the float model, ${count(samples)} samples`, share, floatShare),
    ...plain("accuracy in integers", share, integerShare),
    ...plain(`classes changed, of ${count(samples)}`, count, changed),
    ...plain("loss", share, lossOf(compiled)),
  ];
}

type Found = number | Spread | undefined;

function plain(what: string, show: (value: number) => string, found: Found): Row[] {
  return against(what, show, undefined, found);
}

/** No row where nothing was measured. */
function against(what: string, show: (value: number) => string, said: number | undefined, found: Found): Row[] {
  if (found === undefined) return [];
  const value = typeof found === "number" ? found : found.median;
  const times = said === undefined ? "-" : ratioText(value / said);
  return [
    [what, said === undefined ? "-" : show(said), typeof found === "number" ? show(found) : spreadText(found), times],
  ];
}
