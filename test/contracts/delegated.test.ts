// Requests that somebody else sends: EIP-712 signatures of keys, contracts (ERC-1271), contracts that are not there yet
// (ERC-6492) and delegated keys (EIP-7702); their replay, revocation and expiry; and payment by ERC-2612 and Permit2.
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { expect } from "chai";
import {
  AbiCoder,
  Signature,
  ZeroHash,
  concat,
  hexlify,
  keccak256,
  toBeHex,
  type BaseContract,
  type BytesLike,
} from "ethers";
import {
  ALL,
  CHAIN_ID,
  DEADLINE,
  FEE,
  INPUT,
  NATIVE,
  START,
  flipped,
  send,
  view,
  type Asked,
} from "../support/contracts.ts";
import { market } from "../support/contractsMarket.ts";
import { INPUT_KIND, REQUEST_TYPES, STATUS, domainOf, type Terms } from "../support/contractsRequest.ts";

const MAGIC = `0x${"6492".repeat(16)}`;
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3";
const MANNER = {
  check: 0,
  acceptAll: 1,
  revert: 2,
  returnNothing: 3,
  returnTrue: 4,
  returnBomb: 5,
  revertBomb: 6,
} as const;
const BURN_GAS = 7;

const encode = (types: readonly string[], values: readonly unknown[]): string =>
  AbiCoder.defaultAbiCoder().encode(types, values);
const wrapped = (factory: string, data: BytesLike, inner: BytesLike): string =>
  concat([encode(["address", "bytes", "bytes"], [factory, data, inner]), MAGIC]);

