// `glassbox compile --no-keys` as a user calls it, in a process of its own: from a float ONNX file to a package, with what it
// says key and proofs will take. Leaves the package's files for the phases of key, witness and proof.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Estimate } from "../../../node/app/estimate.ts";
import type { Accuracy } from "../../../node/model/accuracy.ts";
import { toIntegers } from "../../../node/model/border.ts";
import { readDataset } from "../../../node/model/dataset.ts";
import { floatInputs } from "../../../node/model/graph.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import { readModel } from "../../../node/model/onnx/read.ts";
import { randomInput } from "../../../test/support/nets.ts";
import { readGraph } from "../claims.ts";
import { EXAMPLES, MODELS } from "../models.ts";
import { FILES, fileOf, type Phase, timed } from "../ports.ts";
import { ROOT } from "../road.ts";

/** What `glassbox compile --json` prints, as far as it is read here. */
interface Compiled {
  readonly estimate: Estimate;
  readonly manifest: {
    readonly circuit: { readonly constraints: number; readonly claimConstraints: number; readonly domain: number };
    readonly report: {
      readonly accuracy: Accuracy;
      readonly layers: readonly { readonly observed: readonly [number, number] }[];
    };
  };
}

export const phase: Phase = async ({ network, folder }, look) => {
  const onnx = MODELS.find(({ name }) => name === network)?.onnx;
  const example = path.join(EXAMPLES, network);
  const place = path.join(folder, "package");
  const source = onnx === undefined ? path.join(example, "model.onnx") : path.join(folder, "source.onnx");
  if (onnx !== undefined) fs.writeFileSync(source, onnx());
  const data = (name: string): string => path.join(example, `${name}.npz`);
  const from =
    onnx === undefined
      ? ["--calibration", data("calibration"), "--test", data("test")]
      : ["--calibration", "random:7", "--input", "uint8"];
  const command = ["compile", source, ...from, "--out", place, "--no-keys", "--yes", "--json"];
  const [seconds, text] = await timed(() => glassbox(command, look));
  const { estimate, manifest } = JSON.parse(text) as Compiled;

  fs.renameSync(path.join(place, "graph.bin"), fileOf(folder, "graph"));
  for (const file of [FILES.r1cs, FILES.onnx]) fs.renameSync(path.join(place, file), path.join(folder, file));
  fs.rmSync(place, { recursive: true });
  const graph = readGraph(folder);
  const input =
    onnx === undefined
      ? toIntegers(
          bordersOf(graph).inputs,
          (await readDataset(data("test"), floatInputs(await readModel(source)))).samples[0] as Float64Array,
        )
      : randomInput(graph, 1);
  fs.writeFileSync(fileOf(folder, "input"), JSON.stringify(Array.from(input)));

  const { constraints, claimConstraints, domain } = manifest.circuit;
  const { accuracy, layers } = manifest.report;
  const { samples, float, integer, changed, error } = accuracy;
  const ranges = graph.outputs.map(({ ref }) => layers[ref]?.observed ?? [0, 0]);
  return {
    seconds: { compile: [seconds] },
    figures: {
      constraints,
      claimConstraints,
      domain,
      terms: estimate.terms,
      sourceBytes: fs.statSync(source).size,
      r1csBytes: fs.statSync(fileOf(folder, "r1cs")).size,
      keyBytes: estimate.keyBytes,
      keySeconds: estimate.keySeconds,
      proofSeconds: estimate.proofSeconds,
      proofBytes: estimate.proofBytes,
      samples,
      ...(float && integer && { floatShare: float.share, integerShare: integer.share }),
      ...(changed !== undefined && { changed }),
      ...(error && { errorMax: error.max, range: Math.max(...ranges.map(([lo, hi]) => hi - lo)) }),
    },
  };
};

/** Its standard output. @throws Error with what it says on the other one, unless it ends well */
async function glassbox(command: readonly string[], look: () => void): Promise<string> {
  const child = spawn(process.execPath, [path.join(ROOT, "node/app/cli/main.ts"), ...command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.setEncoding("utf8").on("data", (text: string) => out.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => err.push(text));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  let status: number | null | undefined;
  ended.then((code) => (status = code), () => undefined); // prettier-ignore
  while (status === undefined && child.exitCode === null && child.signalCode === null) {
    look(); // the kernel keeps the peak of a process that runs, and forgets it with the process
    await setTimeout(50);
  }
  if ((await ended) !== 0)
    throw new Error(`glassbox compile: ${err.join("").trim().split("\n").slice(-3).join(" / ")}`);
  return out.join("");
}
