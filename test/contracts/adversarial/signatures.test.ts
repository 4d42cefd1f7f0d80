// A signed request in the hands of a stranger: sent twice, changed, sent elsewhere, sent after it was revoked; and revoked or
// ended by who has no right to it.
import { expect } from "chai";
import { AbiCoder, Signature, keccak256, toBeHex } from "ethers";
import { ALL, CHAIN_ID, DEADLINE, FEE, INPUT, NATIVE, view } from "../../support/contracts.ts";
import { market } from "../../support/contractsMarket.ts";
import { INPUT_KIND, REQUEST_TYPES, STATUS, domainOf, type Terms } from "../../support/contractsRequest.ts";

const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

describe("A signed request", () => {
  const m = market();
  let r: Terms;
  let signature: string;
  beforeEach(async () => {
    await m.s.deposit(m.s.signers.requester, 3n * FEE);
    r = m.s.draft();
    signature = await m.s.sign(r);
  });
  const submit = (terms: Terms = r, by: string = signature) => m.s.requestFor({ ...terms, signature: by });
  const untouched = () => m.holds(0n, { requester: 3n * FEE });

  it("is made once, by whomever, and pays once", async () => {
    const asked = await submit();
    await m.refused(submit(), "RequestAlreadyMade", asked.id);
    await m.s.fulfil(m.s.answer(asked));
    await m.refused(submit(), "RequestAlreadyMade", asked.id);
    await m.holds(0n, { requester: 2n * FEE, prover: FEE });
  });

  it("is not made again after its end without an answer", async () => {
    const asked = await submit();
    await m.chain.at(DEADLINE + 1);
    await m.s.expire(asked);
    await m.refused(submit(), "RequestAlreadyMade", asked.id);
    await untouched();
  });

  it("is not made after the requester revoked it, which nobody else can", async () => {
    const { stranger, requester } = m.s.signers;
    await m.refused(m.s.cancel({ r }, stranger), "CallerIsNotRequester", stranger.address, requester.address);
    await m.s.cancel({ r });
    await m.refused(submit(), "RequestAlreadyMade", m.s.idOf(r));
    await untouched();
  });

  it("can not be ended by a cancellation that names another requester: that is another request", async () => {
    const { stranger } = m.s.signers;
    const fake = { ...r, requester: stranger.address };
    await m.s.cancel({ r: fake }, stranger);
    const asked = await submit();
    expect(await m.status(asked)).to.equal(STATUS.open);
    await m.refused(m.s.cancel(asked, stranger), "CallerIsNotRequester");
    await m.s.cancel({ r: { ...asked.r, requester: stranger.address, nonce: 77n } }, stranger);
    await m.holds(FEE, { requester: 2n * FEE });
  });

  it("with a single field changed is another, which nobody signed", async () => {
    const changes: Partial<Terms>[] = [
      { requester: m.s.signers.payer.address },
      { payer: m.s.signers.payer.address },
      { prover: m.s.signers.stranger.address },
      { consumer: m.s.signers.stranger.address },
      { maxFee: r.maxFee + 1n },
      { minFee: r.minFee - 1n },
      { minCollateral: 1n },
      { deadline: r.deadline - 1 },
      { rampEnd: r.rampEnd + 1 },
      { claimPeriod: 0 },
      { submitBy: r.submitBy - 1 },
      { allowDevelopmentKeys: true },
      { nonce: r.nonce + 1n },
    ];
    for (const change of changes) {
      await m.refused(submit({ ...r, ...change }), "SignatureInvalid");
    }
    await untouched();
  });

  it("for another chain or coordinator is none here", async () => {
    const { requester, stranger } = m.s.signers;
    for (const domain of [
      domainOf(m.s.coordinatorAddress, CHAIN_ID + 1n),
      domainOf(stranger.address, CHAIN_ID),
      { ...domainOf(m.s.coordinatorAddress, CHAIN_ID), version: "2" },
    ]) {
      const elsewhere = await requester.signTypedData(domain, REQUEST_TYPES, r);
      await m.refused(submit(r, elsewhere), "SignatureInvalid");
    }
    await untouched();
  });

  it("in the signature's other half (n - s) is none: one signature, one spelling", async () => {
    const { r: x, s, v } = Signature.from(signature);
    const other = `${x}${toBeHex(N - BigInt(s), 32).slice(2)}${toBeHex(v === 27 ? 28 : 27).slice(2)}`;
    await m.refused(submit(r, other), "SignatureInvalid");
    await submit();
  });

  it("does not move the account of a payer who did not allow it", async () => {
    const { payer, stranger } = m.s.signers;
    await m.s.deposit(payer, FEE);
    const other = m.s.draft({ requester: stranger.address, payer: payer.address });
    const signed = await m.s.sign(other, stranger);
    await m.refused(submit(other, signed), "AllowanceTooLow");
    const late = await m.s.authorise(payer, stranger.address, FEE - 1n);
    expect(late.from).to.equal(payer.address);
    await m.refused(submit(other, signed), "AllowanceTooLow");
    expect(await m.s.balanceOf(payer.address)).to.equal(FEE);
  });

  it("is used up by the requester's own sending of it", async () => {
    const { requester } = m.s.signers;
    const asked = await m.s.request({ ...r, from: requester, payment: "account" });
    await m.refused(submit(), "RequestAlreadyMade", asked.id);
    await m.holds(FEE, { requester: 2n * FEE });
  });

  it("of a source is used up whatever the source says the second time", async () => {
    const source = await m.s.deploy("FixedSource");
    const { stranger: from } = m.s.signers;
    await (await source.connect(from).getFunction("set").send(INPUT)).wait();
    const origin = AbiCoder.defaultAbiCoder().encode(["address", "bytes"], [await source.getAddress(), "0x"]);
    const over = { inputKind: INPUT_KIND.source, originHash: keccak256(origin) };
    const terms = m.s.draft(over);
    const signed = await m.s.sign(terms);
    const asked = await m.s.requestFor({ ...terms, origin, signature: signed });
    await (
      await source
        .connect(from)
        .getFunction("set")
        .send(INPUT.map((byte) => byte ^ 1))
    ).wait();
    await m.refused(m.s.requestFor({ ...terms, origin, signature: signed }), "RequestAlreadyMade", m.s.idOf(terms));
    expect(asked.id).not.to.equal(m.s.idOf(terms));
    await m.refused(m.s.expire({ r: terms }), "RequestNotOpen");
    await m.holds(FEE, { requester: 2n * FEE });
  });

  it("gives its sender nothing but the cost of sending it", async () => {
    const { stranger } = m.s.signers;
    const asked = await submit();
    await m.refused(m.s.withdraw(stranger, stranger.address, ALL), "NothingToWithdraw", stranger.address, NATIVE);
    await m.refused(m.s.cancel(asked, stranger), "CallerIsNotRequester");
    expect(await view(m.s.coordinator, "allowance", [r.requester, stranger.address, NATIVE])).to.equal(0n);
  });
});
