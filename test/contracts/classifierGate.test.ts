// The example gate: whose data, how old, of which class, proven for whom; and what newer data does to an older pass.
import { expect } from "chai";
import { type BaseContract, keccak256, toBeHex } from "ethers";
import type { Hex } from "../../node/core/domain.ts";
import { encodeInts } from "../../node/core/tensor.ts";
import { C, CHAIN_ID, type Chain, flipped, INPUT, START, openChain, send, type Stage, view, ZERO_ID } from "../support/contracts.ts"; // prettier-ignore
import { claimFacts, type ClaimText } from "../support/contractsClaim.ts";
import { INPUT_KIND } from "../support/contractsRequest.ts";
import { signAttestation } from "../support/dapps.ts";
import { proofWords, prove, TRAPDOOR } from "../support/trapdoor.ts";

const INT16 = { bits: 16, signed: true } as const;
const NOTHING = new Uint8Array(0);
const VALID_FOR = 7_200;
const ISSUED = START + 100_000;
const ADMITTED = 1;
/** Ten scores of which the one of `label` is the largest. */
const scores = (label: number): Uint8Array => encodeInts(Array.from({ length: 10 }, (_, i) => (i === label ? -3 : -40 - i)), INT16); // prettier-ignore

interface Check {
  readonly account: string;
  readonly issuedAt: number;
  readonly output: Uint8Array;
  readonly input: Uint8Array;
  /** Of the claim, where it is another. */
  readonly claim: Partial<ClaimText>;
  readonly signature: string;
  readonly c: bigint;
}

