// `npm start`: the whole way once, on this machine: chain, contracts, model, node, request, proof, verified answer, audit.
//   --keep            stay up and serve; .glassbox/deployment.json then tells the other commands where
//   --model <name>    an example of models/ (default digits-cnn)     --sample <n>   which held-out sample to ask about
//   --chain <kind>    anvil or edr (default: anvil where it is present and runs)
// Exit code 0 only if the chain verified the answer and the audit passed.
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { formatEther } from "ethers";
import { audit } from "../node/audit/audit.ts";
import { planOf } from "../node/app/artifacts.ts";
import { requantizer, showAudit } from "../node/app/cli/audit.ts";
import { keyCache } from "../node/app/cli/compile.ts";
import { projectFolder, reportError } from "../node/app/cli/context.ts";
import { type ModelPolicy, registerModel } from "../node/app/cli/register.ts";
import { awaitResult, evidenceText } from "../node/app/cli/request.ts";
import { realsOf, sayReals } from "../node/app/cli/show.ts";
import { comparisonText } from "../node/app/compare.ts";
import { compile, type StepRunner } from "../node/app/compile.ts";
import { loadConfig } from "../node/app/config.ts";
import { startNode } from "../node/app/daemon.ts";
import { writeDeployment } from "../node/app/deployment.ts";
import { inputOf, openModel, servedPackage } from "../node/app/model.ts";
import { silentLog, systemClock } from "../node/app/observe.ts";
import { bytes, drawGrey, duration, grouped, openTerminal } from "../node/app/terminal.ts";
import { connect } from "../node/chain/client.ts";
import { openKey } from "../node/chain/keys.ts";
import { httpRpc } from "../node/chain/rpc.ts";
import { memoryLog, openSender } from "../node/chain/submit.ts";
import { draftRequest, NOBODY } from "../node/chain/request.ts";
import { deploy } from "../node/chain/deploy.ts";
import { request, type Wait } from "../node/chain/write.ts";
import { EXIT_CODES, NodeError } from "../node/core/errors.ts";
import type { Log, LogFields, OnProgress } from "../node/core/ports.ts";
import { decodeTensors } from "../node/core/tensor.ts";
import { classesAt, indexOfMax } from "../node/model/accuracy.ts";
import { readDataset } from "../node/model/dataset.ts";
import { yieldsIndex } from "../node/model/output.ts";
import type { Job } from "../node/job/job.ts";
import { CLAIM_SENT } from "../node/job/steps.ts";
import { openProver } from "../node/proof/prover.ts";
import { type ChainKind, startChain } from "./localchain.ts";

interface Card {
  readonly title: string;
  /** Of models that yield classes. */
  readonly classes?: readonly string[];
  readonly input: { readonly range: readonly [number, number] };
}

/** Wei: what the first prover may ask for, and what the price rises to within an hour. */
const FEE = { min: 10n ** 15n, max: 2n * 10n ** 15n, ramp: 3600 };
const POLICY: ModelPolicy = { collateralBps: 5000, royaltyBps: 250 };
const coins = (wei: bigint): string => `${Number(Number(formatEther(wei)).toPrecision(4))} coins`;
const STATE = path.join(projectFolder, ".glassbox");
const terminal = openTerminal();
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => stop.abort(new NodeError("aborted", "stopped on request")));
}
const signal = stop.signal;
const step: StepRunner = async (name, work, detail) => {
  const line = terminal.step(name);
  const result = await work({ signal, onProgress: line.onProgress });
  line.done(detail?.(result));
  return result;
};

function options(): { keep: boolean; model: string; sample: string | undefined; chain: ChainKind | undefined } {
  try {
    const { values } = parseArgs({
      options: {
        keep: { type: "boolean", default: false },
        model: { type: "string", default: "digits-cnn" },
        sample: { type: "string" },
        chain: { type: "string" },
      },
    });
    const { keep, model, sample, chain } = values;
    if (chain !== undefined && chain !== "anvil" && chain !== "edr") throw new Error("--chain is anvil or edr");
    if (sample !== undefined && !/^\d+$/.test(sample)) throw new Error("--sample is a number, from 0");
    if (!fs.existsSync(path.join(projectFolder, "models", model, "model.json"))) {
      throw new Error(`there is no models/${model}: ${fs.readdirSync(path.join(projectFolder, "models")).join(", ")}`);
    }
    return { keep, model, sample, chain };
  } catch (cause) {
    throw new NodeError("usage", (cause as Error).message, {
      mend: "npm start -- [--keep] [--model digits-cnn] [--sample 7] [--chain anvil|edr]",
      cause,
    });
  }
}

