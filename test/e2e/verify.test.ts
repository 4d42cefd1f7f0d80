// Source verification, offline: what an explorer is sent compiles, by solc alone, to what is on the chain. The explorer is a
// fake in the manner of Blockscout.
import { expect } from "chai";
import { network } from "hardhat";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { planOf } from "../../node/app/artifacts.ts";
import { deployAll } from "../../node/chain/deploy.ts";
import { httpRpc } from "../../node/chain/rpc.ts";
import { buildRelease } from "../../scripts/release.ts";
import { verifySources } from "../../scripts/verify.ts";
import { senderOf, WALLETS } from "../support/chain.ts";
import { hastyClock } from "../support/fakes.ts";

/** Explorers take no contracts of development chains. */
const CHAIN = 424_242;
const NAMES = ["Groth16Verifier", "ProverDirectory"] as const;

interface Solc {
  compile(input: string): string;
}
interface Compiled {
  readonly contracts: Readonly<Record<string, Readonly<Record<string, { readonly evm: { readonly bytecode: { readonly object: string } } }>>>>; // prettier-ignore
}

describe("source verification", function () {
  this.timeout(120_000);
  let chain: Awaited<ReturnType<typeof network.createServer>>;
  let rpcUrl: string;
  let explorer: Server;
  let explorerUrl: string;
  let sent: URLSearchParams[];
  before(async () => {
    chain = await network.createServer({ network: "node", override: { chainId: CHAIN } }, "127.0.0.1", 0);
    const { address, port } = await chain.listen();
    rpcUrl = `http://${address}:${port}`;
    explorer = createServer((request, response) => {
      let body = "";
      request.on("data", (piece: Buffer) => (body += piece.toString()));
      request.on("end", () => {
        const asked = new URL(request.url ?? "/", "http://local").searchParams;
        const form = new URLSearchParams(body);
        const action = asked.get("action") ?? form.get("action");
        if (action === "verifysourcecode") sent.push(form);
        const result = { getsourcecode: [{}], verifysourcecode: "guid", checkverifystatus: "Pass - Verified" }[action ?? ""]; // prettier-ignore
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ status: "1", message: "OK", result }));
      });
    });
    await new Promise<void>((resolve) => explorer.listen(0, "127.0.0.1", resolve));
    explorerUrl = `http://127.0.0.1:${(explorer.address() as AddressInfo).port}`;
  });
  beforeEach(() => (sent = []));
  after(async () => {
    explorer?.closeAllConnections();
    explorer?.close();
    await chain?.close();
  });

  it("sends the explorer what compiles to the code at the address, and nothing unrelated", async () => {
    const rpc = httpRpc(rpcUrl);
    const wait = { sender: await senderOf(rpc, WALLETS[0]), clock: hastyClock() };
    const artifacts = await buildRelease(NAMES);
    const plan = planOf(artifacts, NAMES);
    await deployAll(plan, rpc, wait);
    await verifySources({ rpcUrl, explorer: "blockscout", explorerUrl, names: NAMES });
    expect(sent.map((form) => form.get("contractaddress"))).to.deep.equal(plan.map(({ address }) => address));
    const solc = createRequire(import.meta.url)("solc") as Solc;
    for (const [i, form] of sent.entries()) {
      const [source, name] = (form.get("contractname") as string).split(":") as [string, string];
      expect(form.get("compilerversion")).to.match(/^v0\.8\.37\+commit\./);
      const input = JSON.parse(form.get("sourceCode") as string) as { sources: Record<string, unknown> };
      const unrelated = Object.keys(input.sources).filter((file) => /InferenceCoordinator\.sol|test\//.test(file));
      expect(unrelated).to.deep.equal([]);
      const { contracts } = JSON.parse(solc.compile(JSON.stringify(input))) as Compiled;
      expect(`0x${contracts[source]?.[name]?.evm.bytecode.object}`).to.equal(plan[i]?.initCode);
    }
  });

  it("sends nothing where the code at the address is other than the source", async () => {
    const artifacts = await buildRelease(["Groth16Verifier"]);
    const [verifier] = planOf(artifacts, ["Groth16Verifier"]);
    const rpc = httpRpc(rpcUrl);
    const code = (await rpc.request("eth_getCode", [verifier?.address, "latest"])) as string;
    await rpc.request("hardhat_setCode", [verifier?.address, code.replace(/6040/, "6041")]);
    const said = await verifySources({ rpcUrl, explorer: "blockscout", explorerUrl, names: ["Groth16Verifier"] }).then(
      () => "nothing",
      (error: Error) => error.message,
    );
    expect(said).to.match(/bytecode/i);
    expect(sent).to.deep.equal([]);
  });
});
