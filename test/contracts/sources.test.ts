// Inputs that the coordinator reads from other contracts: exact spelling, rounding and bounds of each source, targets that
// misbehave, and that what was read at that block is part of the request and of the result.
import { expect } from "chai";
import { concat, hexlify, id, keccak256, toBeHex, type BaseContract } from "ethers";
import { type Described, describeTensors } from "../../node/core/described.ts";
import { Evidence } from "../../node/core/domain.ts";
import { sizeOf } from "../../node/core/tensor.ts";
import { type Chain, OUTPUT, START, openChain, send, type Stage, view } from "../support/contracts.ts";
import { INPUT_KIND } from "../support/contractsRequest.ts";
import { chainlinkQuery, originOf, type SourceCall, staticcallQuery, twapQuery } from "../support/dapps.ts"; // prettier-ignore
import { randomOf, whole } from "../support/nets.ts";

const SEED = 20_300_101;
const CHAIN_INPUT = 16;
const TOP = 2n ** 256n - 1n;
const INTERFACE_ID_READ = id("read(bytes)").slice(0, 10);

const words = (...values: readonly bigint[]): string => concat(values.map((v) => toBeHex(BigInt.asUintN(256, v), 32)));
const floorDiv = (n: bigint, d: bigint): bigint => (n % d < 0n ? n / d - 1n : n / d);
/** numerator / denominator * 2^-exponent, to the nearest, halves up. */
function nearest(numerator: bigint, denominator: bigint, exponent: number): bigint {
  const [n, d] = exponent < 0 ? [numerator << BigInt(-exponent), denominator] : [numerator, denominator << BigInt(exponent)]; // prettier-ignore
  return floorDiv(2n * n + d, 2n * d);
}
const spelled = (q: bigint, bits: number): string => toBeHex(BigInt.asUintN(bits, q), bits / 8);

