// Where the parts meet: configuration, packages, model runtime, circuit, prover and chain become one engine. The only file
// that knows all of them; no logic of its own beyond joining.
import path from "node:path";
import { bindingOf } from "../circuit/claim.ts";
import { type ChainClient, connect } from "../chain/client.ts";
import { hexOf } from "../chain/codec.ts";
import { openKey } from "../chain/keys.ts";
import { NOBODY } from "../chain/request.ts";
import { type Address, Evidence, type ModelId } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { Clock, Log } from "../core/ports.ts";
import { byteLengthOf } from "../core/tensor.ts";
import { type Engine, type EngineOptions, openEngine } from "../job/engine.ts";
import { exponentialBackoff, type Infer, type Models, type Proving, type ServedModel } from "../job/ports.ts";
import { bordersOf } from "../model/ir.ts";
import { openSession, type Package, type Session } from "./model.ts";
import { openProver, type Prover } from "../proof/prover.ts";
import type { Config } from "./config.ts";
import { type Environment, statement } from "./environment.ts";
import { openInputs } from "./inputs.ts";
import { OVERHEAD } from "../private/envelope.ts";
import { type Inbox, openInbox } from "../private/inbox.ts";
import { ensureEncryptionKey, openEncryptionKey } from "../private/keys.ts";
import { type InboxServer, serveInbox } from "../private/server.ts";

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
  /** Where private inputs are posted to, as seen from this machine. */
  readonly inbox: string | undefined;
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
  const prover = await openProver({ rapidsnark: config.rapidsnark, log });
  const opened = openPorts(packages, client, prover, config.proofSeconds * 1000, log);
  const environment = statement({ prover: prover.name, image: config.image });
  let door: Door | undefined;
  try {
    door = await openDoor(config, packages, client, opened.models, { log, clock });
    const engine = await openEngine({
      client,
      signer,
      place:
        config.databaseUrl === undefined ? { dir: path.join(config.dataDir, "jobs") } : { url: config.databaseUrl },
      models: opened.models,
      inputs: openInputs(
        {
          schemes: config.inputSchemes,
          ipfsGateway: config.ipfsGateway,
          allowPrivate: config.privateAddresses,
          timeoutMs: config.inputSeconds * 1000,
        },
        door?.inbox,
      ),
      infer: opened.infer,
      proving: opened.proving,
      policy: {
        minimumFees: Object.fromEntries([[NOBODY, config.minimumFee], ...(config.tokenFees ?? [])]),
        coverGas: config.coverGas,
        claim: config.claim,
        claimSeconds: config.claimSeconds,
        collateralPercent: config.collateralPercent,
        callbackGas: config.callbackGas,
        marginSeconds: config.marginSeconds,
        maxAttempts: config.maxAttempts,
        backoffMs: exponentialBackoff,
        evidence: Evidence.zk | Evidence.chainInput,
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
      batchSize: config.batchSize,
      batchMs: config.batchSeconds * 1000,
      ...(options.onStored === undefined ? {} : { onStored: options.onStored }),
      ...(options.fault === undefined ? {} : { fault: options.fault }),
    });
    return {
      engine,
      client,
      environment,
      funds,
      inbox: door?.server?.url,
      async close() {
        await door?.server?.close();
        await engine.stop();
        await opened.close();
      },
    };
  } catch (error) {
    await door?.server?.close();
    await opened.close();
    throw error;
  }
}

/** Where private inputs come in. */
interface Door {
  readonly inbox: Inbox;
  readonly server: InboxServer | undefined;
}

/** Undefined where no served model has a private input. */
async function openDoor(
  config: Config,
  packages: readonly Package[],
  { chainId, coordinator }: ChainClient,
  models: Models,
  { log, clock }: Pick<WiringOptions, "log" | "clock">,
): Promise<Door | undefined> {
  const lengths = packages
    .filter(({ claim }) => claim === "private-input")
    .map(({ graph }) => byteLengthOf(bordersOf(graph).inputs));
  if (lengths.length === 0) return undefined;
  const file = config.encryptionKeyFile ?? path.join(config.dataDir, "encryption.key");
  const made = ensureEncryptionKey(file);
  const { opening, publicKey } = await openEncryptionKey(file);
  const inbox = await openInbox({
    folder: path.join(config.dataDir, "private"),
    key: opening,
    ...{ chainId, coordinator, clock },
    inputLengthOf: async (id, signal) => {
      const model = await models.served(id, signal);
      return model?.privateInput === true ? model.inputLength : undefined;
    },
    maxCount: config.inboxCount,
    maxAgeMs: config.inboxHours * 3_600_000,
  });
  const { inboxPort: port, inboxHost: host } = config;
  const maxBytes = OVERHEAD + Math.max(...lengths);
  const server = port === undefined ? undefined : await serveInbox({ inbox, log, maxBytes, port, host });
  const at = { encryptionKey: hexOf(publicKey), inbox: server?.url, made };
  log.info(at, "takes private inputs; the key counts once it is published: glassbox prover-key");
  return { inbox, server };
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
  const sessions = new Map<Package, Promise<Session>>();

  function packageOf(model: ServedModel): Package {
    const found = known.get(model.id);
    if (found === undefined) throw new NodeError("internal", `model ${model.id} was never looked up`);
    return found.package;
  }
  /** Opened once; a failure is not kept. */
  function sessionOf(pack: Package): Promise<Session> {
    const before = sessions.get(pack);
    if (before !== undefined) return before;
    const opening = openSession(pack);
    sessions.set(pack, opening);
    opening.catch(() => sessions.delete(pack));
    return opening;
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
        const { inputs, outputs } = bordersOf(pack.graph);
        const served: ServedModel = {
          id,
          name: pack.name,
          inputLength: byteLengthOf(inputs),
          outputLength: byteLengthOf(outputs),
          privateInput: pack.claim === "private-input",
          estimateMs,
        };
        // Anybody can register these digests with lengths that no answer fits: every proof for it would be work for nothing.
        if (record?.inputLength !== served.inputLength || record.outputLength !== served.outputLength) return undefined;
        known.set(id, { package: pack, served });
        return served;
      },
    },
    infer: {
      async run(model, { bytes, salt }) {
        const { output } = await (await sessionOf(packageOf(model))).infer(bytes);
        return { output, c: bindingOf(bytes, output, salt) };
      },
    },
    proving: {
      async prove({ model, input, output, c, r }, signal) {
        const pack = packageOf(model);
        const session = await sessionOf(pack);
        const same = (again: bigint, answer: Uint8Array): bigint => {
          if (again === c && Buffer.from(answer).equals(output)) return r;
          throw new NodeError("integrity", `${pack.name} gave another output for the same input`, {
            mend: "The runtime is not deterministic on this machine: run `glassbox doctor`.",
          });
        };
        const { proof, signals, witnessMs, proveMs } = await session.prove(prover, input.bytes, same, {
          signal,
          ...(input.salt === undefined ? {} : { salt: input.salt }),
        });
        log.info({ model: pack.name, witnessMs: Math.round(witnessMs), proveMs: Math.round(proveMs) }, "proved");
        return { proof, signals };
      },
    },
    async close() {
      await prover.close();
      for (const opening of sessions.values()) await (await opening).close();
    },
  };
}
