// Where the parts meet: configuration, packages, model runtime, circuit, prover and chain become one engine. The only file
// that knows all of them; no logic of its own beyond joining.
import path from "node:path";
import { claimWords, sponge } from "../circuit/claim.ts";
import { type MakeWitness, prepareWitness } from "../circuit/witness.ts";
import { type ChainClient, connect } from "../chain/client.ts";
import { openKey } from "../chain/keys.ts";
import { type Address, Evidence, type ModelId } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { R } from "../core/field.ts";
import type { Clock, Log } from "../core/ports.ts";
import { byteLength, decodeInts, encodeInts, fingerprint } from "../core/tensor.ts";
import { type Engine, type EngineOptions, openEngine } from "../job/engine.ts";
import { exponentialBackoff, type Infer, type Models, type Proving, type ServedModel } from "../job/ports.ts";
import { type Graph, nodeAt } from "../model/ir.ts";
import { openRunner, type Runner } from "../model/run.ts";
import { openProver, type Prover } from "../proof/prover.ts";
import type { Config } from "./config.ts";
import { type Environment, statement } from "./environment.ts";

/** What is needed of a loaded package (proof/package.ts), whose digests were checked there. */
export interface Package {
  readonly name: string;
  readonly graph: Graph;
  readonly onnx: Uint8Array;
  /** Path of the proving key. */
  readonly zkey: string;
  readonly keyHash: string;
  readonly quantizedDigest: string;
  readonly circuitDigest: string;
}

export interface Opened {
  readonly models: Models;
  readonly infer: Infer;
  readonly proving: Proving;
  close(): Promise<void>;
}

export interface WiringOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly onStored?: EngineOptions["onStored"];
  readonly fault?: EngineOptions["fault"];
}

export interface Wired {
  readonly engine: Engine;
  readonly client: ChainClient;
  readonly environment: Environment;
  /** Wei that the sender had for gas at the start. */
  readonly funds: bigint;
  readonly close: () => Promise<void>;
}