describe("sources of inputs", () => {
  let chain: Chain;
  let s: Stage;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
  });
  const from = () => s.signers.stranger;
  const tensor = (bits: 8 | 16 | 32, signed: boolean, exponent: number, shape: readonly number[] = [1]): Described => ({
    type: { bits, signed },
    exponent,
    shape: [...shape],
  });
  const SCORES = tensor(16, true, -8, [10]);
  const modelOf = (inputs: readonly Described[]): Promise<string> =>
    s.another({
      inputLength: inputs.reduce((sum, { type, shape }) => sum + (type.bits / 8) * sizeOf(shape), 0),
      tensors: hexlify(describeTensors({ inputs, outputs: [SCORES] })),
    });

  describe("static calls", () => {
    let source: BaseContract;
    let target: BaseContract;
    let place: string;
    beforeEach(async () => {
      source = await s.deploy("StaticcallSource", s.registryAddress);
      target = await s.deploy("CallTarget");
      place = await target.getAddress();
    });
    const set = (answer: string) => send(target, "set", [answer], { from: from() });
    const read = (model: string, calls: readonly SourceCall[], clamp = false): Promise<unknown> =>
      view(source, "read", [staticcallQuery(model, clamp, calls)]);

    it("spell words, in order, as the model's tensors of any type", async () => {
      const model = await modelOf([tensor(8, false, 0), tensor(16, true, -8, [1, 2]), tensor(32, true, 0)]);
      await set(words(7n, 255n, -(10n ** 18n) / 2n, 3n * 10n ** 6n, 99n));
      const first: SourceCall = { target: place, fields: [[1, false, 0], [2, true, 18]] }; // prettier-ignore
      const second: SourceCall = { target: place, fields: [[3, false, 6], [0, true, 0]] }; // prettier-ignore
      expect(await read(model, [first, second])).to.equal("0xff" + "ff80" + "0300" + "00000007");
    });

    const borders: readonly (readonly [8 | 16 | 32, boolean])[] = [
      [8, false],
      [8, true],
      [16, false],
      [16, true],
      [32, false],
      [32, true],
    ];
    for (const [bits, signed] of borders) {
      it(`hold ${signed ? "int" : "uint"}${bits} to its bounds: refused beyond them, or clamped if the query says so`, async () => {
        const model = await modelOf([tensor(bits, signed, 0)]);
        const [lo, hi] = signed ? [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n] : [0n, (1n << BigInt(bits)) - 1n]; // prettier-ignore
        const calls: SourceCall[] = [{ target: place, fields: [[0, true, 0]] }];
        for (const q of [lo, lo + 1n, hi - 1n, hi]) {
          await set(words(q));
          expect(await read(model, calls)).to.equal(spelled(q, bits));
        }
        for (const [beyond, bound] of [
          [lo - 1n, lo],
          [hi + 1n, hi],
          [-(2n ** 255n), lo],
          [2n ** 255n - 1n, hi],
        ] as const) {
          // prettier-ignore
          await set(words(beyond));
          const magnitude = beyond < 0n ? -beyond : beyond;
          await expect(read(model, calls))
            .to.be.revertedWithCustomError(source, "NumberOutOfRange")
            .withArgs(0, beyond < 0n, magnitude);
          expect(await read(model, calls, true)).to.equal(spelled(bound, bits));
        }
      });
    }

    it("round to the nearest integer, halves up, on both sides of zero", async () => {
      const model = await modelOf([tensor(16, true, 0)]);
      const calls: SourceCall[] = [{ target: place, fields: [[0, true, 1]] }];
      const cases = [[24n, 2n], [25n, 3n], [26n, 3n], [-24n, -2n], [-25n, -2n], [-26n, -3n], [-4n, 0n], [-5n, 0n], [-6n, -1n], [4n, 0n], [5n, 1n]] as const; // prettier-ignore
      for (const [tenths, q] of cases) {
        await set(words(tenths));
        expect(await read(model, calls), `${tenths} tenths`).to.equal(spelled(q, 16));
      }
    });

    it(`agree with exact fractions for any decimals and exponent (seed ${SEED})`, async () => {
      const random = randomOf(SEED);
      for (const exponent of [-30, -14, -8, -1, 0, 1, 5, 20]) {
        const model = await modelOf([tensor(32, true, exponent, [8])]);
        const fields = Array.from({ length: 8 }, (_, i) => [i, true, whole(random, 0, 38)] as const);
        // About as many digits as the type holds at that scale, and some too many.
        const values = fields.map(([, , decimals]) => {
          const bits = Math.max(1, Math.min(250, Math.round(decimals * 3.32) + whole(random, 20, 33) + exponent));
          const magnitude = Array.from({ length: bits }).reduce<bigint>((m) => 2n * m + BigInt(whole(random, 0, 1)), 1n); // prettier-ignore
          return random() < 0.5 ? -magnitude : magnitude;
        });
        await set(words(...values));
        const expected = values.map((value, i) => {
          const q = nearest(value, 10n ** BigInt(fields[i]?.[2] ?? 0), exponent);
          return spelled(q > 2n ** 31n - 1n ? 2n ** 31n - 1n : q < -(2n ** 31n) ? -(2n ** 31n) : q, 32);
        });
        expect(await read(model, [{ target: place, fields }], true), `exponent ${exponent}`).to.equal(concat(expected));
      }
    });

    it("read a word as unsigned unless the query says signed, and the extremes of either without overflow", async () => {
      const fine = await modelOf([tensor(32, false, -128)]);
      const coarse = await modelOf([tensor(32, false, 127)]);
      await set(words(TOP));
      const unsigned: SourceCall[] = [{ target: place, fields: [[0, false, 0]] }];
      await expect(read(fine, unsigned)).to.be.revertedWithCustomError(source, "NumberOutOfRange").withArgs(0, false, TOP); // prettier-ignore
      expect(await read(fine, unsigned, true)).to.equal("0xffffffff");
      // The first product that does not fit into 256 bits, and the last that does.
      for (const [value, magnitude] of [
        [2n ** 128n, TOP],
        [2n ** 128n - 1n, (2n ** 128n - 1n) << 128n],
      ] as const) {
        await set(words(value));
        await expect(read(fine, unsigned)).to.be.revertedWithCustomError(source, "NumberOutOfRange").withArgs(0, false, magnitude); // prettier-ignore
      }
      await set(words(TOP));
      expect(await read(coarse, [{ target: place, fields: [[0, false, 38]] }])).to.equal("0x00000007"); // 2^129 / 10^38 = 6.8
      const signed: SourceCall[] = [{ target: place, fields: [[0, true, 0]] }];
      await expect(read(coarse, [{ target: place, fields: [[0, false, 39]] }])).to.be.revertedWithCustomError(source, "DecimalsTooMany").withArgs(39); // prettier-ignore
      expect(await read(coarse, signed)).to.equal("0x00000000"); // -1 * 2^-127
      await expect(read(fine, signed)).to.be.revertedWithCustomError(source, "NumberOutOfRange").withArgs(0, true, 2n ** 128n); // prettier-ignore
    });

    it("take as many words as the model has elements, in as many calls as are allowed", async () => {
      const model = await modelOf([tensor(8, false, 0, [8, 8])]);
      await set(words(5n));
      const one: SourceCall = { target: place, fields: [[0, false, 0]] };
      expect(await read(model, Array<SourceCall>(64).fill(one))).to.equal(`0x${"05".repeat(64)}`);
      for (const count of [0, 63]) {
        await expect(read(model, Array<SourceCall>(count).fill(one)))
          .to.be.revertedWithCustomError(source, "ElementCountMismatch")
          .withArgs(count, 64);
      }
      const two: SourceCall = { target: place, fields: [[0, false, 0], [0, false, 0]] }; // prettier-ignore
      await expect(read(model, [...Array<SourceCall>(63).fill(one), two]))
        .to.be.revertedWithCustomError(source, "ElementCountMismatch")
        .withArgs(65, 64);
      await expect(read(model, Array<SourceCall>(65).fill(one)))
        .to.be.revertedWithCustomError(source, "CallsTooMany")
        .withArgs(65);
      const many = Array.from({ length: 1025 }, () => [0, false, 0] as const);
      await expect(read(model, [{ target: place, fields: many }]))
        .to.be.revertedWithCustomError(source, "NumbersTooMany")
        .withArgs(1025);
    });

    it("refuse returns that are a byte too short, and addresses without code", async () => {
      const model = await modelOf([tensor(8, false, 0)]);
      const calls: SourceCall[] = [{ target: place, fields: [[1, false, 0]] }];
      await set(words(1n, 2n));
      expect(await read(model, calls)).to.equal("0x02");
      await set(hexlify(words(1n, 2n)).slice(0, -2));
      await expect(read(model, calls)).to.be.revertedWithCustomError(source, "ReturnTooShort").withArgs(0, 63, 64);
      const nobody: SourceCall[] = [{ target: s.signers.stranger.address, fields: [[0, false, 0]] }];
      await expect(read(model, nobody)).to.be.revertedWithCustomError(source, "ReturnTooShort").withArgs(0, 0, 32);
    });

    it("name the target that reverts, burns its gas, or tries to write", async () => {
      const model = await modelOf([tensor(8, false, 0, [2])]);
      const honest = await s.deploy("CallTarget");
      await send(honest, "set", [words(1n)], { from: from() });
      const calls: SourceCall[] = [await honest.getAddress(), place].map((at) => ({ target: at, fields: [[0, false, 0]] })); // prettier-ignore
      for (const manner of [1, 4, 5]) {
        await send(target, "behave", [manner], { from: from() });
        await expect(read(model, calls), `${manner}`)
          .to.be.revertedWithCustomError(source, "CallReverted")
          .withArgs(1, place);
      }
      expect(await view(target, "written")).to.equal(0n);
    });

    it("copy no more of a megabyte than the word that is asked for", async () => {
      const model = await modelOf([tensor(8, false, 0)]);
      const calls = (gas: number): SourceCall[] => [{ target: place, gas, fields: [[0, false, 0]] }];
      const [bomb, revertBomb] = [2, 3];
      await send(target, "behave", [bomb], { from: from() });
      const query = staticcallQuery(model, false, calls(2_300_000));
      expect(await view(source, "read", [query])).to.equal("0x00");
      // The target pays for its megabyte; to copy it here would take another 2.2M gas.
      expect(await source.getFunction("read").estimateGas(query)).to.be.below(2_450_000n);
      await send(target, "behave", [revertBomb], { from: from() });
      await expect(read(model, calls(2_300_000))).to.be.revertedWithCustomError(source, "CallReverted");
      expect(await source.getFunction("read").staticCall(query, { gasLimit: 2_450_000n }).then(String, String)).to.contain("CallReverted"); // prettier-ignore
    });

    it("give each target exactly the gas of the query, whatever the sender brings, or nothing at all", async () => {
      const model = await modelOf([tensor(32, false, 0)]);
      await send(target, "behave", [6], { from: from() });
      const query = staticcallQuery(model, false, [{ target: place, gas: 100_000, fields: [[0, false, 0]] }]);
      const seen = new Set<unknown>();
      let refused = 0;
      for (let gasLimit = 120_000; gasLimit <= 180_000; gasLimit += 500) {
        const read = source.getFunction("read").staticCall(query, { gasLimit });
        await read.then((bytes) => seen.add(bytes), () => refused++); // prettier-ignore
      }
      expect(seen.size).to.equal(1);
      expect(refused).to.be.greaterThan(0);
      expect(Number([...seen][0])).to.be.within(99_500, 100_000);
    });

    it("make the input of a request: its hash and its block are in the id, the event and the result's evidence", async () => {
      const model = await modelOf([tensor(16, true, -8, [2])]);
      await set(words(10n ** 18n, -(2n * 10n ** 18n)));
      const query = staticcallQuery(model, false, [{ target: place, fields: [[0, true, 18], [1, true, 18]] }]); // prettier-ignore
      const origin = originOf(await source.getAddress(), query);
      const asked = await s.request({
        model,
        inputKind: INPUT_KIND.source,
        origin,
        requiredEvidence: Evidence.zk | CHAIN_INPUT,
        input: Uint8Array.of(1, 0, 0xfe, 0),
      });
      const receipt = await asked.sent.wait();
      expect(asked.r.inputHash).to.equal(keccak256("0x0100fe00"));
      expect(asked.r.readAt).to.equal(receipt?.blockNumber);
      await expect(asked.sent)
        .to.emit(s.coordinator, "InputRead")
        .withArgs(asked.id, await source.getAddress(), query);
      await set(words(0n, 0n)); // what it says later does not matter
      await s.fulfil(s.answer(asked));
      const result = await s.resultOf(asked);
      expect(result.evidence).to.equal(BigInt(Evidence.zk | CHAIN_INPUT));
      expect(result.output).to.equal(hexlify(OUTPUT));
      // Another input, however well proven, is not what was read.
      const again = await s.request({ model, inputKind: INPUT_KIND.source, origin, input: Uint8Array.of(1, 0, 0xfe, 0) }); // prettier-ignore
      await expect(s.fulfil(s.answer(again))).to.be.revertedWithCustomError(s.coordinator, "InputMismatch");
    });

    it("make no request if they cannot be read: with the source's own reason", async () => {
      const model = await modelOf([tensor(8, false, 0)]);
      await set(words(256n));
      const query = staticcallQuery(model, false, [{ target: place, fields: [[0, false, 0]] }]);
      const origin = originOf(await source.getAddress(), query);
      const ask = () => s.request({ model, inputKind: INPUT_KIND.source, origin });
      await expect(ask()).to.be.revertedWithCustomError(source, "NumberOutOfRange");
      await send(target, "behave", [1], { from: from() });
      await expect(ask()).to.be.revertedWithCustomError(source, "CallReverted");
    });

    it("say what they are", async () => {
      for (const name of ["StaticcallSource", "ChainlinkSource", "UniswapTwapSource"]) {
        const each = await s.deploy(name, s.registryAddress);
        expect(await view(each, "supportsInterface", ["0x01ffc9a7"])).to.equal(true);
        expect(await view(each, "supportsInterface", [INTERFACE_ID_READ])).to.equal(true);
        expect(await view(each, "supportsInterface", ["0xffffffff"])).to.equal(false);
      }
    });
  });

  describe("price feeds", () => {
    let source: BaseContract;
    const HEARTBEAT = 3_600;
    beforeEach(async () => {
      source = await s.deploy("ChainlinkSource", s.registryAddress);
    });
    async function feedOf(decimals: number, answer: bigint, updatedAt: number): Promise<string> {
      const feed = await s.deploy("PriceFeed");
      await send(feed, "set", [decimals, answer, updatedAt], { from: from() });
      return feed.getAddress();
    }
    const read = (model: string, feeds: readonly string[], clamp = false) =>
      view(source, "read", [chainlinkQuery(model, clamp, feeds.map((feed) => [feed, HEARTBEAT]))]); // prettier-ignore

    it("are spelled by their own decimals", async () => {
      const model = await modelOf([tensor(32, true, -8, [2])]);
      const now = await chain.helpers.time.latest();
      const feeds = [await feedOf(8, 2_513_50000000n, now), await feedOf(18, 999_800_000_000_000_000n, now)];
      const [a, b] = [nearest(2_513_50000000n, 10n ** 8n, -8), nearest(9998n, 10_000n, -8)];
      expect([a, b]).to.deep.equal([643_456n, 256n]);
      expect(await read(model, feeds)).to.equal(concat([spelled(a, 32), spelled(b, 32)]));
      await expect(read(model, feeds.slice(1))).to.be.revertedWithCustomError(source, "ElementCountMismatch");
    });

    it("are as old as the query allows, not a second more, and not from the future", async () => {
      const model = await modelOf([tensor(32, true, 0)]);
      const time = START + 100_000;
      const ages = [-1, 0, 1, HEARTBEAT - 1, HEARTBEAT, HEARTBEAT + 1];
      const feeds: string[] = [];
      for (const age of ages) feeds.push(await feedOf(0, 5n, time - age));
      const never = await feedOf(0, 5n, 0);
      await chain.helpers.time.increaseTo(time);
      for (const [i, feed] of feeds.entries()) {
        const age = ages[i] as number;
        if (age >= 0 && age <= HEARTBEAT) expect(await read(model, [feed])).to.equal("0x00000005");
        else await expect(read(model, [feed]), `${age}`).to.be.revertedWithCustomError(source, "AnswerTooOld").withArgs(feed, time - age, time); // prettier-ignore
      }
      await expect(read(model, [never])).to.be.revertedWithCustomError(source, "AnswerTooOld");
    });

    it("are above zero", async () => {
      const model = await modelOf([tensor(32, true, 0)]);
      const now = await chain.helpers.time.latest();
      expect(await read(model, [await feedOf(0, 1n, now)])).to.equal("0x00000001");
      for (const answer of [0n, -1n, -(2n ** 255n)]) {
        const feed = await feedOf(0, answer, now);
        await expect(read(model, [feed], true)).to.be.revertedWithCustomError(source, "AnswerNotPositive").withArgs(feed, answer); // prettier-ignore
      }
    });

    it("are bounded in number, size and decimals", async () => {
      const model = await modelOf([tensor(16, true, 0)]);
      const now = await chain.helpers.time.latest();
      const feed = await feedOf(0, 32_768n, now);
      await expect(read(model, [feed])).to.be.revertedWithCustomError(source, "NumberOutOfRange").withArgs(0, false, 32_768); // prettier-ignore
      expect(await read(model, [feed], true)).to.equal("0x7fff");
      const odd = await feedOf(39, 1n, now);
      await expect(read(model, [odd]))
        .to.be.revertedWithCustomError(source, "DecimalsTooMany")
        .withArgs(39);
      await expect(read(model, Array<string>(65).fill(feed)))
        .to.be.revertedWithCustomError(source, "FeedsTooMany")
        .withArgs(65);
      const wide = await modelOf([tensor(16, true, 0, [64])]);
      expect(await read(wide, Array<string>(64).fill(feed), true)).to.equal(`0x${"7fff".repeat(64)}`);
    });
  });

  describe("a pool's price history", () => {
    let source: BaseContract;
    let pool: BaseContract;
    let place: string;
    beforeEach(async () => {
      source = await s.deploy("UniswapTwapSource", s.registryAddress);
      pool = await s.deploy("TickPool");
      place = await pool.getAddress();
    });
    const set = (agos: readonly number[], sums: readonly bigint[]) => send(pool, "set", [agos, sums], { from: from() });
    const read = (model: string, agos: readonly number[], changes = false, clamp = false) =>
      view(source, "read", [twapQuery(model, clamp, place, agos, changes)]);

    it("is mean ticks over the windows, the oldest first, or their changes, to the nearest", async () => {
      const agos = [700, 300, 100, 0];
      const sums = [1000n, 1000n + 400n * 5n + 199n, 3199n - 200n * 3n - 100n, 2499n - 100n * 7n + 50n];
      await set(agos, sums);
      const three = await modelOf([tensor(16, true, 0, [3])]);
      // 5.4975, -3.5, -6.5: halves go up.
      expect(await read(three, agos)).to.equal(concat([5n, -3n, -6n].map((q) => spelled(q, 16))));
      const fine = await modelOf([tensor(16, true, -4, [2])]);
      // -8.9975 and -3, in sixteenths: changes of the means as they are, not of the rounded ones.
      expect(await read(fine, agos, true)).to.equal(concat([-144n, -48n].map((q) => spelled(q, 16))));
    });

    it(`agrees with exact fractions (seed ${SEED})`, async () => {
      const random = randomOf(SEED);
      const means = await modelOf([tensor(32, true, -6, [9])]);
      const changes = await modelOf([tensor(32, true, -6, [8])]);
      for (let round = 0; round < 10; round++) {
        const lengths = Array.from({ length: 9 }, () => whole(random, 1, 5_000));
        const agos = [...lengths.keys(), 9].map((i) => lengths.slice(i).reduce((a, b) => a + b, 0));
        const ticks = lengths.map(() => whole(random, -887_272, 887_272));
        const sums = [BigInt(whole(random, -1e9, 1e9))];
        for (const [i, length] of lengths.entries())
          sums.push((sums[i] as bigint) + BigInt(length) * BigInt(ticks[i] as number) + BigInt(whole(random, 0, length - 1))); // prettier-ignore
        await set(agos, sums);
        const deltas = lengths.map((_, i) => (sums[i + 1] as bigint) - (sums[i] as bigint));
        const w = lengths.map(BigInt);
        const at = (list: readonly bigint[], i: number): bigint => list[i] as bigint;
        const expectedMeans = deltas.map((delta, i) => spelled(nearest(delta, at(w, i), -6), 32));
        expect(await read(means, agos), `round ${round}`).to.equal(concat(expectedMeans));
        const expectedChanges = deltas.slice(1).map((delta, i) => {
          const numerator = delta * at(w, i) - at(deltas, i) * at(w, i + 1);
          return spelled(nearest(numerator, at(w, i) * at(w, i + 1), -6), 32);
        });
        expect(await read(changes, agos, true), `round ${round}`).to.equal(concat(expectedChanges));
      }
    });

    it("is right when the pool's sums wrap around", async () => {
      const model = await modelOf([tensor(32, true, 0)]);
      await set([10, 0], [2n ** 55n - 30n, -(2n ** 55n) + 20n]); // 50 on
      expect(await read(model, [10, 0])).to.equal("0x00000005");
      await set([10, 0], [-(2n ** 55n) + 20n, 2n ** 55n - 30n]); // 50 back
      expect(await read(model, [10, 0])).to.equal("0xfffffffb");
    });

    it("takes points in time that fall, as many as are allowed, and as many observations", async () => {
      const model = await modelOf([tensor(8, true, 0)]);
      expect(await read(model, [1, 0])).to.equal("0x00");
      expect(await read(model, [2, 1, 0], true)).to.equal("0x00");
      for (const [agos, changes] of [
        [[], false],
        [[1], false],
        [[1, 0], true],
      ] as const) {
        await expect(read(model, agos, changes))
          .to.be.revertedWithCustomError(source, "PointsOutOfBounds")
          .withArgs(agos.length);
      }
      for (const agos of [
        [1, 1],
        [1, 2],
      ])
        // prettier-ignore
        await expect(read(model, agos)).to.be.revertedWithCustomError(source, "PointsOutOfOrder").withArgs(1);
      const falling = (count: number): number[] => Array.from({ length: count }, (_, i) => count - 1 - i);
      const wide = await modelOf([tensor(8, true, 0, [127])]);
      expect(await read(wide, falling(128))).to.equal(`0x${"00".repeat(127)}`);
      await expect(read(wide, falling(129)))
        .to.be.revertedWithCustomError(source, "PointsOutOfBounds")
        .withArgs(129);
      await expect(read(model, [3, 2, 1, 0])).to.be.revertedWithCustomError(source, "ElementCountMismatch").withArgs(3, 1); // prettier-ignore
      await expect(read(model, [86_401, 0])).to.be.revertedWithCustomError(pool, "OLD");
      await send(pool, "leaveOut", [1], { from: from() });
      await expect(read(model, [1, 0]))
        .to.be.revertedWithCustomError(source, "ObservationsMissing")
        .withArgs(1, 2);
    });
  });
});