/** A key file as an operator has one. These keys are public, and of a chain that ends with this process. */
function keyFileOf(name: string, key: string): string {
  const file = path.join(STATE, `${name}.key`);
  fs.mkdirSync(STATE, { recursive: true });
  fs.rmSync(file, { force: true });
  fs.writeFileSync(file, `${key}\n`, { mode: 0o600 });
  return file;
}

interface Story {
  readonly log: Log;
  readonly onStored: (job: Job) => void;
  readonly done: () => boolean;
  /** The clock of the first line starts now. */
  readonly begin: () => void;
  /** Milliseconds, by the node's own clock. */
  witnessMs: number;
  proveMs: number;
  /** Of the fulfilment. */
  gas: bigint;
}

/** What the node does about the request, told as it happens: from its log and from the states of its job. */
function storyOf(said: (line: string) => void): Story {
  const told = new Set<string>();
  let last = performance.now();
  const tell = (name: string, detail: string, ms = performance.now() - last): void => {
    if (told.has(name)) return;
    told.add(name);
    last = performance.now();
    said(`  ${`node: ${name}`.padEnd(30)} ${duration(ms).padStart(9)}  ${detail}`.trimEnd());
  };
  const inLog = (fields: LogFields, message: string): void => {
    if (message === "requests seen") tell("request seen", `in block ${String(fields["block"])}`);
    if (message !== "proved") return;
    Object.assign(story, { witnessMs: fields["witnessMs"], proveMs: fields["proveMs"] });
    tell("witness", "every constraint's value", story.witnessMs);
    tell("proof", "on threads, verified before it leaves", story.proveMs);
  };
  const inDebug = ({ waitsFor }: LogFields): void => {
    if (waitsFor === CLAIM_SENT) tell("claim sent", "locks the price, for collateral");
  };
  const log: Log = { ...silentLog, info: inLog, debug: inDebug, child: () => log };
  const story: Story = {
    log,
    onStored,
    done: () => told.has("done"),
    begin: () => void (last = performance.now()),
    witnessMs: NaN,
    proveMs: NaN,
    gas: 0n,
  };
  function onStored(job: Job): void {
    if (job.state === "inferred") tell("model run", `onnxruntime, ${job.output.length} bytes of output`);
    if (job.state === "submitted") tell("proof submitted", "");
    if (job.state === "settled") {
      story.gas = job.receipt.gasUsed;
      tell("verified on chain", `block ${job.receipt.block.number}, ${grouped(job.receipt.gasUsed)} gas`);
    }
    if (job.state === "closed") tell("done", job.reason.kind);
  }
  return story;
}

/** Hardhat's build, which does nothing where nothing changed. */
async function buildContracts(onProgress: OnProgress): Promise<void> {
  const cli = path.join(projectFolder, "node_modules/hardhat/dist/src/cli.js");
  const child = spawn(process.execPath, [cli, "build", "--no-tests", "--quiet"], { cwd: projectFolder, signal });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece: Buffer) => void (said += piece.toString()));
  const ticking = setInterval(() => onProgress({ what: "solc, the first time about half a minute" }), 1000);
  try {
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once("error", reject).once("close", resolve),
    );
    if (code !== 0) throw new NodeError("environment", `the contracts do not compile: ${said.trim()}`);
  } finally {
    clearInterval(ticking);
  }
}

/** Scores as bars, one a line. */
function bars(scores: readonly number[], named: (k: number) => string): string[] {
  const [least, most] = [Math.min(...scores), Math.max(...scores)];
  return scores.map((score, k) => {
    const bar = "#".repeat(Math.max(0, Math.round((24 * (score - least)) / (most - least || 1))));
    return `  ${named(k).padEnd(10)} ${score.toFixed(3).padStart(9)}  ${bar}`;
  });
}

