// A private input from end to end, by the commands that people have: compiled, registered, handed to the chosen prover sealed
// to its published key, proved by the real node, verified by the chain. And what nobody else gets to see: the input is
// looked for in every transaction, every event and every file of the prover.
import { expect } from "chai";
import { AbiCoder } from "ethers";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { planOf } from "../../node/app/artifacts.ts";
import { awaitResult } from "../../node/app/cli/request.ts";
import { loadConfig } from "../../node/app/config.ts";
import { type RunningNode, startNode } from "../../node/app/daemon.ts";
import { inputOf, openModel, servedPackage } from "../../node/app/model.ts";
import { systemClock } from "../../node/app/observe.ts";
import { type ChainClient, connect } from "../../node/chain/client.ts";
import { bytesOf, hexOf, wordOf } from "../../node/chain/codec.ts";
import { proverEntry } from "../../node/chain/directory.ts";
import { draftRequest, type InputFrom } from "../../node/chain/request.ts";
import { httpRpc } from "../../node/chain/rpc.ts";
import { deploy } from "../../node/chain/deploy.ts";
import { request, settle, type Wait } from "../../node/chain/write.ts";
import { newSalt, privateCommitment, saltToBytes } from "../../node/core/commitment.ts";
import { type Address, Evidence, type Hex, type ModelId } from "../../node/core/domain.ts";
import type { Log, LogFields } from "../../node/core/ports.ts";
import { deliver } from "../../node/private/deliver.ts";
import { seal } from "../../node/private/envelope.ts";
import { readOpening, writeOpening } from "../../node/private/opening.ts";
import { type LocalChain, startChain } from "../../scripts/localchain.ts";
import { artifact, senderOf, WALLETS } from "../support/chain.ts";
import { commandLine } from "../support/cli.ts";

const MODEL = "models/breast-cancer-mlp";
const FEE = 10n ** 12n;
const prover = WALLETS[2].address as Address;

let work: string;
const at = (name: string): string => path.join(work, name);
const { glassbox, json } = commandLine(() => work);

