// `npm run bench`: what Glassbox costs, phase by phase, beside the same network through circom2 and snarkjs. Starts a process
// per phase, takes medians, writes bench/results.json and bench/README.md. What a phase does is in bench/phases/.
import { type ChildProcess, fork, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { commit, cpuSeconds, load, machine } from "./bench/machine.ts";
import { type Network, NETWORKS } from "./bench/networks.ts";
import type { PhaseJob, PhaseReply } from "./bench/ports.ts";
import { page } from "./bench/report.ts";
import {
  barsOf,
  type Level,
  type NetworkResults,
  type Outcome,
  type Outcomes,
  type Peak,
  type Results,
  spreadOf,
} from "./bench/results.ts";

const USAGE = `npm run bench -- [options]
  --only <name,...>  these networks only: ${NETWORKS.map(({ name }) => name).join(", ")}
  --runs <n>         fresh processes per phase (default 3)
  --out <folder>     where results.json and README.md go (default: bench/, and nowhere under --only)
  --json             print the results as JSON instead of the page
  --check            exit code 1 if a bar is missed or a phase fails
RAPIDSNARK=<path of rapidsnark's prover> measures it beside snarkjs. Exit codes: 0, with --check 1; 2 for wrong options.
`;

/** The whole model through circom is given this long. */
const CIRCOM_MS = 180_000;
const PHASE_MS = 900_000;
const root = path.dirname(import.meta.dirname);
const rapidsnark = process.env["RAPIDSNARK"] || undefined;

interface Options {
  readonly networks: readonly Network[];
  readonly runs: number;
  readonly out: string | undefined;
  readonly json: boolean;
  readonly check: boolean;
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      runs: { type: "string", default: "3" },
      out: { type: "string" },
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs ${values.runs}: not a count`);
  const names = values.only?.split(",");
  const unknown = names?.find((name) => !NETWORKS.some((network) => network.name === name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: no such network`);
  const networks = NETWORKS.filter(({ name }) => names === undefined || names.includes(name));
  const from = process.env["INIT_CWD"] ?? process.cwd();
  const out = values.out === undefined ? undefined : path.resolve(from, values.out);
  return {
    networks,
    runs,
    out: out ?? (names === undefined ? path.join(root, "bench") : undefined),
    json: values.json,
    check: values.check,
  };
}

let running: ChildProcess | undefined;

/** One job in a process of its own; settles when that has ended. */
function runOnce(job: PhaseJob, limitMs: number): Promise<PhaseReply> {
  return new Promise((resolve) => {
    const child = fork(path.join(root, "scripts/bench/phase.ts"), { cwd: root, stdio: ["ignore", "ignore", 2, "ipc"] });
    running = child;
    let reply: PhaseReply | undefined;
    const timer = setTimeout(() => {
      reply = { error: `did not finish within ${limitMs / 1000} s` };
      child.kill("SIGKILL");
    }, limitMs);
    child.once("message", (message) => (reply = message as PhaseReply));
    child.once("exit", (code, by) => {
      clearTimeout(timer);
      running = undefined;
      resolve(reply ?? { error: `its process ended early (${by ?? `exit code ${code}`})` });
    });
    child.send(job);
  });
}

async function run(job: PhaseJob, runs: number, limitMs = PHASE_MS): Promise<Outcome> {
  const samples: Record<string, number[]> = {};
  let figures: Readonly<Record<string, number>> = {};
  const peaks: Peak[] = [];
  const [started, before] = [performance.now(), cpuSeconds()];
  for (let i = 0; i < runs; i++) {
    progress(`${job.network}: ${path.basename(job.folder)} ${job.phase} ${i + 1}/${runs}`);
    const reply = await runOnce(job, limitMs);
    if ("error" in reply) {
      progress(`${job.network}: ${job.phase}: ${reply.error}`);
      return { reason: reply.error.split("\n")[0] as string };
    }
    for (const [name, times] of Object.entries(reply.seconds)) (samples[name] ??= []).push(...times);
    figures = reply.figures ?? {};
    peaks.push(reply.peak);
  }
  const seconds = Object.fromEntries(Object.entries(samples).map(([name, times]) => [name, spreadOf(times)]));
  const known = peaks.every(({ child }) => child !== null);
  const peak = {
    own: Math.max(...peaks.map(({ own }) => own)),
    child: known ? Math.max(...peaks.map(({ child }) => child ?? 0)) : null,
  };
  const after = cpuSeconds();
  if (before === undefined || after === undefined) return { seconds, figures, peak };
  const busy = after.all - before.all - (after.own - before.own);
  return { seconds, figures, peak, others: Math.max(0, busy / ((performance.now() - started) / 1000)) };
}

