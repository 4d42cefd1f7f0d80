// The registry: series and their owners, what a registration records, and everything that keeps one out. Descriptions of
// tensors have tensor.test.ts.
import { expect } from "chai";
import { keccak256 } from "ethers";
import type { Hex } from "../../node/core/domain.ts";
import { Q, R } from "../../node/core/field.ts";
import {
  C,
  MODEL,
  NOBODY,
  SERIES_NAME,
  START,
  ZERO_ID,
  flipped,
  modelFacts,
  modelIdOf,
  openChain,
  send,
  seriesIdOf,
  tensorsOf,
  view,
  withWord,
  type Chain,
  type ModelFacts,
  type Registration,
  type Stage,
} from "../support/contracts.ts";
import { claimFacts } from "../support/contractsClaim.ts";
import { bytesOf } from "../support/contractsVectors.ts";
import {
  TRAPDOOR,
  bytesOfWords,
  g2OutsideSubgroup,
  keyWords,
  proofWords,
  prove,
  rerandomise,
  trapdoorOf,
  verifyingKeyOf,
  type Trapdoor,
} from "../support/trapdoor.ts";

const WORDS = keyWords(verifyingKeyOf(TRAPDOOR));
const [BETA, GAMMA, DELTA, IC] = [2, 6, 10, 14];
type Signer = keyof Stage["signers"];
const UNKNOWN = `0x${"12".repeat(32)}`;