describe("a private input", function () {
  this.timeout(180_000);
  let chain: LocalChain;
  let client: ChainClient;
  let directory: Address;
  let model: ModelId;
  let node: RunningNode;
  let requester: Wait;
  let place: readonly string[];
  const said: string[] = [];
  /** All that must stay between requester and prover. */
  const secrets: { readonly salt: bigint; readonly input: Uint8Array }[] = [];

  before(async () => {
    work = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-private-"));
    const source = path.resolve(MODEL, "model.onnx");
    const calibration = path.resolve(MODEL, "calibration.npz");
    const compiled = await json("compile", source, "--calibration", calibration, "--private-input", "--out", "bc");
    expect(compiled).to.have.nested.property("manifest.choices.claim", "private-input");

    chain = await startChain("edr");
    const rpc = httpRpc(chain.rpcUrl);
    const [publisher, asking] = await Promise.all(
      WALLETS.slice(0, 2).map(async (wallet): Promise<Wait> => ({
        sender: await senderOf(rpc, wallet),
        clock: systemClock,
        pollMs: 20,
      })),
    );
    requester = asking as Wait;
    const deployed = await deploy(planOf("artifacts"), rpc, publisher as Wait);
    client = await connect({ rpc, coordinator: deployed.coordinator });
    const { bytecode } = artifact("ProverDirectory");
    const made = await settle("deploy:directory", { to: undefined, data: bytecode as Hex }, publisher as Wait);
    directory = made.contract as Address;
    const keys = { "publisher.key": 0, "requester.key": 1, "prover.key": 2 } as const;
    for (const [name, n] of Object.entries(keys)) fs.writeFileSync(at(name), WALLETS[n].privateKey, { mode: 0o600 });
    place = ["--rpc", chain.rpcUrl, "--coordinator", deployed.coordinator];
    const registered = await json("register", "bc", ...place, "--key-file", "publisher.key");
    model = registered["model"] as ModelId;
    expect((await client.modelOf(model))?.inputKinds).to.deep.equal(["private"]);

    const logOf = (of: LogFields): Log => {
      const say = (fields: LogFields, message: string) =>
        void said.push(JSON.stringify([message, { ...of, ...fields }], bigintsToo));
      return { debug: say, info: say, warn: say, error: say, child: (fields) => logOf({ ...of, ...fields }) };
    };
    const over = {
      dataDir: "data",
      rpcUrl: chain.rpcUrl,
      coordinator: deployed.coordinator,
      confirmations: 0,
      packages: ["bc"],
      keyFile: "prover.key",
      pollSeconds: 0.05,
      proofSeconds: 10,
      claim: "always",
      inboxPort: 0,
    };
    const config = loadConfig({ env: {}, cwd: work, over });
    node = await startNode(config, { packages: [await servedPackage(at("bc"))], log: logOf({}) });
    const published = ["--directory", directory, "--endpoint", `${node.inbox}/private`, "--key-file", "prover.key"];
    await json("prover-key", "data/encryption.key", ...published, ...place);
  });
  after(async () => {
    await node?.stop();
    await chain?.stop();
    fs.rmSync(work, { recursive: true, force: true });
  });

  const sampleOf = async (number: number): Promise<Uint8Array> => {
    const { inputs, close } = await openModel(at("bc"), { keys: false });
    await close();
    return inputOf(inputs, `${MODEL}/test.npz#${number}`, (file) => file);
  };
  const sealed = async (number: number) => {
    const opening = { salt: newSalt(), input: await sampleOf(number) };
    secrets.push(opening);
    const entry = (await proverEntry(client.rpc, directory, prover)) ?? expect.fail("no entry");
    const envelope = await seal(
      entry.encryptionKey,
      { ...client, model, requester: requester.sender.address },
      opening,
    );
    return { ...opening, ...entry, envelope, commitment: wordOf(privateCommitment(opening.salt, opening.input)) };
  };
  const ask = async (from: InputFrom) => {
    const now = (await client.head()).time;
    const terms = { requester: requester.sender.address, model, from, now, fee: FEE, prover };
    const drafted = draftRequest({ ...terms, allowDevelopmentKeys: true });
    return (await request(client, drafted, { payment: "direct" }, requester)).seen;
  };
  const answerTo = (seen: Awaited<ReturnType<typeof ask>>) =>
    awaitResult(client, seen, { clock: systemClock, pollMs: 20, signal: AbortSignal.timeout(60_000) });
  const outputOf = async (input: Uint8Array): Promise<Uint8Array> => {
    const opened = await openModel(at("bc"), { keys: false });
    try {
      return (await opened.infer(input)).output;
    } finally {
      await opened.close();
    }
  };
  const auditOf = async (id: string, ...more: readonly string[]) => {
    const { code, stdout } = await glassbox("audit", id, ...more, ...place, "--json");
    const { checks } = JSON.parse(stdout) as { readonly checks: readonly { readonly name: string; readonly outcome: string }[] }; // prettier-ignore
    return { code, outcomes: Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome])) };
  };
  let first: string;

  it("is sealed, handed to the chosen prover, proved and verified: on chain are commitment and output", async () => {
    const asked = ["--input", `${path.resolve(MODEL)}/test.npz#3`, "--package", "bc", "--private", "opening.json"];
    const to = ["--prover", prover, "--directory", directory, "--fee", `${FEE}`, "--key-file", "requester.key"];
    const report = await json("request", model, ...asked, ...to, ...place);
    first = report["request"] as string;
    const opening = readOpening(at("opening.json"));
    secrets.push(opening);
    expect(fs.statSync(at("opening.json")).mode & 0o777).to.equal(0o600);
    expect(opening.input).to.deep.equal(await sampleOf(3));
    expect(report).to.have.nested.property("result.output", hexOf(await outputOf(opening.input)));
    expect(report).to.have.nested.property("result.evidence", Evidence.zk | Evidence.developmentKey);
    const seen = await client.requested(first as never, 0);
    expect(seen?.request.inputKind).to.equal("private");
    expect(seen?.request.inputHash).to.equal(wordOf(privateCommitment(opening.salt, opening.input)));
    expect(seen?.input.length).to.equal(0);
  });

  it("is audited by who is shown what opens the commitment, in part by who is not, and never with another opening", async () => {
    const shown = await auditOf(first, "--package", "bc", "--opening", "opening.json");
    expect(shown.code).to.equal(0);
    const done = ["circuit derived again", "key derived again", "request", "input", "proof", "model run again"];
    for (const name of done) expect(shown.outcomes[name], name).to.equal("ok");
    const closed = await auditOf(first);
    expect(closed.code).to.equal(0);
    expect(closed.outcomes).to.include({ proof: "ok", input: "absent", "model run again": "absent" });

    const { salt, input } = readOpening(at("opening.json"));
    writeOpening(at("other-salt.json"), { salt: salt + 1n, input });
    writeOpening(at("other-input.json"), { salt, input: await sampleOf(4) });
    for (const file of ["other-salt.json", "other-input.json"]) {
      const wrong = await auditOf(first, "--opening", file);
      expect(wrong.code).to.equal(5);
      expect(wrong.outcomes["input"]).to.equal("failed");
    }
  });

  it("may come in the request itself, sealed, as a data: address", async () => {
    const { envelope, commitment, input } = await sealed(5);
    const uri = `data:;base64,${Buffer.from(envelope).toString("base64")}`;
    const result = await answerTo(await ask({ kind: "private", commitment, uri }));
    expect(result.output).to.deep.equal(await outputOf(input));
  });

  it("may come after the request: the node waits for it, and claims nothing before", async () => {
    const { envelope, endpoint, commitment, input } = await sealed(6);
    const seen = await ask({ kind: "private", commitment });
    const missed = (): boolean => said.some((line) => line.includes(seen.id) && line.includes("its private input"));
    while (!missed()) await systemClock.sleep(20);
    expect(await client.claimOf(seen.request)).to.equal(undefined);
    await deliver(endpoint, envelope);
    expect((await answerTo(seen)).output).to.deep.equal(await outputOf(input));
  });

  it("is on no other machine: in no transaction, no event, no file or log line of the prover", async () => {
    expect(secrets).to.have.length(3);
    await node.stop();
    const traces = secrets.flatMap(({ salt, input }) => [saltToBytes(salt), ...telling(input)]);
    expect(traces.length).to.be.greaterThan(2 * secrets.length);
    const finds = (bytes: Uint8Array): boolean =>
      traces.some((trace) => Buffer.from(bytes).includes(Buffer.from(trace)));
    const inText = traces.map((trace) => Buffer.from(trace).toString("hex"));
    // the search finds what is there: the envelope's plaintext, and the requester's own file
    const own = secrets[0] ?? expect.fail("none");
    expect(finds(Buffer.concat([Buffer.of(7), own.input]))).to.equal(true);
    expect(inText.some((hex) => fs.readFileSync(at("opening.json"), "utf8").includes(hex))).to.equal(true);

    const rpc = (method: string, ...params: readonly unknown[]): Promise<unknown> => client.rpc.request(method, params);
    const { number } = await client.head();
    let bytes = 0;
    for (let n = 0; n <= number; n++) {
      const block = (await rpc("eth_getBlockByNumber", `0x${n.toString(16)}`, true)) as {
        readonly transactions: readonly { readonly hash: string; readonly input: string }[];
      };
      for (const { hash, input } of block.transactions) {
        const { logs } = (await rpc("eth_getTransactionReceipt", hash)) as {
          readonly logs: readonly { readonly data: string; readonly topics: readonly string[] }[];
        };
        const shown = [input, ...logs.flatMap(({ data, topics }) => [data, ...topics])].map(bytesOf);
        for (const each of shown) {
          bytes += each.length;
          expect(finds(each), hash).to.equal(false);
        }
      }
    }
    expect(bytes).to.be.greaterThan(20_000);
    const files = fs
      .readdirSync(at("data"), { recursive: true, encoding: "utf8" })
      .map((name) => path.join("data", name));
    for (const name of files.filter((file) => fs.statSync(at(file)).isFile())) {
      const content = fs.readFileSync(at(name));
      expect(finds(content), name).to.equal(false);
      for (const hex of inText) expect(content.includes(hex), name).to.equal(false);
    }
    expect(files.filter((name) => name.endsWith(".sealed"))).to.have.length(3);
    for (const secret of secrets) {
      const spelled = [...inText, secret.salt.toString(), AbiCoder.defaultAbiCoder().encode(["bytes"], [secret.input])];
      for (const text of spelled) expect(said.join("\n").includes(text)).to.equal(false);
    }
  });

  it("is proved and verified as files, too: the proof has no input, the opening beside it has", async () => {
    const input = `${path.resolve(MODEL)}/test.npz#7`;
    const proved = await json("prove", "bc", "--input", input, "--out", "proof.json");
    expect(proved).to.not.have.property("input");
    const opening = readOpening(at("proof.opening.json"));
    expect(fs.readFileSync(at("proof.json"), "utf8")).to.not.include(hexOf(opening.input).slice(2));
    expect(await json("verify", "bc", "proof.json")).to.include({ holds: true });
    expect(await json("verify", "bc", "proof.json", "--opening", "proof.opening.json")).to.include({ holds: true });
    expect((await glassbox("verify", "bc", "proof.json", "--opening", "opening.json")).code).to.equal(5);
    const file = JSON.parse(fs.readFileSync(at("proof.json"), "utf8")) as Record<string, unknown>;
    fs.writeFileSync(at("shown.json"), JSON.stringify({ ...file, input: hexOf(opening.input) }));
    const refused = await glassbox("verify", "bc", "shown.json");
    expect([refused.code, /shows no input/.test(refused.stderr)]).to.deep.equal([3, true]);
    fs.writeFileSync(at("bent.json"), JSON.stringify({ ...file, c: (BigInt(file["c"] as string) + 1n).toString() }));
    expect((await glassbox("verify", "bc", "bent.json")).code).to.equal(5);
    // a second proof of the same name would lose what opens the first
    expect((await glassbox("prove", "bc", "--input", input, "--out", "proof.json")).code).to.equal(3);
  });
});

const bigintsToo = (_: string, value: unknown): unknown => (typeof value === "bigint" ? value.toString() : value);

/** Parts of 16 bytes that are of this input alone: not a run of equal bytes, as anything may have. */
function telling(input: Uint8Array): Uint8Array[] {
  const parts = Array.from({ length: Math.floor(input.length / 16) }, (_, i) => input.slice(16 * i, 16 * i + 16));
  return parts.filter((part) => new Set(part).size > 8);
}
