// glassbox bench: how long running, witness, proof and verification of one package take on this machine. The project's own
// benchmark against other ways is `npm run bench`.
import { Command } from "commander";
import { challenge } from "../../chain/codec.ts";
import { ZERO_HASH } from "../../chain/request.ts";
import type { Address, ModelId } from "../../core/domain.ts";
import { NodeError } from "../../core/errors.ts";
import { byteLengthOf } from "../../core/tensor.ts";
import { openProver } from "../../proof/prover.ts";
import { verifyProof } from "../../proof/verify.ts";
import { openModel } from "../model.ts";
import { bytes, columns, duration } from "../terminal.ts";
import { action, integerOption, withExamples } from "./context.ts";

interface Options {
  readonly runs: number;
  readonly rapidsnark?: string;
}

interface Timing {
  readonly what: string;
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

function timing(what: string, times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
  return { what, min: at(0), median: at(0.5), max: at(1) };
}

export function benchCommand(): Command {
  const command = new Command("bench")
    .description("time one package on this machine: the first proof (cold) and the following ones (warm)")
    .argument("<package>", "the package's folder")
    .option("--runs <n>", "warm proofs", integerOption(1, 1000), 5)
    .option("--rapidsnark <prover>", "rapidsnark's prover binary, instead of the built-in one");
  withExamples(command, ["bench packages/digits-cnn --runs 10"]);
  return command.action(
    action(async (context, folder: string, options: Options) => {
      const model = await context.step("load the package", (call) =>
        openModel(context.path(folder), { keys: true, ...call }),
      );
      const prover = await openProver(options);
      try {
        const { vkey } = model.package;
        if (vkey === undefined) throw new NodeError("input", "the package has no key");
        const input = new Uint8Array(byteLengthOf(model.inputs));
        const nobody = `0x${"0".repeat(40)}` as Address;
        const about = {
          chainId: 0n,
          contract: nobody,
          request: ZERO_HASH,
          model: ZERO_HASH as ModelId,
          prover: nobody,
          input,
        };
        const times = { run: [], witness: [], proof: [], verify: [] } as Record<string, number[]>;
        const once = async (call: Parameters<typeof model.prove>[3]): Promise<void> => {
          const started = performance.now();
          await model.infer(input);
          times["run"]?.push(performance.now() - started);
          const answer = await model.prove(
            prover,
            input,
            (c, output) => challenge("claim", { ...about, c, output }),
            call,
          );
          times["witness"]?.push(answer.witnessMs);
          times["proof"]?.push(answer.proveMs);
          const proved = performance.now();
          if (!(await verifyProof(vkey, answer.signals, answer.proof)))
            throw new NodeError("integrity", "a proof does not hold");
          times["verify"]?.push(performance.now() - proved);
        };
        await context.step("first proof", once);
        const cold = Object.fromEntries(Object.entries(times).map(([name, [first]]) => [name, first]));
        for (const list of Object.values(times)) list.length = 0;
        await context.step(`${options.runs} more`, async (call) => {
          for (let i = 0; i < options.runs; i++) {
            call.onProgress({ what: "proofs", done: i, total: options.runs });
            await once(call);
          }
        });
        const warm = Object.entries(times).map(([name, list]) => timing(name, list));
        const { name, circuit } = model.package.manifest;
        const memory = process.resourceUsage().maxRSS * 1024;
        context.report(
          { model: name, prover: prover.name, constraints: circuit.constraints, cold, warm, memory },
          (say) => {
            say(`${name}: ${circuit.constraints} constraints, ${prover.name}`);
            const rows = warm.map(({ what, min, median, max }) => [
              what,
              ...[cold[what] ?? NaN, min, median, max].map(duration),
            ]);
            for (const line of columns([["", "first", "min", "median", "max"], ...rows])) say(line);
            say(`  this process at most ${bytes(memory)}, the prover's child not counted`);
          },
        );
      } finally {
        await prover.close();
        await model.close();
      }
    }),
  );
}