async function main(): Promise<number> {
  const { keep, model: name, sample, chain: kind } = options();
  const folder = path.join(projectFolder, "models", name);
  const card = JSON.parse(fs.readFileSync(path.join(folder, "model.json"), "utf8")) as Card;
  const closing: (() => Promise<void>)[] = [];
  try {
    terminal.note(`Glassbox: ${card.title}, from an ONNX file to a verified answer on chain\n`);
    await step("compile the contracts", ({ onProgress }) => buildContracts(onProgress));
    const chain = await step(
      "start a local chain",
      () => startChain(kind),
      ({ kind: of, rpcUrl }) => `${of} at ${rpcUrl}`,
    );
    closing.push(chain.stop);
    const rpc = httpRpc(chain.rpcUrl);
    const chainId = BigInt((await rpc.request("eth_chainId", [])) as string);
    const [publisherKey, requesterKey, proverKey] = ["publisher", "requester", "prover"].map((who, i) =>
      keyFileOf(who, chain.keys[i] as string),
    ) as [string, string, string];
    const waitOf = async (keyFile: string): Promise<Wait> => ({
      sender: openSender({
        rpc,
        chainId,
        signer: await openKey({ keyFile }),
        log: memoryLog(),
        clock: systemClock,
        journal: silentLog,
        confirmations: 0,
        maxFeePerGas: 10n ** 12n,
        bumpAfterMs: 60_000,
      }),
      clock: systemClock,
      pollMs: 50,
      signal,
    });
    const publisher = await waitOf(publisherKey);
    const requester = await waitOf(requesterKey);
    const deployed = await step(
      "deploy the contracts",
      () => deploy(planOf(path.join(projectFolder, "artifacts")), rpc, publisher),
      ({ coordinator }) => `registry, and coordinator at ${coordinator}`,
    );
    const client = await connect({ rpc, coordinator: deployed.coordinator, signal });

    const calibration = path.join(folder, "calibration.npz");
    const test = path.join(folder, "test.npz");
    const out = path.join(STATE, "packages", name);
    const compiled = await compile(
      { source: path.join(folder, "model.onnx"), calibration, test, name, out, keys: true, keyCache },
      step,
    );
    const model = await step(
      "open the package",
      (call) => openModel(out, { keys: true, ...call }),
      ({ package: { digest } }) => `manifest ${digest.slice(0, 16)}…`,
    );
    closing.push(() => model.close());
    const index = Number(sample ?? randomInt(compiled.accuracy.samples));
    const input = await inputOf(model.inputs, `${test}#${index}`, (file) => file);
    const classes = classesAt(compiled.float);
    const { labels } = await readDataset(test, model.inputs, { classes: classes !== undefined });
    const label = labels?.[index];
    const sampleProver = await openProver();
    closing.push(() => sampleProver.close());
    const first = await inputOf(model.inputs, `${calibration}#0`, (file) => file);
    const registered = await registerModel({
      ...{ model, client, step },
      sample: first,
      wait: publisher,
      prover: sampleProver,
      manifestURI: `file:${out}`,
      policy: POLICY,
    });
    await sampleProver.close();

    const story = storyOf((line) => terminal.note(line));
    const dataDir = fs.mkdtempSync(path.join(STATE, "node-"));
    closing.push(async () => fs.rmSync(dataDir, { recursive: true, force: true }));
    const node = await step("start the node", async (call) => {
      const over = {
        dataDir,
        rpcUrl: chain.rpcUrl,
        coordinator: deployed.coordinator,
        startBlock: deployed.block,
        confirmations: 0,
        packages: [out],
        keyFile: proverKey,
        pollSeconds: 0.1,
        proofSeconds: 10,
        claim: "always",
      };
      const config = loadConfig({ env: {}, cwd: projectFolder, over });
      return startNode(config, {
        packages: [await servedPackage(out, call)],
        log: story.log,
        onStored: story.onStored,
        signal,
      });
    });
    closing.push(() => node.stop());

    const asked = await step(
      "send the request",
      async () => {
        const { time } = await client.head(signal);
        story.begin();
        const drafted = draftRequest({
          requester: requester.sender.address,
          model: registered.id,
          from: { kind: "data", bytes: input },
          now: time,
          fee: FEE,
          allowDevelopmentKeys: true,
        });
        return request(client, drafted, { payment: "direct" }, requester);
      },
      ({ receipt }) =>
        `held-out sample ${index}, ${coins(FEE.max)} in escrow, price from ${coins(FEE.min)}, ${grouped(receipt.gasUsed)} gas`,
    );
    const giveUp = AbortSignal.any([signal, AbortSignal.timeout(120_000)]);
    const result = await Promise.race([
      awaitResult(client, asked.seen, { clock: systemClock, pollMs: 50, signal: giveUp }),
      node.ended.then(() => Promise.reject(new NodeError("internal", "the node ended before it answered"))),
    ]);
    while (!story.done()) await systemClock.sleep(20, giveUp);
    const report = await step("audit", (call) =>
      audit({
        client,
        request: asked.seen.id,
        fromBlock: deployed.block,
        folder: out,
        requantize: requantizer(calibration),
        statement: fs.readFileSync(path.join(dataDir, "environment.json"), "utf8"),
        ...call,
      }),
    );

    const say = (line = ""): void => terminal.say(line);
    say();
    const [image] = model.inputs;
    if (image !== undefined && model.inputs.length === 1 && image.shape.length === 4) {
      const [height, width] = image.shape.slice(-2) as [number, number];
      const pixels = decodeTensors(model.inputs, input);
      for (const row of drawGrey(pixels, height, width, ...card.input.range)) say(`    |${row}|`);
      say();
    }
    const answers = realsOf(model.outputs, result.output);
    if (classes !== undefined) {
      const { values } = answers[classes] as (typeof answers)[number];
      const best = yieldsIndex(compiled.float, classes) ? (values[0] as number) : indexOfMax(Float64Array.from(values));
      const named = (k: number): string => card.classes?.[k] ?? `${k}`;
      say(`answer     ${named(best)}${label === undefined ? "" : ` (truth: ${named(label)})`}`);
      if (values.length > 1) for (const line of bars(values, named)) say(line);
    }
    if (classes === undefined || answers.length > 1) sayReals(answers, say);
    const { circuit, files } = model.package.manifest;
    say();
    say(`model      ${name}: ${comparisonText(compiled.accuracy)}`);
    say(`circuit    ${grouped(circuit.constraints)} constraints, proving key ${bytes(files.zkey?.bytes ?? 0)}`);
    say(`proof      ${duration(story.proveMs)}, witness ${duration(story.witnessMs)}`);
    const registration = registered.gas === undefined ? "registered before" : `register ${grouped(registered.gas)}`;
    say(`gas        ${registration}, request ${grouped(asked.receipt.gasUsed)}, fulfil ${grouped(story.gas)}`);
    const held = (who: Wait["sender"]["address"]): Promise<bigint> => client.balanceOf(who, NOBODY, signal);
    const [, royalty, back] = await Promise.all([result.prover, publisher.sender.address, requester.sender.address].map(held)) as [bigint, bigint, bigint]; // prettier-ignore
    const { price = 0n, claim } = report;
    const collateral = claim?.collateral ?? 0n;
    say(
      `price      ${coins(price)}, ${claim === undefined ? "unclaimed" : `locked by a claim with ${coins(collateral)} as collateral`}`,
    );
    say(
      `paid       prover ${coins(price - royalty)}, publisher ${coins(royalty)} royalty, requester ${coins(back)} back`,
    );
    say(`evidence   ${evidenceText(result.evidence)}`);
    say(`request    ${asked.seen.id}`);
    say();
    showAudit(report, say);

    if (keep) {
      const deployment = path.join(STATE, "deployment.json");
      closing.push(async () => fs.rmSync(deployment, { force: true })); // the chain that it names ends with this process
      writeDeployment(deployment, {
        rpcUrl: chain.rpcUrl,
        chainId: Number(chainId),
        registry: client.registry,
        coordinator: client.coordinator,
        relay: deployed.relay,
        block: deployed.block,
      });
      say();
      say(`The chain (${chain.rpcUrl}) and the node stay up; Ctrl-C ends them. In another terminal:`);
      say(
        `  npm run glassbox -- request ${registered.id} --package .glassbox/packages/${name} --input models/${name}/test.npz#7 --fee 1000 --key-file .glassbox/requester.key`,
      );
      say(`  npm run glassbox -- audit <request id> --package .glassbox/packages/${name}`);
      const ended = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await Promise.race([ended, node.ended]);
    }
    return report.passed ? 0 : EXIT_CODES.integrity;
  } finally {
    for (const close of closing.reverse())
      await close().catch((error: unknown) => terminal.note(`while closing: ${String(error)}`));
  }
}

try {
  process.exitCode = await main();
} catch (thrown) {
  process.exitCode = reportError(thrown, false);
}
process.exit();