/** Opens everything that the configuration names. What was opened is closed again if a later part fails. */
export async function wire(config: Config, packages: readonly Package[], options: WiringOptions): Promise<Wired> {
  const { log, clock, signal } = options;
  const signer = await openKey({ keyFile: config.keyFile, passwordFile: config.passwordFile });
  const client = await connect({
    rpc: config.rpcUrl,
    coordinator: config.coordinator,
    registry: config.registry,
    maxRange: config.maxRange,
    ...(signal === undefined ? {} : { signal }),
  });
  const funds = await checkFunds(client, signer.address, signal);
  const prover = openProver(config.rapidsnark);
  const opened = openPorts(packages, client, prover, config.proofSeconds * 1000, log);
  const environment = statement({ prover: prover.name, image: config.image });
  try {
    const engine = await openEngine({
      client,
      signer,
      place:
        config.databaseUrl === undefined ? { dir: path.join(config.dataDir, "jobs") } : { url: config.databaseUrl },
      models: opened.models,
      infer: opened.infer,
      proving: opened.proving,
      policy: {
        minimumFee: config.minimumFee,
        marginSeconds: config.marginSeconds,
        maxAttempts: config.maxAttempts,
        backoffMs: exponentialBackoff,
        evidence: Evidence.zk,
      },
      environment: environment.digest,
      log,
      clock,
      confirmations: config.confirmations,
      startBlock: config.startBlock,
      maxRange: config.maxRange,
      pollMs: config.pollSeconds * 1000,
      maxFeePerGas: config.maxFeePerGas,
      bumpAfterMs: config.bumpSeconds * 1000,
      ...(options.onStored === undefined ? {} : { onStored: options.onStored }),
      ...(options.fault === undefined ? {} : { fault: options.fault }),
    });
    return {
      engine,
      client,
      environment,
      funds,
      async close() {
        await engine.stop();
        await opened.close();
      },
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function checkFunds(client: ChainClient, address: Address, signal: AbortSignal | undefined): Promise<bigint> {
  const wei = BigInt((await client.rpc.request("eth_getBalance", [address, "latest"], signal)) as string);
  if (wei > 0n) return wei;
  throw new NodeError("chain", `the node's account ${address} has no funds for gas`, {
    mend: "Send it some of the chain's native coin.",
  });
}

interface Loaded {
  readonly package: Package;
  readonly served: ServedModel;
}

/** The model's side of the node, over real packages. */
export function openPorts(
  packages: readonly Package[],
  client: Pick<ChainClient, "modelOf">,
  prover: Prover,
  estimateMs: number,
  log: Log,
): Opened {
  const known = new Map<ModelId, Loaded>();
  const runners = new Map<Package, Promise<Runner>>();
  const witnesses = new Map<Package, Promise<MakeWitness>>();

  function runnerOf(pack: Package): Promise<Runner> {
    return kept(runners, pack, () => openRunner(pack.onnx, pack.graph));
  }
  function packageOf(model: ServedModel): Package {
    const found = known.get(model.id);
    if (found === undefined) throw new NodeError("internal", `model ${model.id} was never looked up`);
    return found.package;
  }
  async function tensorsOf(pack: Package, input: Uint8Array) {
    const source = nodeAt(pack.graph, pack.graph.input);
    if (source.op !== "input") throw new NodeError("internal", `${pack.name}: node ${pack.graph.input} is no input`);
    const tensors = await (await runnerOf(pack)).run(decodeInts(input, source.border.type));
    const { ref, border } = pack.graph.output;
    return { tensors, output: encodeInts(tensors[ref] as Float64Array, border.type) };
  }

  return {
    models: {
      // A model is served if its registered digests are those of a package: whoever registered it, the proof is the same.
      async served(id, signal) {
        const before = known.get(id);
        if (before !== undefined) return before.served;
        const record = await client.modelOf(id, signal);
        const pack = packages.find(
          ({ keyHash, quantizedDigest, circuitDigest }) =>
            keyHash === record?.keyHash &&
            quantizedDigest === record.quantizedDigest &&
            circuitDigest === record.circuitDigest,
        );
        if (pack === undefined) return undefined;
        const source = nodeAt(pack.graph, pack.graph.input);
        if (source.op !== "input") throw new NodeError("internal", `${pack.name}: node 0 is no input`);
        const served: ServedModel = {
          id,
          name: pack.name,
          inputLength: byteLength(source.border),
          outputLength: byteLength(pack.graph.output.border),
          estimateMs,
        };
        known.set(id, { package: pack, served });
        return served;
      },
    },
    infer: {
      async run(model, input) {
        const { output } = await tensorsOf(packageOf(model), input);
        return { output, c: sponge(claimWords(input, output)) };
      },
    },
    proving: {
      async prove({ model, input, output, c, r }, signal) {
        const pack = packageOf(model);
        const again = await tensorsOf(pack, input);
        if (!Buffer.from(again.output).equals(output)) {
          throw new NodeError("integrity", `${pack.name} gave another output for the same input`, {
            mend: "The runtime is not deterministic on this machine: run `glassbox doctor`.",
          });
        }
        const witness = await kept(witnesses, pack, () => prepareWitness(pack.graph));
        const started = performance.now();
        const wtns = witness(again.tensors, r);
        const made = performance.now();
        log.info({ model: pack.name, took: Math.round(made - started) }, "witness made");
        const proved = await prover.prove({ zkey: pack.zkey, wtns }, { signal });
        log.info({ model: pack.name, took: Math.round(performance.now() - made) }, "proof made and verified");
        const v = fingerprint(claimWords(input, output), r, R);
        const { signals } = proved;
        if (signals.c !== c || signals.v !== v || signals.r !== r) {
          throw new NodeError("integrity", `${pack.name}: the circuit's signals are not those of the claim`, {
            mend: "Key, circuit and model belong to different compilations; compile the model again.",
          });
        }
        return proved;
      },
    },
    async close() {
      await prover.close();
      for (const opening of runners.values()) await (await opening).close();
    },
  };
}

/** The value of `key`, made once; a failure is not kept. */
function kept<K, V>(map: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const before = map.get(key);
  if (before !== undefined) return before;
  const making = make();
  map.set(key, making);
  making.catch(() => map.delete(key));
  return making;
}