describe("ModelRegistry", () => {
  let chain: Chain;
  let s: Stage;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
    await send(s.registry, "createSeries", [SERIES_NAME, 3], { from: s.signers.stranger });
  });
  const modelOf = (id: string) => view(s.registry, "modelOf", [id]) as Promise<Record<string, unknown>>;
  const headOf = (id: string) => view(s.registry, "headOf", [id]) as Promise<Record<string, unknown>>;
  const act = (from: Signer, name: string, ...args: unknown[]) =>
    send(s.registry, name, args, { from: s.signers[from] });
  const denied = (acted: Promise<unknown>, error: string, ...args: unknown[]): Promise<void> => {
    const refusal = expect(acted).to.be.revertedWithCustomError(s.registry, error);
    return args.length === 0 ? refusal : refusal.withArgs(...args);
  };
  const refuses = (over: Partial<Registration>, error: string, ...args: unknown[]): Promise<void> =>
    denied(s.register({ from: s.signers.stranger, ...over }), error, ...args);

  describe("records", () => {
    it("a model under the id that hashes what was declared, and says so", async () => {
      const { stranger } = s.signers;
      const facts = modelFacts({ collateralBps: 65_535, royaltyBps: 2_500, inputKinds: 7 });
      const { id, args } = s.registration({ from: stranger, facts });
      const [series, , key] = args;
      expect(id).to.equal(modelIdOf(seriesIdOf(stranger.address), facts, key));
      await chain.at(START + 5000);
      const sent = await s.register({ from: stranger, facts });
      const model = await modelOf(id);
      await expect(sent)
        .to.emit(s.registry, "ModelRegistered")
        .withArgs(id, series, stranger.address, 1, facts.keyKind, model["key"], keccak256(key), facts.manifestURI);
      const expected: Record<string, unknown> = {
        ...facts,
        series,
        registrant: stranger.address,
        number: 2,
        version: 1,
      };
      expected["keyHash"] = keccak256(key);
      expected["successor"] = ZERO_ID;
      expected["registeredAt"] = BigInt(START + 5000);
      expected["retired"] = false;
      for (const [name, value] of Object.entries(expected)) {
        expect(model[name], name).to.equal(typeof value === "number" ? BigInt(value) : value);
      }
      expect(await view(s.registry, "keyOf", [id])).to.equal(key);
      expect(await view(s.registry, "tensorsOf", [id])).to.equal(facts.tensors);
      expect(await view(s.registry, "publisherOf", [id])).to.equal(stranger.address);
      expect(await view(s.registry, "modelAt", [2])).to.equal(id);
      expect(await chain.ethers.provider.getCode(model["key"] as string)).to.equal(`0x00${key.slice(2)}`);
      const head = (await view(s.registry, "headOf", [id])) as readonly unknown[];
      expect([...head]).to.deep.equal([model["key"], 64n, 20n, 1n, 7n, false, 2n, 65_535n, 2_500n]);
    });

    it("what requests read in two storage slots", async () => {
      const from = await chain.ethers.provider.getStorage(s.registryAddress, 0);
      expect(BigInt(from)).to.equal(0n); // slot 0 is the mapping of models
      const word = (slot: bigint) => chain.ethers.provider.getStorage(s.registryAddress, slot);
      const base = BigInt(keccak256(`${s.model}${"00".repeat(32)}`));
      const { key } = (await headOf(s.model)) as { key: string };
      const first = `00000001${"00000014"}${"00000040"}${key.slice(2).toLowerCase()}`;
      // From the right: key, lengths, key kind 1, input kinds 7, not retired.
      expect(await word(base)).to.equal(`0x0000${"07"}01${first.slice(8)}`);
      const [royalty, collateral, number] = ["0000", "07d0", "00000001"];
      expect((await word(base + 1n)).slice(-16)).to.equal(royalty + collateral + number);
    });

    it("each fact of a model but the manifest's address in its id", async () => {
      const other: Partial<ModelFacts> = {
        sourceDigest: UNKNOWN,
        quantizedDigest: UNKNOWN,
        circuitDigest: UNKNOWN,
        manifestDigest: UNKNOWN,
        keyKind: 0,
        inputKinds: 1,
        collateralBps: 2_001,
        royaltyBps: 1,
        tensors: tensorsOf(64, 20).replace("90f8", "90f9"),
      };
      const facts = [...Object.entries(other).map(([name, value]) => ({ ...MODEL, [name]: value }))];
      facts.push(modelFacts({ inputLength: 65 }), modelFacts({ outputLength: 22 }));
      const ids = new Set([s.model]);
      for (const each of facts) {
        await s.register({ facts: each });
        ids.add(s.registration({ facts: each }).id);
      }
      expect(ids.size).to.equal(1 + facts.length);
      for (const id of ids) expect((await headOf(id))["key"]).to.not.equal(NOBODY);
      const manifestURI = "ipfs://elsewhere";
      await denied(s.register({ facts: { ...MODEL, manifestURI } }), "ModelAlreadyRegistered", s.model);
    });

    it("an id that the register call also returns", async () => {
      const { id, args } = s.registration({ from: s.signers.stranger });
      const registry = s.registry.connect(s.signers.stranger);
      expect(await view(registry, "register", args)).to.equal(id);
    });

    it("a key whose every signal counts: the sample's proof with one signal changed is refused", async () => {
      const { key } = (await headOf(s.model)) as { key: string };
      const facts = claimFacts({
        domain: "sample",
        chainId: 31337n,
        contract: s.registryAddress,
        requestId: `0x${"00".repeat(32)}`,
        modelId: s.model,
        prover: s.signers.publisher.address,
        c: C,
        input: bytesOf("sample input", 64),
        output: bytesOf("sample output", 20),
      });
      const { c, v, r } = facts.signals;
      const words = proofWords(prove(TRAPDOOR, facts.signals));
      await view(s.verifier, "verify", [key, words, [c, v, r]]);
      for (const at of [0, 1, 2]) {
        const changed = withWord([c, v, r], at, (signal) => (signal + 1n) % R);
        await expect(view(s.verifier, "verify", [key, words, changed])).to.be.revertedWithCustomError(
          s.verifier,
          "InvalidProof",
        );
      }
    });

    it("the same model in two series, as two models with a key each", async () => {
      await s.register({ from: s.signers.stranger });
      const other = s.registration({ from: s.signers.stranger }).id;
      expect(other).not.to.equal(s.model);
      await refuses({}, "ModelAlreadyRegistered", other);
      await refuses({ from: s.signers.publisher }, "ModelAlreadyRegistered", s.model);
    });

    it("development keys as such, in the id too", async () => {
      const facts = { ...MODEL, keyKind: 0 };
      await s.register({ facts });
      const { id } = s.registration({ facts });
      expect(id).not.to.equal(s.model);
      expect((await headOf(id))["keyKind"]).to.equal(0n);
    });

    it("lengths up to their bounds", async () => {
      for (const [inputLength, outputLength] of [
        [1, 1],
        [24_576, 1],
        [1, 4096],
      ] as const) {
        await s.register({ facts: modelFacts({ inputLength, outputLength }) });
      }
    });

    it("manifest addresses from none to 512 bytes, and no longer", async () => {
      for (const manifestURI of ["", "u".repeat(512)]) {
        const facts = { ...MODEL, manifestURI, sourceDigest: keccak256(Buffer.from(manifestURI)) };
        await s.register({ facts });
        expect((await modelOf(s.registration({ facts }).id))["manifestURI"]).to.equal(manifestURI);
      }
      await refuses({ facts: { ...MODEL, manifestURI: "u".repeat(513) } }, "ManifestURITooLong", 513);
    });
  });

  describe("refuses parameters", () => {
    for (const [index, name] of ["sourceDigest", "quantizedDigest", "circuitDigest", "manifestDigest"].entries()) {
      it(`without ${name}`, () =>
        refuses({ facts: { ...MODEL, [name]: `0x${"00".repeat(32)}` } }, "DigestMissing", index));
    }
    for (const inputLength of [0, 24_577, 2 ** 32 - 1]) {
      it(`with inputs of ${inputLength} bytes`, () =>
        refuses(
          { facts: { ...MODEL, inputLength }, sample: { input: new Uint8Array(1) } },
          "InputLengthOutOfBounds",
          inputLength,
        ));
    }
    for (const outputLength of [0, 4097, 2 ** 32 - 1]) {
      it(`with outputs of ${outputLength} bytes`, () =>
        refuses(
          { facts: { ...MODEL, outputLength }, sample: { output: new Uint8Array(1) } },
          "OutputLengthOutOfBounds",
          outputLength,
        ));
    }
    it("with a kind of key that does not exist", async () => {
      await expect(s.register({ facts: { ...MODEL, keyKind: 2 } })).to.be.revertedWithoutReason(chain.ethers);
    });
    it("with no kind of input, with private ones beside others, and with kinds that do not exist", async () => {
      for (const inputKinds of [1, 2, 3, 4, 5, 6, 7, 8]) {
        await s.register({ facts: { ...MODEL, inputKinds }, from: s.signers.stranger });
      }
      for (const inputKinds of [0, 9, 10, 12, 15, 16, 17, 24, 255]) {
        await refuses({ facts: { ...MODEL, inputKinds } }, "InputKindsInvalid", inputKinds);
      }
    });
    it("with a royalty above a quarter", async () => {
      await refuses({ facts: { ...MODEL, royaltyBps: 2_501 } }, "RoyaltyTooHigh", 2_501);
      await refuses({ facts: { ...MODEL, royaltyBps: 65_535 } }, "RoyaltyTooHigh", 65_535);
      await s.register({ facts: { ...MODEL, royaltyBps: 2_500 } });
    });
  });

  describe("refuses keys", () => {
    const key = (words: readonly bigint[]): Hex => bytesOfWords(words);
    const honest = key(WORDS);

    for (const [name, bytes] of [
      ["nothing", "0x"],
      ["a byte too few", honest.slice(0, -2)],
      ["a byte too many", `${honest}00`],
      ["one IC point too few", honest.slice(0, -128)],
      ["one IC point too many", honest + honest.slice(-128)],
    ] as const) {
      it(`of ${name}`, () => refuses({ key: bytes as Hex }, "KeyLengthInvalid", bytes.length / 2 - 1));
    }

    it("with any coordinate spelled above the field", async () => {
      for (let at = 0; at < 22; at++) {
        const alias = withWord(WORDS, at, (word) => word + Q);
        await refuses({ key: key(alias) }, "KeyCoordinateOutOfField", at, alias[at]);
        await refuses({ key: key(withWord(WORDS, at, () => Q)) }, "KeyCoordinateOutOfField", at, Q);
      }
    });

    it("with any G1 coordinate one off the curve", async () => {
      for (const at of [0, 1, 14, 15, 16, 17, 18, 19, 20, 21]) {
        await refuses({ key: key(withWord(WORDS, at, (word) => (word + 1n) % Q)) }, "KeyPointNotOnCurve", at & ~1);
      }
    });

    it("with any G2 coordinate one off the curve", async () => {
      for (let at = BETA; at < IC; at++) {
        await refuses({ key: key(withWord(WORDS, at, (word) => (word + 1n) % Q)) }, "KeyPointNotInSubgroup");
      }
    });

    it("with a G2 point on the curve but outside of the subgroup", async () => {
      const point = g2OutsideSubgroup();
      for (const from of [BETA, GAMMA, DELTA]) {
        const words = WORDS.map((word, i) => (i >= from && i < from + 4 ? (point[i - from] as bigint) : word));
        await refuses({ key: key(words) }, "KeyPointNotInSubgroup");
      }
    });

    const { ic } = TRAPDOOR;
    const infinite: readonly (readonly [string, number, Partial<Trapdoor>])[] = [
      ["alpha", 0, { alpha: 0n }],
      ["beta", BETA, { beta: 0n }],
      ["gamma", GAMMA, { gamma: 0n }],
      ["delta", DELTA, { delta: 0n }],
      ["IC[0]", 14, { ic: [0n, ic[1], ic[2], ic[3]] }],
      ["IC[1]: c would not count", 16, { ic: [ic[0], 0n, ic[2], ic[3]] }],
      ["IC[2]: v would not count", 18, { ic: [ic[0], ic[1], 0n, ic[3]] }],
      ["IC[3]: r would not count", 20, { ic: [ic[0], ic[1], ic[2], 0n] }],
    ];
    for (const [name, word, over] of infinite) {
      it(`with infinity for ${name}`, () =>
        refuses({ trapdoor: { ...TRAPDOOR, ...over } }, "KeyPointAtInfinity", word));
    }

    const { beta, gamma, delta } = TRAPDOOR;
    const forgeable: readonly (readonly [string, Partial<Trapdoor>, string, ...number[]])[] = [
      ["gamma equal to delta", { gamma: delta }, "KeyPointsEqual", GAMMA, DELTA],
      ["gamma the negative of delta", { gamma: R - delta }, "KeyPointsEqual", GAMMA, DELTA],
      ["no contribution: delta and gamma the generator", { gamma: 1n, delta: 1n }, "KeyDeltaIsGenerator"],
      ["delta the generator", { delta: 1n }, "KeyDeltaIsGenerator"],
      ["delta the generator's negative", { delta: R - 1n }, "KeyDeltaIsGenerator"],
      ["beta the generator", { beta: 1n }, "KeyBetaIsGenerator"],
      ["alpha the generator", { alpha: 1n }, "KeyAlphaIsGenerator"],
      ["alpha the generator's negative", { alpha: R - 1n }, "KeyAlphaIsGenerator"],
      ["beta equal to gamma", { beta: gamma }, "KeyPointsEqual", BETA, GAMMA],
      ["beta equal to delta", { delta: beta }, "KeyPointsEqual", BETA, DELTA],
    ];
    for (const [name, over, error, ...args] of forgeable) {
      it(`with ${name}, even with a valid sample`, () =>
        refuses({ trapdoor: { ...TRAPDOOR, ...over } }, error, ...args));
    }

    it("but not gamma for being the generator, as snarkjs makes every one, nor delta for being twice that", async () => {
      await s.register({ trapdoor: { ...TRAPDOOR, gamma: 1n } });
      await s.register({ trapdoor: { ...TRAPDOOR, gamma: 1n, delta: 2n } });
    });
  });

  describe("refuses samples", () => {
    it("whose proof is of another key", () =>
      refuses({ key: bytesOfWords(keyWords(verifyingKeyOf(trapdoorOf("another")))) }, "InvalidProof"));

    const claims: readonly (readonly [string, () => Registration["sample"]])[] = [
      ["the claim's domain instead of the sample's", () => ({ domain: "claim" })],
      ["another chain", () => ({ chainId: 31338n })],
      ["another registry", () => ({ contract: s.coordinatorAddress })],
      ["a request", () => ({ requestId: `0x${"00".repeat(31)}01` })],
      ["another model", () => ({ modelId: s.model })],
      ["another publisher", () => ({ prover: s.signers.publisher.address })],
    ];
    for (const [name, sample] of claims) {
      it(`proven for ${name}`, () => refuses({ sample: sample() }, "InvalidProof"));
    }

    it("of another publisher, copied whole", async () => {
      const [, facts, key, sample] = s.registration().args;
      const series = seriesIdOf(s.signers.stranger.address);
      await denied(act("stranger", "register", series, facts, key, sample), "InvalidProof");
      const { publisher, stranger } = s.signers;
      await denied(act("stranger", "register", s.series, facts, key, sample), "CallerIsNotOwner", s.series, stranger.address, publisher.address); // prettier-ignore
    });

    it("of private inputs with an input, and without one for a model of public inputs", async () => {
      const facts = { ...MODEL, inputKinds: 8 };
      await s.register({ facts });
      await refuses({ facts, sample: { input: new Uint8Array(1) } }, "SampleInputLengthMismatch", 1, 0);
      await refuses({ facts, sample: { input: bytesOf("sample input", 64) } }, "SampleInputLengthMismatch", 64, 0);
      await refuses({ sample: { input: new Uint8Array(0) } }, "SampleInputLengthMismatch", 0, 64);
      // Another commitment than the proof's, and the hash of nothing in the commitment's place.
      await refuses({ facts, sent: { c: C + 1n } }, "InvalidProof");
      await refuses({ facts, sample: { inputHash: keccak256("0x") as Hex } }, "InvalidProof");
    });

    it("with c, one byte of the input or one byte of the output off", async () => {
      const [input, output] = [bytesOf("sample input", 64), bytesOf("sample output", 20)];
      for (const sent of [
        { c: C + 1n },
        ...[0, 31, 63].map((at) => ({ input: flipped(input, at) })),
        ...[0, 19].map((at) => ({ output: flipped(output, at) })),
      ]) {
        await refuses({ sent }, "InvalidProof");
      }
      await refuses({ sent: { c: C + R } }, "SignalOutOfField", 0, C + R);
    });

    it("of other lengths than the model's", async () => {
      for (const length of [0, 63, 65]) {
        await refuses({ sample: { input: new Uint8Array(length) } }, "SampleInputLengthMismatch", length, 64);
      }
      for (const length of [0, 19, 21]) {
        await refuses({ sample: { output: new Uint8Array(length) } }, "SampleOutputLengthMismatch", length, 20);
      }
    });

    it("but not for the proof's being re-randomised", async () => {
      const { args, id } = s.registration({ from: s.signers.stranger });
      const claim = {
        domain: "sample",
        chainId: 31337n,
        contract: s.registryAddress,
        requestId: `0x${"00".repeat(32)}`,
        modelId: id,
        prover: s.signers.stranger.address,
        ...args[3],
      } as const;
      const proof = rerandomise(prove(TRAPDOOR, claimFacts(claim).signals), 99n);
      await s.register({ from: s.signers.stranger, sent: { proof } });
    });
  });

  describe("keeps series", () => {
    const seriesOf = (id: string) => view(s.registry, "seriesOf", [id]) as Promise<Record<string, unknown>>;

    it("under the id of creator and name, and says so", async () => {
      const { stranger } = s.signers;
      for (const [name, keyKinds] of [
        ["a", 1],
        ["A", 2],
        ["n".repeat(64), 3],
      ] as const) {
        const id = seriesIdOf(stranger.address, name);
        await expect(act("stranger", "createSeries", name, keyKinds))
          .to.emit(s.registry, "SeriesCreated")
          .withArgs(id, stranger.address, keyKinds, name);
        const { owner, pendingOwner, keyKinds: kept, versions, name: named } = await seriesOf(id);
        expect([owner, pendingOwner, kept, versions, named]).to.deep.equal([stranger.address, NOBODY, BigInt(keyKinds), 0n, name]); // prettier-ignore
      }
    });

    it("of one name once for each creator, also after it was given away", async () => {
      expect(seriesIdOf(s.signers.stranger.address)).to.not.equal(s.series);
      await denied(act("publisher", "createSeries", SERIES_NAME, 1), "SeriesAlreadyCreated", s.series);
      await act("publisher", "offerSeries", s.series, s.signers.stranger.address);
      await act("stranger", "acceptSeries", s.series);
      await denied(act("publisher", "createSeries", SERIES_NAME, 3), "SeriesAlreadyCreated", s.series);
    });

    it("with names from 1 to 64 bytes and key kinds that exist", async () => {
      await denied(act("stranger", "createSeries", "", 3), "NameLengthOutOfBounds", 0);
      await denied(act("stranger", "createSeries", "n".repeat(65), 3), "NameLengthOutOfBounds", 65);
      await denied(act("stranger", "createSeries", `${"n".repeat(63)}\u00e9`, 3), "NameLengthOutOfBounds", 65);
      for (const keyKinds of [0, 4, 5, 255]) {
        await denied(act("stranger", "createSeries", "x", keyKinds), "KeyKindsInvalid", keyKinds);
      }
    });

    it("that hold their versions to their key kinds, for ever and for every owner", async () => {
      const { stranger } = s.signers;
      for (const [name, keyKinds, taken] of [
        ["development", 1, 0],
        ["ceremony", 2, 1],
      ] as const) {
        await act("stranger", "createSeries", name, keyKinds);
        const series = seriesIdOf(stranger.address, name);
        await refuses({ series, facts: { ...MODEL, keyKind: 1 - taken } }, "KeyKindNotInSeries", series, 1 - taken);
        await s.register({ from: stranger, series, facts: { ...MODEL, keyKind: taken } });
        await act("stranger", "offerSeries", series, s.signers.rival.address);
        await act("rival", "acceptSeries", series);
        const from = s.signers.rival;
        await refuses({ from, series, facts: { ...MODEL, keyKind: 1 - taken } }, "KeyKindNotInSeries", series, 1 - taken); // prettier-ignore
      }
    });

    it("whose versions are numbered from 1, each series by itself, models across all", async () => {
      const { stranger } = s.signers;
      const versionOf = (version: number | bigint) => view(s.registry, "versionOf", [s.series, version]);
      const second = await s.another({ sourceDigest: UNKNOWN });
      await s.register({ from: stranger });
      const foreign = s.registration({ from: stranger }).id;
      expect([await versionOf(1), await versionOf(2), await versionOf(0)]).to.deep.equal([s.model, second, second]);
      expect((await modelOf(second))["version"]).to.equal(2n);
      expect((await modelOf(foreign))["version"]).to.equal(1n);
      const numbered = await Promise.all([1, 2, 3].map((number) => view(s.registry, "modelAt", [number])));
      expect(numbered).to.deep.equal([s.model, second, foreign]);
      for (const version of [3n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 256n - 1n])
        await denied(versionOf(version), "VersionUnknown", s.series, version);
      for (const number of [0, 4, 2n ** 32n + 1n])
        await denied(view(s.registry, "modelAt", [number]), "NumberUnknown", number);
      await act("stranger", "createSeries", "empty", 1);
      const empty = seriesIdOf(stranger.address, "empty");
      await denied(view(s.registry, "versionOf", [empty, 0]), "VersionUnknown", empty, 0);
    });

    it("that change hands in two steps, with the rights over all versions and their royalties", async () => {
      const { publisher, stranger, rival } = s.signers;
      await expect(act("publisher", "offerSeries", s.series, stranger.address))
        .to.emit(s.registry, "SeriesOffered")
        .withArgs(s.series, publisher.address, stranger.address);
      // Nothing moves by an offer.
      await denied(
        act("stranger", "retire", s.model),
        "CallerIsNotOwner",
        s.series,
        stranger.address,
        publisher.address,
      );
      await denied(act("rival", "acceptSeries", s.series), "CallerIsNotPendingOwner", s.series, rival.address, stranger.address); // prettier-ignore
      expect(await view(s.registry, "publisherOf", [s.model])).to.equal(publisher.address);
      await expect(act("stranger", "acceptSeries", s.series))
        .to.emit(s.registry, "SeriesTransferred")
        .withArgs(s.series, publisher.address, stranger.address);
      expect(await view(s.registry, "publisherOf", [s.model])).to.equal(stranger.address);
      expect((await modelOf(s.model))["registrant"]).to.equal(publisher.address);
      // An acceptance serves once.
      await denied(
        act("stranger", "acceptSeries", s.series),
        "CallerIsNotPendingOwner",
        s.series,
        stranger.address,
        NOBODY,
      );
      const facts = { ...MODEL, sourceDigest: UNKNOWN };
      const lost = ["CallerIsNotOwner", s.series, publisher.address, stranger.address] as const;
      await denied(s.register({ facts }), ...lost);
      await denied(act("publisher", "deprecate", s.model, UNKNOWN), ...lost);
      await denied(act("publisher", "retire", s.model), ...lost);
      await denied(act("publisher", "offerSeries", s.series, publisher.address), ...lost);
      await s.register({ from: stranger, series: s.series, facts });
      const next = s.registration({ from: stranger, series: s.series, facts }).id;
      await act("stranger", "deprecate", s.model, next);
      await act("stranger", "retire", s.model);
    });

    it("whose offer can be taken back, or made to another", async () => {
      const { publisher, stranger, rival } = s.signers;
      await act("publisher", "offerSeries", s.series, stranger.address);
      await act("publisher", "offerSeries", s.series, rival.address);
      await denied(act("stranger", "acceptSeries", s.series), "CallerIsNotPendingOwner", s.series, stranger.address, rival.address); // prettier-ignore
      await act("publisher", "offerSeries", s.series, NOBODY);
      await denied(act("rival", "acceptSeries", s.series), "CallerIsNotPendingOwner", s.series, rival.address, NOBODY);
      expect((await seriesOf(s.series))["owner"]).to.equal(publisher.address);
    });

    it("and knows no others", async () => {
      for (const [name, ...args] of [
        ["seriesOf"],
        ["versionOf", 1],
        ["offerSeries", NOBODY],
        ["acceptSeries"],
      ] as const) {
        await denied(view(s.registry, name, [UNKNOWN, ...args]), "SeriesUnknown", UNKNOWN);
      }
      await refuses({ series: UNKNOWN }, "SeriesUnknown", UNKNOWN);
    });
  });

  describe("deprecates", () => {
    it("a model for its publisher in favour of another, again for a newer one, and keeps everything else of it", async () => {
      const { publisher, stranger } = s.signers;
      const next = await s.another({ sourceDigest: UNKNOWN });
      await s.register({ from: stranger });
      const foreign = s.registration({ from: stranger }).id;
      const before = [...((await view(s.registry, "modelOf", [s.model])) as readonly unknown[])];
      await denied(act("stranger", "deprecate", s.model, foreign), "CallerIsNotOwner", s.series, stranger.address, publisher.address); // prettier-ignore
      for (const successor of [next, foreign, next]) {
        await expect(act("publisher", "deprecate", s.model, successor))
          .to.emit(s.registry, "ModelDeprecated")
          .withArgs(s.model, successor);
        expect((await modelOf(s.model))["successor"]).to.equal(successor);
      }
      const after = [...((await view(s.registry, "modelOf", [s.model])) as readonly unknown[])];
      expect(after).to.deep.equal(before.map((value, i) => (value === ZERO_ID && i === 12 ? next : value)));
      await s.request();
    });

    it("no model in favour of itself, of none, or of one that is not registered", async () => {
      for (const successor of [s.model, ZERO_ID, UNKNOWN])
        await denied(act("publisher", "deprecate", s.model, successor), "SuccessorInvalid", s.model, successor);
    });
  });

  describe("retires", () => {
    it("a model for its publisher, once, and keeps everything else of it", async () => {
      const { publisher, stranger } = s.signers;
      const before = [...((await view(s.registry, "modelOf", [s.model])) as readonly unknown[])];
      await denied(
        act("stranger", "retire", s.model),
        "CallerIsNotOwner",
        s.series,
        stranger.address,
        publisher.address,
      );
      await expect(act("publisher", "retire", s.model))
        .to.emit(s.registry, "ModelRetired")
        .withArgs(s.model);
      expect((await headOf(s.model))["retired"]).to.equal(true);
      const after = [...((await view(s.registry, "modelOf", [s.model])) as readonly unknown[])];
      expect(after).to.deep.equal(before.map((value, i) => (i === 5 ? true : value)));
      await denied(act("publisher", "retire", s.model), "ModelAlreadyRetired", s.model);
      await denied(s.register(), "ModelAlreadyRegistered", s.model);
      await expect(s.request()).to.be.revertedWithCustomError(s.coordinator, "ModelIsRetired").withArgs(s.model);
      // It can still be said what to use in its place.
      await act("publisher", "deprecate", s.model, await s.another({ sourceDigest: UNKNOWN }));
    });
  });

  for (const [name, ...args] of [
    ...["modelOf", "headOf", "keyOf", "tensorsOf", "publisherOf", "retire"].map((each) => [each] as const),
    ["deprecate", UNKNOWN] as const,
  ]) {
    it(`says in ${name} that it does not know a model`, () =>
      denied(view(s.registry, name, [UNKNOWN, ...args]), "ModelUnknown", UNKNOWN));
  }
});
