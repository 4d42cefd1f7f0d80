// The example dapps with real models: trained and compiled here (or from models/), answered with real Groth16 proofs that the
// chain checks, on inputs that it reads itself or that an issuer signed. What the unit tests show with the trapdoor's key,
// this shows with a circuit's.
import { expect } from "chai";
import { hexlify, keccak256, parseEther, toBeHex } from "ethers";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { compile } from "../../node/app/compile.ts";
import { inputOf, openModel } from "../../node/app/model.ts";
import { privateCommitment } from "../../node/core/commitment.ts";
import { Evidence } from "../../node/core/domain.ts";
import { byteLengthOf, decodeTensors } from "../../node/core/tensor.ts";
import { toReals } from "../../node/model/border.ts";
import { readDataset } from "../../node/model/dataset.ts";
import { type Prover, wasmProver } from "../../node/proof/prover.ts";
import { ALL, CHAIN_ID, type Chain, FEE, NATIVE, START, openChain, send, type Stage, view } from "../support/contracts.ts"; // prettier-ignore
import { askedIn, signAttestation, twapQuery } from "../support/dapps.ts";
import { silentStep } from "../support/packages.ts";
import { compiledHere, type Proven, provenModel } from "../support/proven.ts";
import { type Example, markets, type NetSpec, trainedOnnx, withdrawals } from "../support/train.ts";

const UNIT = 10n ** 18n;
const DAY = 86_400;
const CHAIN_INPUT = 16;

