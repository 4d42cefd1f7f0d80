// `npm run bench`: what Glassbox costs, phase by phase, beside the same network through circom2 and snarkjs; whole models from
// float ONNX file to proof; and a race of its prover against others. Starts a process per phase, takes medians, writes
// bench/results.json and bench/README.md. What a phase does is in bench/phases/, the race in bench/provers/.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { barsOf } from "./bench/bars.ts";
import { commit, load, machine } from "./bench/machine.ts";
import { type Model, MODELS } from "./bench/models.ts";
import { type Network, NETWORKS } from "./bench/networks.ts";
import type { ProverResults } from "./bench/provers/results.ts";
import { ENTRIES, type Entry, raceAll } from "./bench/provers/run.ts";
import { page } from "./bench/report.ts";
import type { Level, ModelResults, NetworkResults, Outcomes, Results, Stamp } from "./bench/results.ts";
import { progress, road, ROOT, running } from "./bench/road.ts";
import { buildDist } from "./dist.ts";

const PARTS = ["networks", "models", "provers"] as const;
type Part = (typeof PARTS)[number];

const USAGE = `npm run bench -- [part ...] [options]
  part               ${PARTS.join(" or ")} (default: all)
  --only <name,...>  these only: ${[...new Set([...NETWORKS, ...MODELS, ...ENTRIES].map(({ name }) => name))].join(", ")}
  --runs <n>         fresh processes per phase (default 3)
  --out <folder>     where results.json and README.md go; a part that was not run stays as it is there
                     (default: bench/, and nowhere under --only)
  --json             print the results as JSON instead of the page
  --check            exit code 1 if a bar is missed or a phase fails
RAPIDSNARK=<path of rapidsnark's prover> measures it beside snarkjs. Exit codes: 0, with --check 1; 2 for wrong options.
`;

const rapidsnark = process.env["RAPIDSNARK"] || undefined;

interface Options {
  readonly networks: readonly Network[];
  readonly models: readonly Model[];
  readonly entries: readonly Entry[];
  readonly runs: number;
  readonly out: string | undefined;
  readonly json: boolean;
  readonly check: boolean;
}

function optionsOf(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
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
  const stranger = positionals.find((part) => !PARTS.some((known) => known === part));
  if (stranger !== undefined) throw new Error(`${stranger}: no such part`);
  const has = (part: Part): boolean => positionals.length === 0 || positionals.includes(part);
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs ${values.runs}: not a count`);
  const names = values.only?.split(",");
  const networks = has("networks") ? NETWORKS : [];
  const models = has("models") ? MODELS : [];
  const entries = has("provers") ? ENTRIES : [];
  const unknown = names?.find((name) => ![...networks, ...models, ...entries].some((known) => known.name === name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: no such network, model or circuit`);
  const chosen = ({ name }: { readonly name: string }): boolean => names === undefined || names.includes(name);
  const from = process.env["INIT_CWD"] ?? process.cwd();
  const out = values.out === undefined ? undefined : path.resolve(from, values.out);
  return {
    networks: networks.filter(chosen),
    models: models.filter(chosen),
    entries: entries.filter(chosen),
    runs,
    out: out ?? (names === undefined ? path.join(ROOT, "bench") : undefined),
    json: values.json,
    check: values.check,
  };
}

async function bench(network: Network, work: string, runs: number): Promise<NetworkResults> {
  const { name, title } = network;
  const modelFolder = path.join(work, name, "glassbox");
  const base = { network: name, modelFolder, ...(rapidsnark === undefined ? {} : { rapidsnark }) };
  const whole = [
    "key",
    "witness",
    "prove",
    "snarkjs",
    "verify",
    ...(rapidsnark === undefined ? [] : ["rapidsnark"]),
    "gas",
  ];
  const compile = network.name === "lenet-5" ? ["compile"] : [];
  const own = ["model", ...compile, "circuit", ...(network.circuitOnly === true ? [] : whole)];
  const phases = await road(own, { ...base, folder: modelFolder }, runs);
  const baseline = (level: Level): Promise<Outcomes> => {
    const folder = path.join(work, name, `circom-${level}`);
    return road(["circom", "key", "circom-witness", "snarkjs"], { ...base, folder, level }, runs);
  };
  const baselines =
    network.noBaseline === undefined
      ? { O1: await baseline("O1"), O2: await baseline("O2") }
      : { reason: network.noBaseline };
  fs.rmSync(path.join(work, name), { recursive: true, force: true });
  return { name, title, phases, baselines };
}

