// glassbox doctor: does everything that a node, a publisher or an auditor needs work on this machine? Each check does the
// real thing, small: run a quantized model, compile a gadget, make a key, prove, verify; and looks at chain and key if named.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Command } from "commander";
import { buildCircuit } from "../../circuit/build.ts";
import { bindingOf, claimOf } from "../../circuit/claim.ts";
import { prepareWitness } from "../../circuit/witness.ts";
import { openKey } from "../../chain/keys.ts";
import { asNodeError, EXIT_CODES } from "../../core/errors.ts";
import { type BorderTensor, encodeTensors } from "../../core/tensor.ts";
import { emitOnnx } from "../../model/emit.ts";
import { evaluate, outputsOf } from "../../model/evaluate.ts";
import { bordersOf, type Graph } from "../../model/ir.ts";
import { openRunner } from "../../model/run.ts";
import { openProver } from "../../proof/prover.ts";
import { makeDevelopmentKey } from "../../proof/setup.ts";
import { verifyProof } from "../../proof/verify.ts";
import { bytes, duration } from "../terminal.ts";
import { type ChainOptions, type KeyOptions, openClient, withChain, withKey } from "./chain.ts";
import { action, projectFolder, withExamples } from "./context.ts";

interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly mend?: string;
}

interface Options extends ChainOptions, KeyOptions {
  readonly rapidsnark?: string;
}

const GB = 1e9;

/** A model of one layer: two inputs, one weight each, rescaled. */
function smallGraph(): Graph {
  const input: BorderTensor = { name: "x", shape: [1, 2], type: { bits: 8, signed: true }, exponent: 0 };
  const output: BorderTensor = { name: "y", shape: [1, 1], type: { bits: 8, signed: true }, exponent: 0 };
  return {
    nodes: [
      { op: "input", name: "x", shape: [1, 2], border: input },
      { op: "dense", name: "sum", shape: [1, 1], x: 0, weights: Int32Array.of(100, -27), bias: Float64Array.of(5) },
      {
        op: "rescale",
        name: "y",
        shape: [1, 1],
        x: 1,
        multiplier: [1],
        shift: [7],
        axis: 1,
        lo: -128,
        hi: 127,
        ties: "up",
      },
    ],
    outputs: [{ ref: 2, border: output }],
  };
}

export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("check this machine, and chain and key if they are named; exit code 7 if anything is wrong")
    .option("--rapidsnark <prover>", "rapidsnark's prover binary, to be checked instead of the built-in one");
  withExamples(withKey(withChain(command)), ["doctor", "doctor --deployment deployment.json --key-file prover.key"]);
  return command.action(
    action(async (context, options: Options) => {
      const findings: Finding[] = [];
      const find = async (name: string, work: () => Promise<string> | string): Promise<void> => {
        try {
          findings.push({
            name,
            ok: true,
            detail: await context.step(
              name,
              async () => work(),
              (text) => text,
            ),
          });
        } catch (thrown) {
          const { message, mend, code } = asNodeError(thrown);
          if (code === "aborted") throw thrown;
          context.terminal.note(`  ${name}: ${message}`);
          findings.push({ name, ok: false, detail: message, ...(mend !== undefined && { mend }) });
        }
      };
      const fail = (message: string): never => {
        throw new Error(message);
      };

      await find("Node", () => `${process.version} on ${process.platform}-${process.arch}`);
      await find("memory", () =>
        os.totalmem() < 2 * GB
          ? fail(`${bytes(os.totalmem())}: less than 2 GB`)
          : `${bytes(os.freemem())} free of ${bytes(os.totalmem())}`,
      );
      await find("disk", () => {
        const { bavail, bsize } = fs.statfsSync(projectFolder);
        const free = bavail * bsize;
        return free < GB ? fail(`${bytes(free)} free: keys of larger models need more`) : `${bytes(free)} free`;
      });

      const graph = smallGraph();
      const x = Float64Array.of(-77, 113);
      const expected = evaluate(graph, x);
      await find("onnxruntime", async () => {
        const runner = await openRunner(emitOnnx(graph), graph);
        try {
          const tensors = await runner.run(x);
          const same = expected.every((tensor, i) => tensor.every((value, k) => value === tensors[i]?.[k]));
          return same
            ? "computes the integer graph bit for bit"
            : fail("computes something else than the integer graph");
        } finally {
          await runner.close();
        }
      });
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-doctor-"));
      const prover = await openProver(options);
      try {
        const [r1cs, zkey] = [path.join(folder, "c.r1cs"), path.join(folder, "k.zkey")];
        await find(
          "circuit compiler",
          async () => `${(await buildCircuit(graph, { file: r1cs })).constraints} constraints`,
        );
        await find(`prover (${prover.name})`, async () => {
          const { vkey } = await makeDevelopmentKey({ r1cs, zkey, signal: context.signal });
          const { inputs, outputs } = bordersOf(graph);
          const input = encodeTensors(inputs, x);
          const output = encodeTensors(outputs, outputsOf(graph, expected));
          const c = bindingOf(input, output);
          const r = 1n + c / 2n;
          const wtns = (await prepareWitness(graph))(expected, r);
          const started = performance.now();
          const { proof, signals } = await prover.prove({ zkey, wtns }, { signal: context.signal });
          const { v } = claimOf(input, output, r);
          if (!(await verifyProof(vkey, { c, v, r }, proof)) || (await verifyProof(vkey, { c, v, r: r + 1n }, proof))) {
            fail("a proof does not verify as it should");
          }
          return `a proof of ${signals.c === c ? "the claim" : fail("another claim")} in ${duration(performance.now() - started)}`;
        });
      } finally {
        await prover.close();
        fs.rmSync(folder, { recursive: true, force: true });
      }
      if (options.rpc !== undefined || options.deployment !== undefined) {
        await find("chain", async () => {
          const { client } = await openClient(context, options);
          const head = await client.head(context.signal);
          const age = Math.round(Date.now() / 1000 - head.time);
          return `chain ${client.chainId}, block ${head.number} (${age} s old), coordinator ${client.coordinator}`;
        });
      }
      if (options.keyFile !== undefined) {
        await find("key", async () => {
          const { address } = await openKey({
            keyFile: context.path(options.keyFile ?? ""),
            passwordFile: options.passwordFile === undefined ? undefined : context.path(options.passwordFile),
          });
          return address;
        });
      }
      const healthy = findings.every(({ ok }) => ok);
      context.report({ healthy, findings }, (say) => {
        for (const { name, ok, detail, mend } of findings) {
          say(`${ok ? "ok   " : "WRONG"}  ${name}: ${detail}`);
          if (mend !== undefined) say(`       what to do: ${mend}`);
        }
      });
      return healthy ? 0 : EXIT_CODES.environment;
    }),
  );
}