describe("dapps with real proofs", function () {
  this.timeout(180_000);
  let chain: Chain;
  let s: Stage;
  let prover: Prover;
  let folder: string;
  const opened: { close(): Promise<void> }[] = [];
  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-dapps-"));
    prover = wasmProver();
    chain = await openChain();
    s = await chain.stage();
  });
  after(async () => {
    for (const each of opened) await each.close();
    await prover.close();
    fs.rmSync(folder, { recursive: true, force: true });
  });
  async function trained(name: string, examples: readonly Example[], spec: NetSpec): Promise<Proven> {
    const rows = examples.map(({ x }) => x);
    const open = await compiledHere(folder, name, trainedOnnx(examples, spec), rows);
    opened.push(open);
    return provenModel(s, open, prover, new Uint8Array(byteLengthOf(open.inputs)));
  }
  const real = ({ open }: Proven, output: Uint8Array): number =>
    toReals(open.outputs, decodeTensors(open.outputs, output))[0] as number;

  it("RiskVault: a calm withdrawal above the budget is cleared and paid, a drain is refused", async () => {
    const risk = await trained("risk", withdrawals(300, 1), { hidden: 8, steps: 400, seed: 2, ends: "sigmoid" });
    const source = await s.deploy("StaticcallSource", s.registryAddress);
    const token = await s.deploy("PlainToken");
    const args = [await token.getAddress(), s.coordinatorAddress, risk.id, await source.getAddress(), 50n * UNIT, UNIT / 2n, true]; // prettier-ignore
    const vault = await s.deploy("RiskVault", ...args);
    const place = await vault.getAddress();
    const { requester: holder, rival: newcomer } = s.signers;
    const deposit = async (from: typeof holder, amount: bigint) => {
      await send(token, "mint", [from.address, amount], { from });
      await send(token, "approve", [place, ALL], { from });
      await send(vault, "deposit", [amount, from.address], { from });
    };
    const ask = async (from: typeof holder, assets: bigint) =>
      askedIn(s, await send(vault, "askClearance", [assets], { from, value: FEE }));

    await deposit(holder, 1_000n * UNIT);
    await chain.at(START + 20 * DAY);
    await deposit(newcomer, 4_000n * UNIT);

    const calm = await ask(holder, 200n * UNIT);
    const cleared = await risk.answer(calm);
    expect(real(risk, cleared.output)).to.be.lessThan(0.2);
    await expect(s.fulfil(cleared)).to.emit(vault, "Scored").and.to.emit(s.coordinator, "Fulfilled");
    expect((await s.resultOf(calm)).evidence).to.equal(BigInt(Evidence.zk | Evidence.developmentKey | CHAIN_INPUT));
    await expect(
      send(vault, "withdraw", [200n * UNIT, holder.address, holder.address], { from: holder }),
    ).to.changeTokenBalance(chain.ethers, token, holder, 200n * UNIT);

    const drain = await ask(newcomer, 4_000n * UNIT);
    const refused = await risk.answer(drain);
    expect(real(risk, refused.output)).to.be.greaterThan(0.8);
    // A better output than the proven one does not help.
    await expect(s.fulfil({ ...refused, output: cleared.output })).to.be.revertedWithCustomError(s.coordinator, "InvalidProof"); // prettier-ignore
    await s.fulfil(refused);
    await expect(send(vault, "withdraw", [4_000n * UNIT, newcomer.address, newcomer.address], { from: newcomer })).to.be.revertedWithCustomError(vault, "ERC4626ExceededMaxWithdraw"); // prettier-ignore
  });

  it("VolatilityFee: a schedule has the model read a pool's history, and the fee follows it", async () => {
    const spec = { hidden: 8, steps: 400, seed: 4, ends: "linear", abs: true } as const;
    const model = await trained("volatility", markets(300, 3), spec);
    const source = await s.deploy("UniswapTwapSource", s.registryAddress);
    const pool = await s.deploy("TickPool");
    const agos = Array.from({ length: 10 }, (_, i) => (9 - i) * 300);
    const query = twapQuery(model.id, true, await pool.getAddress(), agos, true);
    const first = (await chain.helpers.time.latest()) + 1_000;
    const plan = {
      ...{ model: model.id, source: await source.getAddress(), data: query, token: NATIVE },
      ...{ minFee: FEE, maxFee: FEE, minCollateral: 0n, bounty: FEE / 10n, start: first, interval: 3_600, ramp: 0 },
      ...{ window: 1_800, claimPeriod: 0, kept: 8, allowDevelopmentKeys: true },
    };
    const schedule = await s.deploy("ScheduledInference", s.coordinatorAddress, plan);
    await s.deposit(s.signers.payer, parseEther("1"), NATIVE, await schedule.getAddress());
    // 0.05 % to 1 %, and 50 millionths for each tick of deviation.
    const fees = await s.deploy("VolatilityFee", await schedule.getAddress(), 500, 10_000, 50, 7_200);
    expect(await view(fees, "fee")).to.equal(10_000n);

    const seen: bigint[] = [];
    for (const [interval, swing] of [
      [0, 4],
      [1, 90],
    ] as const) {
      // prettier-ignore
      // Mean ticks that swing to and fro, as the pool would have summed them.
      const sums = agos.map((_, i) => BigInt(Array.from({ length: i }, (_, k) => 300 * (1_000 + (k % 2 === 0 ? swing : -swing))).reduce((a, b) => a + b, 0))); // prettier-ignore
      await send(pool, "set", [agos, sums], { from: s.signers.deployer });
      await chain.at(first + interval * 3_600);
      const asked = await askedIn(s, await send(schedule, "trigger", [], { from: s.signers.stranger }));
      const changes = Array.from({ length: 8 }, (_, k) => (k % 2 === 0 ? -2 * swing : 2 * swing));
      expect([...toReals(model.open.inputs, decodeTensors(model.open.inputs, asked.input))]).to.deep.equal(changes);
      const answer = await model.answer(asked);
      await expect(s.fulfil(answer)).to.emit(schedule, "Answered").withArgs(interval, asked.id, hexlify(answer.output));
      const score = real(model, answer.output);
      const fee = (await view(fees, "fee")) as bigint;
      expect(fee).to.equal(BigInt(Math.min(10_000, 500 + Math.floor(Math.max(0, score) * 50))));
      seen.push(fee);
    }
    expect(seen[0]).to.be.within(500n, 1_500n);
    expect(seen[1]).to.be.greaterThan(4_000n);
    await chain.helpers.time.increase(7_201);
    expect(await view(fees, "fee")).to.equal(10_000n);
  });

  for (const claim of ["public", "private-input"] as const) {
    it(`ClassifierGate: breast-cancer-mlp lets in by signed measurements, in one transaction (${claim})`, async () => {
      const [name, admittedClass] = ["breast-cancer-mlp", 0] as const; // malignant: a study that takes patients
      const options = { keys: true, keyCache: path.join(folder, "keys"), claim } as const;
      const data = { source: `models/${name}/model.onnx`, calibration: `models/${name}/calibration.npz` };
      const { package: pack } = await compile({ ...data, ...options, name, out: path.join(folder, claim) }, silentStep);
      const open = await openModel(pack.folder, { keys: true });
      opened.push(open);
      const { labels = [] } = await readDataset(`models/${name}/test.npz`, open.package.manifest.inputs, { classes: true }); // prettier-ignore
      const rowOf = (label: number) => inputOf(open.inputs, `models/${name}/test.npz#${labels.indexOf(label)}`, (file) => file); // prettier-ignore
      const model = await provenModel(s, open, prover, await rowOf(1));
      const { publisher: laboratory, requester: patient, stranger } = s.signers;
      const gate = await s.deploy("ClassifierGate", s.coordinatorAddress, model.id, laboratory.address, admittedClass, DAY, true); // prettier-ignore
      const place = await gate.getAddress();

      const check = async (label: number, issuedAt: number, over: { prover?: string } = {}) => {
        const input = await rowOf(label);
        const salt = claim === "public" ? undefined : BigInt(keccak256(toBeHex(issuedAt))) >> 8n;
        const data = salt === undefined ? keccak256(input) : toBeHex(privateCommitment(salt, input), 32);
        const shown = await model.direct(over.prover ?? place, input, salt);
        expect(shown.input.length).to.equal(claim === "public" ? input.length : 0);
        const about = { gate: place, chainId: CHAIN_ID, account: patient.address, data, issuedAt };
        const args = [patient.address, issuedAt, shown, await signAttestation(laboratory, about)];
        return send(gate, "check", args, { from: stranger });
      };
      const now = await chain.helpers.time.latest();
      await expect(check(0, now - 10, { prover: stranger.address })).to.be.revertedWithCustomError(s.coordinator, "InvalidProof"); // prettier-ignore
      await expect(check(1, now - 10))
        .to.emit(gate, "Checked")
        .withArgs(patient.address, 1, false, now - 10);
      await expect(check(0, now - 9))
        .to.emit(gate, "Checked")
        .withArgs(patient.address, 0, true, now - 9);
      await expect(send(gate, "enter", [], { from: patient })).to.emit(gate, "Entered");
      await check(1, now - 8);
      expect(await view(gate, "isAdmitted", [patient.address])).to.equal(false);
    });
  }
});
