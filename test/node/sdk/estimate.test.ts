// What the SDK says that an answer costs, held to what answers cost in the snapshots, and to what they were paid.
import { expect } from "chai";
import fs from "node:fs";
import { FULFIL_GAS, fulfilGas } from "../../../node/sdk/estimate.ts";
import { DEADLINE, FEE, INPUT, START } from "../../support/contracts.ts";
import { bytesOf } from "../../support/contractsVectors.ts";
import { openSdkChain, type SdkStage } from "../../support/sdk.ts";

const TERMS = { within: DEADLINE - START } as const;

describe("the SDK's estimate", function () {
  this.timeout(20_000);
  let opened: Awaited<ReturnType<typeof openSdkChain>>;
  let s: SdkStage;
  before(async () => {
    opened = await openSdkChain();
  });
  beforeEach(async () => {
    s = await opened.stage();
  });
  after(() => opened.close());

  it("covers what fulfilments cost in the snapshots, by less than a seventh more", () => {
    const kept = JSON.parse(fs.readFileSync("test/contracts/snapshots/gas.json", "utf8")) as Record<string, number>;
    const fulfilments = Object.entries(kept).flatMap(([name, gas]) => {
      const [, input, output] = /^fulfil, (?!.*consumer).*?(\d+) to (\d+) bytes$/.exec(name) ?? [];
      return input === undefined ? [] : [{ name, gas, input: Number(input), output: Number(output) }];
    });
    expect(fulfilments).to.have.length.of.at.least(3);
    for (const { name, gas, input, output } of fulfilments) {
      expect(Number(fulfilGas(input, output)) / gas, name).to.be.within(1, 1.15);
    }
  });

  it("covers what models of other sizes cost, by less than a seventh more", async () => {
    const client = await s.client();
    for (const [inputLength, outputLength] of [
      [1, 32],
      [1, 33],
      [2_000, 400],
      [16_000, 2],
    ] as const) {
      // prettier-ignore
      const model = await s.another({ inputLength, outputLength });
      const input = bytesOf("input", inputLength);
      const asked = await client.infer(model, { kind: "bytes", bytes: input }, { ...TERMS, fee: FEE });
      const receipt = await (
        await s.fulfil(s.answerTo(asked, input, { output: bytesOf("output", outputLength) }))
      ).wait();
      const { gas } = await client.estimate(model);
      expect(Number(gas) / Number(receipt?.gasUsed), `${inputLength} to ${outputLength}`).to.be.within(1, 1.15);
    }
  });

  it("is of gas, gas price and a fee that leaves the prover half more than the cost, after the royalty", async () => {
    const model = await s.another({ royaltyBps: 2_500 });
    const client = await s.client();
    const [plain, royal] = [await client.estimate(s.model), await client.estimate(model)];
    expect(plain.cost).to.equal(plain.gas * plain.gasPrice);
    expect(plain.recent).to.equal(undefined);
    expect(plain.fee).to.equal((plain.cost * 3n) / 2n);
    expect(royal.fee).to.equal(royal.cost * 2n);
    const called = await client.estimate(s.model, { callbackGas: 100_000 });
    expect(called.gas - plain.gas).to.equal(100_000n + FULFIL_GAS.callback);
  });

  it("knows what the model's answers were paid lately, in each token", async () => {
    const client = await s.client();
    const [low, high] = [FEE, 10n ** 18n];
    for (const fee of [high, low, high]) {
      const asked = await client.infer(s.model, INPUT, { ...TERMS, fee });
      await s.fulfil(s.answerTo(asked, INPUT));
    }
    const { recent, fee } = await client.estimate(s.model);
    expect(recent).to.deep.equal({ count: 3, lowest: low, median: high, highest: high });
    expect(fee).to.equal(high);
    expect((await client.estimate(s.model, { blocks: 2 })).recent).to.deep.include({ count: 1, median: high });
    const token = (await (await s.deploy("PlainToken")).getAddress()) as never;
    expect(await client.estimate(s.model, { token })).to.deep.include({ recent: undefined, fee: undefined });
  });

  it("is one without prices where the endpoint gives no logs", async () => {
    const client = await s.client({
      rpc: s.endpoint((call, answer) => {
        if (call.method === "eth_getLogs") throw new Error("no logs here");
        return answer;
      }),
    });
    const { recent, fee } = await client.estimate(s.model);
    expect(recent).to.equal(undefined);
    expect(fee).to.be.a("bigint");
  });
});
