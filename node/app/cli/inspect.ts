// glassbox inspect: what a model or a package is made of; nothing is written.
import fs from "node:fs";
import { Command } from "commander";
import { buildCircuit } from "../../circuit/build.ts";
import { NodeError } from "../../core/errors.ts";
import { parseInputSpec } from "../../model/border.ts";
import { supportedOps } from "../../model/onnx/ops.ts";
import { printGraph } from "../../model/print.ts";
import { loadPackage, readGraph } from "../../proof/package.ts";
import { bordersOf } from "../../model/ir.ts";
import { readModelBytes } from "../../model/onnx/read.ts";
import { prepareModel } from "../compile.ts";
import { columns } from "../terminal.ts";
import { preparing, type SourceOptions, withSource } from "./compile.ts";
import { action, withExamples } from "./context.ts";
import { domainText, elemTypesOf, layerTable, sayBorders, showPackage } from "./show.ts";

interface Options extends SourceOptions {
  readonly ir?: true;
  readonly ops?: true;
}

export function inspectCommand(): Command {
  const command = new Command("inspect")
    .description("print layers, ranges and constraints of an ONNX file or of a package")
    .argument("[model]", "a package's folder, or an .onnx file")
    .option("--calibration <data>", "for an .onnx file: samples, or random[:seed]", "random:1");
  withSource(command)
    .option("--ir", "print the integer graph as text")
    .option("--ops", "print the ONNX operators that the compiler reads");
  withExamples(command, ["inspect packages/digits-cnn", "inspect my.onnx --calibration samples.npz", "inspect --ops"]);
  return command.action(
    action(async (context, model: string | undefined, options: Options) => {
      if (options.ops) {
        const ops = supportedOps();
        context.report(ops, (say) => {
          const rows = ops.map(({ op, limits, cost }) => [op, cost, limits]);
          for (const line of columns([["op", "constraints (docs/ops.md)", "limits"], ...rows], "")) say(line);
        });
        return;
      }
      if (model === undefined) {
        throw new NodeError("usage", "nothing to inspect is named", {
          mend: "Name an .onnx file or a package's folder.",
        });
      }
      const place = context.path(model);
      if (fs.statSync(place, { throwIfNoEntry: false })?.isDirectory()) {
        const pack = await loadPackage(place, { keys: false, signal: context.signal });
        const graph = await readGraph(pack);
        const { dims } = pack.manifest.choices;
        const float = await readModelBytes(new Uint8Array(fs.readFileSync(pack.path("source"))), undefined, { dims });
        const elemTypes = elemTypesOf(float);
        context.report(
          { ...pack.manifest, elemTypes, digest: pack.digest, ...(options.ir && { ir: printGraph(graph) }) },
          (say) => (options.ir ? say(printGraph(graph)) : showPackage(pack, elemTypes, say)),
        );
        return;
      }
      const { float, quantized } = await prepareModel(
        { source: place, ...preparing(context, options), assumed: parseInputSpec("int8@-7") },
        context.step,
      );
      const { inputs, outputs } = bordersOf(quantized.graph);
      const elemTypes = elemTypesOf(float);
      const circuit = await context.step("count the constraints", (call) => buildCircuit(quantized.graph, call));
      const ir = options.ir && printGraph(quantized.graph);
      const { layers, notices } = quantized;
      context.report({ inputs, outputs, elemTypes, layers, notices, circuit, ...(ir && { ir }) }, (say) => {
        if (ir) return say(ir);
        sayBorders("input", inputs, elemTypes, say);
        sayBorders("output", outputs, undefined, say);
        say(domainText(circuit));
        for (const notice of notices) say(`note: ${notice}`);
        const costs = circuit.layers.map(({ constraints }) => constraints);
        for (const line of layerTable(layers, costs)) say(line);
      });
    }),
  );
}