describe("delegated requests", () => {
  const m = market();
  const sendFor = (r: Terms, signature: BytesLike, from = m.s.signers.stranger): Promise<unknown> =>
    send(m.s.coordinator, "requestFor", [r, INPUT, signature], { from });
  const refuses = (r: Terms, signature: BytesLike): Promise<void> =>
    m.refused(sendFor(r, signature), "SignatureInvalid", m.s.idOf(r), r.requester);

  describe("of a key", () => {
    beforeEach(async () => {
      await m.s.deposit(m.s.signers.requester, 5n * FEE);
    });

    it("are made by anybody, paid by the requester's account, and live as any other", async () => {
      const { requester } = m.s.signers;
      const asked = await m.s.requestFor();
      await expect(asked.sent)
        .to.emit(m.s.coordinator, "Requested")
        .withArgs(asked.id, m.s.model, requester.address, Object.values(asked.r), hexlify(INPUT));
      await m.holds(FEE, { requester: 4n * FEE });
      await m.s.fulfil(m.s.answer(asked));
      await m.holds(0n, { requester: 4n * FEE, prover: FEE });
    });

    it("take no value, since nobody could say whose it is", async () => {
      const r = m.s.draft();
      const data = m.s.coordinator.interface.encodeFunctionData("requestFor", [r, INPUT, await m.s.sign(r)]);
      await expect(
        m.s.signers.stranger.sendTransaction({ to: m.s.coordinatorAddress, data, value: FEE }),
      ).to.be.revertedWithoutReason(m.chain.ethers);
    });

    it("may be paid by another account, which allowed the signer so much", async () => {
      const { payer, requester } = m.s.signers;
      await m.s.deposit(payer, FEE);
      const over = { payer: payer.address };
      await m.refused(m.s.requestFor(over), "AllowanceTooLow", payer.address, requester.address, NATIVE, 0, FEE);
      await m.s.authorise(payer, requester.address, FEE);
      await m.s.requestFor(over);
      await m.holds(FEE, { requester: 5n * FEE });
      await m.refused(m.s.requestFor(over), "AllowanceTooLow", payer.address, requester.address, NATIVE, 0, FEE);
    });

    it("need the balance", async () => {
      const { requester } = m.s.signers;
      await m.refused(
        m.s.requestFor({ maxFee: 5n * FEE + 1n }),
        "BalanceTooLow",
        requester.address,
        NATIVE,
        5n * FEE,
        5n * FEE + 1n,
      );
    });

    it("are refused when signed by anybody else, or when one field is another", async () => {
      const r = m.s.draft();
      const signature = await m.s.sign(r);
      await refuses(r, await m.s.sign(r, m.s.signers.stranger));
      const others: readonly Partial<Terms>[] = [
        { maxFee: FEE - 1n, minFee: 0n },
        { nonce: r.nonce + 1n },
        { deadline: r.deadline + 1 },
        { payer: m.s.signers.payer.address },
        { consumer: m.s.signers.stranger.address },
        { prover: m.s.signers.stranger.address },
        { token: m.s.signers.stranger.address },
        { model: ZeroHash },
        { submitBy: r.submitBy + 1 },
        { minCollateral: 1n },
        { requester: m.s.signers.rival.address },
      ];
      for (const over of others) await refuses({ ...r, ...over }, signature);
      await sendFor(r, signature);
    });

    it("are refused with another input than the signed one, whoever sends it", async () => {
      const r = m.s.draft();
      const signature = await m.s.sign(r);
      const sent = send(m.s.coordinator, "requestFor", [r, flipped(INPUT, 5), signature], {
        from: m.s.signers.stranger,
      });
      await m.refused(sent, "InputMismatch", keccak256(flipped(INPUT, 5)), r.inputHash);
    });

    it("are refused when signed for another chain, coordinator, name or version", async () => {
      const r = m.s.draft();
      const domain = domainOf(m.s.coordinatorAddress, CHAIN_ID);
      for (const over of [
        { chainId: 1n },
        { verifyingContract: m.s.registryAddress },
        { name: "glassbox" },
        { version: "2" },
      ]) {
        await refuses(r, await m.s.signers.requester.signTypedData({ ...domain, ...over }, REQUEST_TYPES, r));
      }
      await sendFor(r, await m.s.signers.requester.signTypedData(domain, REQUEST_TYPES, r));
    });

    it("are refused in any other spelling of the signature: high s, bare parity, compact, cut or longer", async () => {
      const r = m.s.draft();
      const signature = Signature.from(await m.s.sign(r));
      const { r: x, s, v, yParity, compactSerialized, serialized } = signature;
      const high = toBeHex(ORDER - BigInt(s), 32);
      for (const spelling of [
        concat([x, high, toBeHex(55 - v)]),
        concat([x, s, toBeHex(yParity)]),
        concat([x, s, toBeHex(55 - v)]),
        concat([x, s, "0x1d"]),
        concat([x, high, toBeHex(v)]),
        compactSerialized,
        serialized.slice(0, -2),
        concat([serialized, "0x00"]),
        concat([ZeroHash, ZeroHash, "0x1b"]),
        `0x${"00".repeat(65)}`,
        "0x",
      ]) {
        await refuses(r, spelling);
      }
      await sendFor(r, serialized);
    });

    it("serve once: not again while open, nor after they were answered or have expired", async () => {
      const [first, second] = [m.s.draft(), m.s.draft({ deadline: START + 5_000 })];
      const signatures = [await m.s.sign(first), await m.s.sign(second)] as const;
      await sendFor(first, signatures[0]);
      await sendFor(second, signatures[1]);
      await m.refused(sendFor(first, signatures[0]), "RequestAlreadyMade", m.s.idOf(first));
      await m.s.fulfil(m.s.answer({ r: first }));
      await m.chain.at(START + 5_001);
      await m.s.expire({ r: second });
      await m.refused(sendFor(first, signatures[0]), "RequestAlreadyMade", m.s.idOf(first));
      await m.refused(sendFor(second, signatures[1]), "RequestAlreadyMade", m.s.idOf(second));
    });

    it("and the requester's own sending of the same are one request", async () => {
      const asked = await m.s.request({ nonce: 9n });
      await m.refused(sendFor(asked.r, await m.s.sign(asked.r)), "RequestAlreadyMade", asked.id);
    });

    it("are revoked by the requester before anybody sends them, and by nobody else", async () => {
      const { requester, stranger } = m.s.signers;
      const r = m.s.draft();
      const signature = await m.s.sign(r);
      await m.refused(m.s.cancel({ r }, stranger), "CallerIsNotRequester", stranger.address, requester.address);
      await m.s.cancel({ r });
      await m.refused(sendFor(r, signature), "RequestAlreadyMade", m.s.idOf(r));
      expect(await m.status({ r })).to.equal(STATUS.expired);
    });

    for (const [offset, taken] of [
      [-1, true],
      [0, true],
      [1, false],
    ] as const) {
      // prettier-ignore
      it(`are ${taken ? "taken" : "refused"} ${offset} s from the last second that the signer allows`, async () => {
        const submitBy = START + 5_000;
        const r = m.s.draft({ submitBy });
        const signature = await m.s.sign(r);
        await m.chain.at(submitBy + offset);
        if (taken) await sendFor(r, signature);
        else await m.refused(sendFor(r, signature), "SubmittedTooLate", submitBy, submitBy + offset);
      });
    }

    it("of a source sign the query and not the block: the signature is used up though the id is another", async () => {
      const source = await m.s.deploy("FixedSource");
      await send(source, "set", [INPUT], { from: m.s.signers.stranger });
      const origin = encode(["address", "bytes"], [await source.getAddress(), "0x"]);
      const over = { inputKind: INPUT_KIND.source, origin, requiredEvidence: 17 };
      const r = m.s.draft({ ...over, nonce: 5n });
      const signature = await m.s.sign(r);
      const asked = await m.s.requestFor({ ...over, nonce: 5n, signature });
      expect(asked.id).not.to.equal(m.s.idOf(r));
      expect(await m.status(asked)).to.equal(STATUS.open);
      const again = send(m.s.coordinator, "requestFor", [r, origin, signature], { from: m.s.signers.rival });
      await m.refused(again, "RequestAlreadyMade", m.s.idOf(r));
      await m.s.fulfil(m.s.answer(asked));
      await m.holds(0n, { requester: 4n * FEE, prover: FEE });
    });

    it("of a key that has delegated to code (EIP-7702) stay the key's", async () => {
      const { requester } = m.s.signers;
      for (const target of [
        m.s.registryAddress,
        await (await m.s.deploy("Wallet", m.s.signers.rival.address)).getAddress(),
      ]) {
        await m.chain.helpers.setCode(requester.address, concat(["0xef0100", target]));
        expect(await m.s.ethers.provider.getCode(requester.address)).to.have.length(2 + 2 * 23);
        const r = m.s.draft();
        await refuses(r, await m.s.sign(r, m.s.signers.stranger));
        await sendFor(r, await m.s.sign(r));
      }
    });
  });

  describe("of a contract (ERC-1271)", () => {
    let wallet: BaseContract;
    let address: string;
    beforeEach(async () => {
      wallet = await m.s.deploy("Wallet", m.s.signers.requester.address);
      address = await wallet.getAddress();
      await m.s.deposit(m.s.signers.stranger, 5n * FEE, NATIVE, address);
    });
    const behave = (manner: number): Promise<unknown> =>
      send(wallet, "behave", [manner], { from: m.s.signers.stranger });

    it("are made when the contract says that the signature is its own", async () => {
      const asked = await m.s.requestFor({ requester: address });
      await m.s.fulfil(m.s.answer(asked));
      expect(await m.s.balanceOf(address)).to.equal(4n * FEE);
      const r = m.s.draft({ requester: address });
      await refuses(r, await m.s.sign(r, m.s.signers.stranger));
    });

    it("may have signatures of any form, if the contract takes them", async () => {
      await behave(MANNER.acceptAll);
      for (const signature of ["0x", "0x00", `0x${"ab".repeat(700)}`])
        await sendFor(m.s.draft({ requester: address }), signature);
    });

    for (const name of ["revert", "returnNothing", "returnTrue", "returnBomb", "revertBomb"] as const) {
      it(`are refused by name when the contract answers with a ${name}`, async () => {
        await behave(MANNER[name]);
        const r = m.s.draft({ requester: address });
        await refuses(r, await m.s.sign(r));
      });
    }

    it("are refused when the contract burns all gas, and cost only their sender", async () => {
      await behave(BURN_GAS);
      const r = m.s.draft({ requester: address });
      const signature = await m.s.sign(r);
      const sent = send(m.s.coordinator, "requestFor", [r, INPUT, signature], {
        from: m.s.signers.stranger,
        gasLimit: 8_000_000n,
      });
      await m.refused(sent, "SignatureInvalid", m.s.idOf(r), address);
      expect(await m.status({ r })).to.equal(STATUS.unknown);
    });

    it("are revoked by the contract, which is the requester", async () => {
      const r = m.s.draft({ requester: address });
      const signature = await m.s.sign(r);
      const data = m.s.coordinator.interface.encodeFunctionData("cancel", [r]);
      await send(wallet, "execute", [m.s.coordinatorAddress, 0n, data], { from: m.s.signers.requester });
      await m.refused(sendFor(r, signature), "RequestAlreadyMade", m.s.idOf(r));
    });
  });

  describe("of a contract that is not there yet (ERC-6492)", () => {
    const SALT = toBeHex(7, 32);
    let factory: BaseContract;
    let factoryAddress: string;
    let address: string;
    let make: string;
    beforeEach(async () => {
      factory = await m.s.deploy("WalletFactory");
      factoryAddress = await factory.getAddress();
      const args = [m.s.signers.requester.address, SALT];
      address = (await view(factory, "addressOf", args)) as string;
      make = factory.interface.encodeFunctionData("make", args);
      await m.s.deposit(m.s.signers.stranger, 5n * FEE, NATIVE, address);
    });
    const codeOf = (account: string): Promise<string> => m.s.ethers.provider.getCode(account);
    const draft = (): Terms => m.s.draft({ requester: address });

    it("deploy it, and are made", async () => {
      const r = draft();
      expect(await codeOf(address)).to.equal("0x");
      await sendFor(r, wrapped(factoryAddress, make, await m.s.sign(r)));
      expect(await codeOf(address)).not.to.equal("0x");
      expect(await m.status({ r })).to.equal(STATUS.open);
      expect(await m.s.balanceOf(address)).to.equal(4n * FEE);
    });

    it("are made as well when it is there already, and again and again", async () => {
      await send(factory, "make", [m.s.signers.requester.address, SALT], { from: m.s.signers.stranger });
      for (const call of [make, "0x", "0x12345678"]) {
        const r = draft();
        await sendFor(r, wrapped(factoryAddress, call, await m.s.sign(r)));
      }
      const bare = draft();
      await sendFor(bare, await m.s.sign(bare));
    });

    it("are refused while it is not there, without the envelope", async () => {
      const r = draft();
      await refuses(r, await m.s.sign(r));
    });

    it("are refused when somebody else signed, and nothing is deployed by it", async () => {
      const r = draft();
      await refuses(r, wrapped(factoryAddress, make, await m.s.sign(r, m.s.signers.stranger)));
      expect(await codeOf(address)).to.equal("0x");
    });

    it("are refused when the factory is wrong: no code, another contract, a call that fails or makes another", async () => {
      const r = draft();
      const inner = await m.s.sign(r);
      const other = factory.interface.encodeFunctionData("make", [m.s.signers.requester.address, toBeHex(8, 32)]);
      await refuses(r, wrapped(m.s.signers.stranger.address, make, inner));
      await refuses(r, wrapped(m.s.registryAddress, make, inner));
      await refuses(r, wrapped(factoryAddress, "0x12345678", inner));
      await refuses(r, wrapped(factoryAddress, other, inner));
      await refuses(r, wrapped(`0x${"00".repeat(20)}`, make, inner));
      await sendFor(r, wrapped(factoryAddress, make, inner));
    });

    it("are good for keys, too: the envelope is then empty of use", async () => {
      await m.s.deposit(m.s.signers.requester, FEE);
      const r = m.s.draft();
      await refuses(r, wrapped(factoryAddress, make, await m.s.sign(r, m.s.signers.stranger)));
      await sendFor(r, wrapped(factoryAddress, make, await m.s.sign(r)));
    });

    it("are invalid, and nothing stranger, when the envelope can not be read", async () => {
      const r = draft();
      const good = encode(["address", "bytes", "bytes"], [factoryAddress, make, await m.s.sign(r)]);
      const words = (...values: bigint[]): string => concat(values.map((value) => toBeHex(value, 32)));
      const garbage = [
        "0x",
        "0x00",
        good.slice(0, -64), // the rest of the last word is padding, which nobody needs
        good.slice(0, 66),
        concat([words(2n ** 160n), `0x${good.slice(66)}`]),
        words(1n, 2n ** 255n, 96n),
        words(1n, 64n, 2n ** 64n),
        words(1n, 96n, 96n, 2n ** 255n),
        words(1n, 96n, 96n, 2n ** 32n),
        `0x${"ff".repeat(320)}`,
      ];
      for (const data of garbage) await refuses(r, concat([data, MAGIC]));
      await sendFor(r, concat([good, MAGIC]));
    });

    it("give the factory no rights: what it calls, it calls in its own name or the validator's", async () => {
      const { requester, payer } = m.s.signers;
      const token = await m.s.deploy("PlainToken");
      const tokenAddress = await token.getAddress();
      await send(token, "mint", [requester.address, FEE], { from: payer });
      await send(token, "approve", [m.s.coordinatorAddress, ALL], { from: requester });
      await m.s.deposit(requester, FEE);
      const open = await m.s.request();
      const theft: readonly (readonly [BaseContract, string, readonly unknown[]])[] = [
        [m.s.coordinator, "withdraw", [NATIVE, payer.address, ALL]],
        [m.s.coordinator, "cancel", [open.r]],
        [m.s.coordinator, "expire", [open.r]],
        [token, "transferFrom", [requester.address, payer.address, 1n]],
      ];
      for (const [target, name, args] of theft) {
        const data = target.interface.encodeFunctionData(name, args);
        const direct = m.s.draft({ requester: address });
        await refuses(direct, wrapped(await target.getAddress(), data, await m.s.sign(direct)));
        const salt = keccak256(data);
        const account = (await view(factory, "addressOf", [requester.address, salt])) as string;
        const call = factory.interface.encodeFunctionData("makeAndCall", [
          requester.address,
          salt,
          await target.getAddress(),
          data,
        ]);
        const r = m.s.draft({ requester: account, maxFee: 0n });
        await sendFor(r, wrapped(factoryAddress, call, await m.s.sign(r)));
        expect(await codeOf(account), "the account is there, and the request made").not.to.equal("0x");
      }
      await m.holds(FEE + 5n * FEE, { requester: FEE });
      expect(await view(token, "balanceOf", [payer.address])).to.equal(0n);
      expect(await view(token, "balanceOf", [requester.address])).to.equal(FEE);
      expect(tokenAddress).to.equal(await token.getAddress());
      expect(await m.status(open)).to.equal(STATUS.open);
    });
  });

  describe("with a payment that is signed, too", () => {
    let token: BaseContract;
    let tokenAddress: string;
    let relayAddress: string;
    beforeEach(async () => {
      token = await m.s.deploy("PlainToken");
      tokenAddress = await token.getAddress();
      relayAddress = await m.s.relay.getAddress();
      for (const { address } of [m.s.signers.requester, m.s.signers.payer]) {
        await send(token, "mint", [address, 3n * FEE], { from: m.s.signers.stranger });
      }
    });
    const wealth = (account: string): Promise<unknown> => view(token, "balanceOf", [account]);

    describe("by ERC-2612", () => {
      interface Permit {
        readonly owner?: HardhatEthersSigner;
        readonly spender?: string;
        readonly value?: bigint;
        readonly deadline?: number;
      }
      async function permit({
        owner = m.s.signers.requester,
        spender = relayAddress,
        value = FEE,
        deadline = DEADLINE,
      }: Permit = {}) {
        const nonce = await view(token, "nonces", [owner.address]);
        const domain = { name: "Plain", version: "1", chainId: CHAIN_ID, verifyingContract: tokenAddress };
        const types = {
          Permit: ["address owner", "address spender", "uint256 value", "uint256 nonce", "uint256 deadline"].map(
            (field) => {
              const [type = "", name = ""] = field.split(" ");
              return { name, type };
            },
          ),
        };
        const text = { owner: owner.address, spender, value, nonce, deadline };
        const { v, r, s } = Signature.from(await owner.signTypedData(domain, types, text));
        return { deadline, v, r, s, args: [owner.address, spender, value, deadline, v, r, s] };
      }
      async function relayed(r: Terms, p: Awaited<ReturnType<typeof permit>>, signature?: string): Promise<Asked> {
        const args = [r, INPUT, signature ?? (await m.s.sign(r)), p.deadline, p.v, p.r, p.s];
        const sent = await send(m.s.relay, "requestWithPermit", args, { from: m.s.signers.stranger });
        return { id: m.s.idOf(r), r, input: INPUT, sent };
      }

      it("a request needs neither approval nor account nor gas of its requester", async () => {
        const r = m.s.draft({ token: tokenAddress });
        const asked = await relayed(r, await permit());
        expect(await m.status(asked)).to.equal(STATUS.open);
        await m.holds(FEE, {}, tokenAddress);
        expect(await wealth(m.s.signers.requester.address)).to.equal(2n * FEE);
        expect(await wealth(relayAddress)).to.equal(0n);
        expect(await view(token, "allowance", [relayAddress, m.s.coordinatorAddress])).to.equal(0n);
        await m.s.fulfil(m.s.answer(asked));
        await m.holds(0n, { prover: FEE }, tokenAddress);
      });

      it("goes through although somebody sent the permit to the token before", async () => {
        const p = await permit();
        await send(token, "permit", p.args, { from: m.s.signers.rival });
        await relayed(m.s.draft({ token: tokenAddress }), p);
        await m.holds(FEE, {}, tokenAddress);
      });

      it("moves nothing if the permit is another's, for another, too small or too late", async () => {
        const { rival } = m.s.signers;
        const r = m.s.draft({ token: tokenAddress });
        for (const over of [
          { owner: rival },
          { spender: rival.address },
          { value: FEE - 1n },
          { deadline: START - 1 },
        ]) {
          const sent = relayed(r, await permit(over));
          await expect(sent).to.be.revertedWithCustomError(token, "ERC20InsufficientAllowance");
        }
        expect(await wealth(m.s.signers.requester.address)).to.equal(3n * FEE);
        expect(await view(token, "nonces", [m.s.signers.requester.address])).to.equal(0n);
        await relayed(r, await permit());
      });

      it("moves nothing if the request is not the payer's own, even with an allowance that stands", async () => {
        const { requester, rival } = m.s.signers;
        await send(token, "approve", [relayAddress, ALL], { from: requester });
        const p = await permit();
        const r = m.s.draft({ token: tokenAddress });
        await m.refused(relayed(r, p, await m.s.sign(r, rival)), "SignatureInvalid", m.s.idOf(r), requester.address);
        const stolen = { ...r, requester: rival.address };
        await expect(relayed(stolen, p, await m.s.sign(stolen, rival)))
          .to.be.revertedWithCustomError(m.s.relay, "PayerIsNotRequester")
          .withArgs(requester.address, rival.address);
        expect(await wealth(requester.address)).to.equal(3n * FEE);
        const asked = await relayed(r, p);
        await send(token, "approve", [relayAddress, ALL], { from: requester });
        await m.refused(relayed(r, p), "RequestAlreadyMade", asked.id);
        expect(await wealth(requester.address)).to.equal(2n * FEE);
      });

      it("a token that only seems to know permits moves nothing without an allowance", async () => {
        const { requester } = m.s.signers;
        const p = await permit();
        token = await m.s.deploy("PhantomToken");
        tokenAddress = await token.getAddress();
        await send(token, "mint", [requester.address, 3n * FEE], { from: requester });
        const r = m.s.draft({ token: tokenAddress });
        await expect(relayed(r, p)).to.be.revertedWithCustomError(token, "ERC20InsufficientAllowance");
        await send(token, "approve", [relayAddress, FEE], { from: requester });
        await relayed(r, p);
        await m.holds(FEE, {}, tokenAddress);
      });

      it("a token that is no contract is refused by name: the native coin has no permits", async () => {
        const r = m.s.draft();
        await expect(relayed(r, await permit()))
          .to.be.revertedWithCustomError(m.s.relay, "TokenHasNoCode")
          .withArgs(NATIVE);
      });

      describe("in a token that misbehaves", () => {
        let p: Awaited<ReturnType<typeof permit>>;
        beforeEach(async () => {
          const { requester } = m.s.signers;
          p = await permit();
          token = await m.s.deploy("OddToken");
          tokenAddress = await token.getAddress();
          await send(token, "mint", [requester.address, 3n * FEE], { from: requester });
          await send(token, "approve", [relayAddress, ALL], { from: requester });
        });

        it("a fee of the transfer is refused, and nothing moves", async () => {
          const { requester } = m.s.signers;
          await send(token, "behave", [1], { from: requester });
          await expect(relayed(m.s.draft({ token: tokenAddress }), p)).to.be.revertedWithCustomError(
            token,
            "ERC20InsufficientBalance",
          );
          expect(await wealth(requester.address)).to.equal(3n * FEE);
        });

        for (const [when, manner] of [
          ["before", 7],
          ["after", 8],
        ] as const) {
          // prettier-ignore
          it(`a call of the relay ${when} the transfer is another request, and each is paid once`, async () => {
            const { requester } = m.s.signers;
            const [r, inner] = [m.s.draft({ token: tokenAddress }), m.s.draft({ token: tokenAddress })];
            const args = [inner, INPUT, await m.s.sign(inner), p.deadline, p.v, p.r, p.s];
            const data = m.s.relay.interface.encodeFunctionData("requestWithPermit", args);
            await send(token, "prepare", [manner, relayAddress, data], { from: requester });
            await relayed(r, p);
            expect(await view(token, "hookSucceeded")).to.equal(true);
            for (const one of [r, inner]) expect(await m.status({ r: one })).to.equal(STATUS.open);
            await m.holds(2n * FEE, {}, tokenAddress);
            expect(await wealth(requester.address)).to.equal(FEE);
            expect(await wealth(relayAddress)).to.equal(0n);
          });
        }
      });
    });

    describe("by Permit2", () => {
      const domain = { name: "Permit2", chainId: CHAIN_ID, verifyingContract: PERMIT2 };
      const types = {
        PermitTransferFrom: [
          { name: "permitted", type: "TokenPermissions" },
          { name: "spender", type: "address" },
          { name: "nonce", type: "uint256" },
          { name: "deadline", type: "uint256" },
        ],
        TokenPermissions: [
          { name: "token", type: "address" },
          { name: "amount", type: "uint256" },
        ],
      };
      let permit2: BaseContract;
      beforeEach(async () => {
        const here = await m.s.deploy("Permit2");
        await m.chain.helpers.setCode(PERMIT2, await m.s.ethers.provider.getCode(await here.getAddress()));
        permit2 = await m.s.ethers.getContractAt("Permit2", PERMIT2);
        for (const from of [m.s.signers.requester, m.s.signers.payer])
          await send(token, "approve", [PERMIT2, ALL], { from });
      });

      interface Permit {
        readonly owner?: HardhatEthersSigner;
        readonly spender?: string;
        readonly amount?: bigint;
        readonly token?: string;
        readonly nonce?: bigint;
        readonly deadline?: number;
      }
      async function relayed(r: Terms, over: Permit = {}): Promise<Asked> {
        const {
          owner = m.s.signers.requester,
          spender = relayAddress,
          amount = FEE,
          nonce = 0n,
          deadline = DEADLINE,
        } = over;
        const permitted = { token: over.token ?? tokenAddress, amount };
        const signature = await owner.signTypedData(domain, types, { permitted, spender, nonce, deadline });
        const args = [r, INPUT, await m.s.sign(r), nonce, deadline, signature];
        const sent = await send(m.s.relay, "requestWithPermit2", args, { from: m.s.signers.stranger });
        return { id: m.s.idOf(r), r, input: INPUT, sent };
      }

      it("a request is paid from the wallet of who approved Permit2 once", async () => {
        const r = m.s.draft({ token: tokenAddress });
        const asked = await relayed(r);
        await m.holds(FEE, {}, tokenAddress);
        expect(await wealth(m.s.signers.requester.address)).to.equal(2n * FEE);
        expect(await wealth(relayAddress)).to.equal(0n);
        await m.s.fulfil(m.s.answer(asked));
        await m.holds(0n, { prover: FEE }, tokenAddress);
      });

      it("each permit pays once, in any order of nonces", async () => {
        const draft = (): Terms => m.s.draft({ token: tokenAddress });
        await relayed(draft(), { nonce: 300n });
        await relayed(draft(), { nonce: 2n });
        await expect(relayed(draft(), { nonce: 300n })).to.be.revertedWithCustomError(permit2, "InvalidNonce");
        await relayed(draft(), { nonce: 301n });
        await m.holds(3n * FEE, {}, tokenAddress);
      });

      it("moves nothing if the permit is of another token, amount, spender or owner", async () => {
        const { rival } = m.s.signers;
        const r = m.s.draft({ token: tokenAddress });
        for (const over of [
          { owner: rival },
          { spender: rival.address },
          { amount: FEE + 1n },
          { token: relayAddress },
        ]) {
          await expect(relayed(r, over)).to.be.revertedWithCustomError(permit2, "InvalidSigner");
        }
        expect(await wealth(m.s.signers.requester.address)).to.equal(3n * FEE);
      });

      for (const [offset, taken] of [
        [-1, true],
        [0, true],
        [1, false],
      ] as const) {
        // prettier-ignore
        it(`is ${taken ? "taken" : "refused"} ${offset} s from the permit's deadline`, async () => {
          const deadline = START + 5_000;
          await m.chain.at(deadline + offset);
          const sent = relayed(m.s.draft({ token: tokenAddress }), { deadline });
          if (taken) await sent;
          else await expect(sent).to.be.revertedWithCustomError(permit2, "SignatureExpired").withArgs(deadline);
        });
      }

      it("another than the requester may pay, if it allowed the requester so much here", async () => {
        const { payer, requester } = m.s.signers;
        const r = m.s.draft({ token: tokenAddress, payer: payer.address });
        await m.refused(
          relayed(r, { owner: payer }),
          "AllowanceTooLow",
          payer.address,
          requester.address,
          tokenAddress,
          0,
          FEE,
        );
        expect(await wealth(payer.address)).to.equal(3n * FEE);
        await m.s.authorise(payer, requester.address, FEE, tokenAddress);
        await relayed(r, { owner: payer });
        expect(await wealth(payer.address)).to.equal(2n * FEE);
        await m.holds(FEE, {}, tokenAddress);
      });

      it("a permit that somebody saw pays for nothing else: not for a request of the thief's", async () => {
        const { requester, rival } = m.s.signers;
        const r = m.s.draft({ token: tokenAddress, requester: rival.address, payer: requester.address });
        const permitted = { token: tokenAddress, amount: FEE };
        const text = { permitted, spender: relayAddress, nonce: 0n, deadline: DEADLINE };
        const signature = await requester.signTypedData(domain, types, text);
        const args = [r, INPUT, await m.s.sign(r, rival), 0n, DEADLINE, signature];
        const sent = send(m.s.relay, "requestWithPermit2", args, { from: rival });
        await m.refused(sent, "AllowanceTooLow", requester.address, rival.address, tokenAddress, 0, FEE);
        await relayed(m.s.draft({ token: tokenAddress }));
      });

      it("a chain without Permit2 is told apart from a bad signature", async () => {
        await m.chain.helpers.setCode(PERMIT2, "0x");
        await expect(relayed(m.s.draft({ token: tokenAddress }))).to.be.revertedWithCustomError(
          m.s.relay,
          "Permit2Missing",
        );
      });
    });
  });
});