async function benchAll(networks: readonly Network[], work: string, runs: number): Promise<NetworkResults[]> {
  progress("contracts");
  const hardhat = [path.join(ROOT, "node_modules/hardhat/dist/src/cli.js"), "build", "--quiet"];
  const built = spawnSync(process.execPath, hardhat, { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  if (built.status !== 0) throw new Error("the contracts do not build");
  const results: NetworkResults[] = [];
  for (const network of networks) results.push(await bench(network, work, runs));
  return results;
}

/** Large models once: their phases take minutes. */
async function benchModels(models: readonly Model[], work: string, runs: number): Promise<ModelResults[]> {
  const results: ModelResults[] = [];
  for (const { name, title, onnx } of models) {
    const folder = path.join(work, "models", name);
    const base = { network: name, folder, modelFolder: folder };
    const times = onnx === undefined ? runs : 1;
    results.push({ name, title, phases: await road(["package", "key", "witness", "prove", "verify"], base, times) });
    fs.rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

async function stamped<T>(runs: number, work: () => Promise<T>): Promise<readonly [Stamp, T]> {
  const before = load();
  const done = await work();
  const stamp = {
    commit: commit(),
    date: new Date().toISOString(),
    machine: machine(),
    load: { before, after: load() },
  };
  return [{ ...stamp, runs }, done];
}

/** What an earlier run left, for the part that this one does not measure. */
function earlier(out: string | undefined): Partial<Results> {
  const file = path.join(out ?? "", "results.json");
  return out !== undefined && fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Results) : {};
}

async function main({ networks, models, entries, runs, out, json, check }: Options): Promise<void> {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-bench-"));
  process.once("exit", () => {
    for (const child of running) child.kill("SIGKILL");
    fs.rmSync(work, { recursive: true, force: true });
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

  let results: Results = {
    ...(await stamped(runs, async () => undefined))[0],
    networks: [],
    bars: [],
    ...earlier(out),
  };
  if (networks.length > 0) {
    const [stamp, measured] = await stamped(runs, () => benchAll(networks, work, runs));
    results = { ...results, ...stamp, networks: measured };
  }
  if (models.length > 0) {
    const [stamp, measured] = await stamped(runs, () => benchModels(models, work, runs));
    results = { ...results, models: { ...stamp, models: measured } };
  }
  if (entries.length > 0) {
    progress("dist/");
    await buildDist();
    const [stamp, races] = await stamped(runs, () => raceAll(entries, work, runs, rapidsnark));
    const provers: ProverResults = { ...stamp, races };
    results = { ...results, provers };
  }
  results = { ...results, bars: barsOf(results.networks, results.provers?.races, results.models?.models) };

  const text = `${JSON.stringify(results, null, 2)}\n`;
  if (out !== undefined) {
    fs.mkdirSync(out, { recursive: true });
    fs.writeFileSync(path.join(out, "results.json"), text);
    fs.writeFileSync(path.join(out, "README.md"), page(results));
  }
  process.stdout.write(json ? text : page(results));
  const ran = {
    networks: networks.length > 0 ? results.networks : [],
    models: models.length > 0 ? results.models?.models : [],
    races: entries.length > 0 ? results.provers?.races : [],
  };
  const missed = barsOf(ran.networks, ran.races, ran.models).filter(({ verdict }) => verdict === "missed");
  for (const { what } of missed) progress(`missed: ${what}`);
  const outcomes = [
    ...[...ran.networks, ...(ran.models ?? [])].flatMap(({ phases }) => Object.values(phases)),
    ...(ran.races ?? []).flatMap((race) => [race, ...Object.values(race.provers)]),
  ];
  process.exitCode = check && (missed.length > 0 || outcomes.some((outcome) => "reason" in outcome)) ? 1 : 0;
}

let options: Options;
try {
  options = optionsOf(process.argv.slice(2));
} catch (thrown) {
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${USAGE}`);
  process.exit(2);
}
await main(options);