/** Runs phases in order; one that has no result ends the road, for those after it read its files. */
async function road(phases: readonly string[], base: Omit<PhaseJob, "phase">, runs: number): Promise<Outcomes> {
  const outcomes: Record<string, Outcome> = {};
  fs.mkdirSync(base.folder, { recursive: true });
  for (const phase of phases) {
    const once = phase === "gas" || phase === "circom";
    const outcome = await run({ ...base, phase }, once ? 1 : runs, phase === "circom" ? CIRCOM_MS : PHASE_MS);
    outcomes[phase] = outcome;
    if ("reason" in outcome) break;
  }
  return outcomes;
}

async function bench(network: Network, work: string, runs: number): Promise<NetworkResults> {
  const { name, title } = network;
  const modelFolder = path.join(work, name, "glassbox");
  const base = { network: name, modelFolder, ...(rapidsnark === undefined ? {} : { rapidsnark }) };
  const whole = ["key", "witness", "prove", "verify", ...(rapidsnark === undefined ? [] : ["rapidsnark"]), "gas"];
  const own = ["model", "circuit", ...(network.circuitOnly === true ? [] : whole)];
  const phases = await road(own, { ...base, folder: modelFolder }, runs);
  const baseline = (level: Level): Promise<Outcomes> => {
    const folder = path.join(work, name, `circom-${level}`);
    return road(["circom", "key", "circom-witness", "prove"], { ...base, folder, level }, runs);
  };
  const baselines =
    network.noBaseline === undefined
      ? { O1: await baseline("O1"), O2: await baseline("O2") }
      : { reason: network.noBaseline };
  fs.rmSync(path.join(work, name), { recursive: true, force: true });
  return { name, title, phases, baselines };
}

function progress(text: string): void {
  process.stderr.write(`bench: ${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

async function main(options: Options): Promise<void> {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-bench-"));
  process.once("exit", () => {
    running?.kill("SIGKILL");
    fs.rmSync(work, { recursive: true, force: true });
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

  progress("contracts");
  const hardhat = [path.join(root, "node_modules/hardhat/dist/src/cli.js"), "build", "--quiet"];
  const built = spawnSync(process.execPath, hardhat, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  if (built.status !== 0) throw new Error("the contracts do not build");

  const before = load();
  const networks: NetworkResults[] = [];
  for (const network of options.networks) networks.push(await bench(network, work, options.runs));
  const results: Results = {
    commit: commit(),
    date: new Date().toISOString(),
    machine: machine(),
    load: { before, after: load() },
    runs: options.runs,
    networks,
    bars: barsOf(networks),
  };
  const json = `${JSON.stringify(results, null, 2)}\n`;
  if (options.out !== undefined) {
    fs.mkdirSync(options.out, { recursive: true });
    fs.writeFileSync(path.join(options.out, "results.json"), json);
    fs.writeFileSync(path.join(options.out, "README.md"), page(results));
  }
  process.stdout.write(options.json ? json : page(results));
  const missed = results.bars.filter(({ verdict }) => verdict === "missed");
  for (const { what } of missed) progress(`missed: ${what}`);
  const failed = networks.some(({ phases }) => Object.values(phases).some((outcome) => "reason" in outcome));
  process.exitCode = options.check && (missed.length > 0 || failed) ? 1 : 0;
}

let options: Options;
try {
  options = optionsOf(process.argv.slice(2));
} catch (thrown) {
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${USAGE}`);
  process.exit(2);
}
await main(options);