describe("ClassifierGate", () => {
  let chain: Chain;
  let s: Stage;
  let model: string;
  let gate: BaseContract;
  let place: string;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
    await make(s.model);
    await chain.helpers.time.increaseTo(ISSUED);
  });
  async function make(of: string, allowDevelopmentKeys = false): Promise<void> {
    model = of;
    const args = [s.coordinatorAddress, of, issuer().address, ADMITTED, VALID_FOR, allowDevelopmentKeys];
    gate = await s.deploy("ClassifierGate", ...args);
    place = await gate.getAddress();
  }
  const issuer = () => s.signers.publisher;
  const account = () => s.signers.requester;
  const sign = (over: Partial<{ account: string; data: string; issuedAt: number; gate: string }> = {}, by = issuer()) =>
    signAttestation(by, {
      ...{ gate: place, chainId: CHAIN_ID, account: account().address, data: keccak256(INPUT), issuedAt: ISSUED },
      ...over,
    });
  /** Sends a check of the usual data, with what differs. */
  async function check(over: Partial<Check> = {}) {
    const { issuedAt = ISSUED, input = INPUT, output = scores(ADMITTED), c = C } = over;
    const subject = over.account ?? account().address;
    const direct = { domain: "direct", chainId: CHAIN_ID, contract: s.coordinatorAddress, requestId: ZERO_ID } as const;
    const hidden = input.length === 0 ? { inputHash: toBeHex(c, 32) as Hex } : {};
    const text: ClaimText = { ...direct, modelId: model, prover: place, c, input, output, ...hidden, ...over.claim };
    const proof = proofWords(prove(TRAPDOOR, claimFacts(text).signals));
    const data = input.length === 0 ? toBeHex(c, 32) : keccak256(input);
    const signature = over.signature ?? (await sign({ account: subject, data, issuedAt }));
    const args = [subject, issuedAt, { input, output, c, proof }, signature];
    return send(gate, "check", args, { from: s.signers.stranger });
  }
  const admitted = () => view(gate, "isAdmitted", [account().address]);
  const enter = () => send(gate, "enter", [], { from: account() });

  it("lets in an account of the right class, by its issuer's data and a proof, whoever sends it", async () => {
    await expect(enter()).to.be.revertedWithCustomError(gate, "NotAdmitted").withArgs(account().address);
    await expect(check()).to.emit(gate, "Checked").withArgs(account().address, ADMITTED, true, ISSUED);
    await expect(enter()).to.emit(gate, "Entered").withArgs(account().address);
  });

  it("lets in nobody of another class", async () => {
    for (const label of [0, 2, 9]) {
      await expect(check({ output: scores(label), issuedAt: ISSUED - 10 + label }))
        .to.emit(gate, "Checked")
        .withArgs(account().address, label, false, ISSUED - 10 + label);
      expect(await admitted()).to.equal(false);
    }
  });

  it("believes the issuer alone, about this account, these data, this time and this gate", async () => {
    const other = await s.deploy("ClassifierGate", s.coordinatorAddress, model, issuer().address, ADMITTED, VALID_FOR, false); // prettier-ignore
    const signatures = [
      await sign({}, account()),
      await sign({ account: s.signers.rival.address }),
      await sign({ data: keccak256(flipped(INPUT, 0)) }),
      await sign({ issuedAt: ISSUED - 1 }),
      await sign({ gate: await other.getAddress() }),
    ];
    for (const signature of signatures)
      await expect(check({ signature })).to.be.revertedWithCustomError(gate, "SignerIsNotIssuer");
    await expect(check({ signature: "0x1234" })).to.be.revertedWithCustomError(gate, "ECDSAInvalidSignatureLength");
    await check({ signature: await sign() });
  });

  it("believes no answer without its proof: for this gate, of this model, of these bytes", async () => {
    const claims: readonly Partial<ClaimText>[] = [
      { prover: s.signers.stranger.address },
      { modelId: ZERO_ID },
      { output: scores(3) },
      { input: flipped(INPUT, 5) },
      { domain: "claim" },
      { chainId: 1n },
    ];
    for (const claim of claims)
      await expect(check({ claim })).to.be.revertedWithCustomError(s.coordinator, "InvalidProof");
    expect(await admitted()).to.equal(false);
  });

  it("takes data of any second up to now, as long as they are valid", async () => {
    await chain.at(ISSUED + VALID_FOR + 1);
    await expect(check())
      .to.be.revertedWithCustomError(gate, "DataTooOld")
      .withArgs(ISSUED, ISSUED + VALID_FOR + 1);
    const now = ISSUED + VALID_FOR + 100;
    await chain.at(now);
    await expect(check({ issuedAt: now + 1 })).to.be.revertedWithCustomError(gate, "DataFromFuture");
    await chain.at(now + 1);
    await check({ issuedAt: now + 1 });
    await chain.at(now + 1 + VALID_FOR);
    const { rival } = s.signers;
    await check({ account: rival.address, issuedAt: now + 1 });
    expect(await view(gate, "isAdmitted", [rival.address])).to.equal(true); // for this second
    expect(await admitted()).to.equal(true);
    await chain.helpers.mine();
    expect(await admitted()).to.equal(false);
    await expect(enter()).to.be.revertedWithCustomError(gate, "NotAdmitted");
  });

  it("goes by the newest data: a check puts out whom newer data do not let in, and old data undo nothing", async () => {
    await check({ issuedAt: ISSUED - 50 });
    await expect(check({ issuedAt: ISSUED - 50 })).to.be.revertedWithCustomError(gate, "DataNotNewer");
    await expect(check({ issuedAt: ISSUED - 51, output: scores(0) })).to.be.revertedWithCustomError(gate, "DataNotNewer"); // prettier-ignore
    expect(await admitted()).to.equal(true);
    await check({ issuedAt: ISSUED - 49, output: scores(0) });
    expect(await admitted()).to.equal(false);
    await expect(check({ issuedAt: ISSUED - 50 })).to.be.revertedWithCustomError(gate, "DataNotNewer");
    await check({ issuedAt: ISSUED - 48 });
    expect(await admitted()).to.equal(true);
  });

  it("takes signed commitments in place of data, if the model's input is private", async () => {
    await make(await s.another({ inputKinds: 1 << INPUT_KIND.private }));
    await expect(check({ input: NOTHING, signature: await sign() })).to.be.revertedWithCustomError(gate, "SignerIsNotIssuer"); // prettier-ignore
    await expect(check({ input: NOTHING, claim: { c: C + 1n } })).to.be.revertedWithCustomError(s.coordinator, "InvalidProof"); // prettier-ignore
    await check({ input: NOTHING });
    expect(await admitted()).to.equal(true);
  });

  it("takes no data in the place of commitments, nor commitments in the place of data", async () => {
    await expect(check({ input: NOTHING })).to.be.revertedWithCustomError(s.coordinator, "InputLengthMismatch");
    await make(await s.another({ inputKinds: 1 << INPUT_KIND.private }));
    await expect(check()).to.be.revertedWithCustomError(s.coordinator, "InputLengthMismatch");
  });

  it("is not made with a model of a development key unless it is told to, and ends with its model", async () => {
    const development = await s.another({ keyKind: 0 });
    await expect(make(development)).to.be.revertedWithCustomError(gate, "DevelopmentKeyNotAllowed").withArgs(development); // prettier-ignore
    await make(development, true);
    await check({ issuedAt: ISSUED - 1 });
    await send(s.registry, "retire", [development], { from: issuer() });
    await expect(check()).to.be.revertedWithCustomError(gate, "ModelIsRetired").withArgs(development);
    expect(await admitted()).to.equal(true); // whom it let in stays in to the end
  });
});
