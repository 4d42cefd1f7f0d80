// The registry: what a registration records, and everything that keeps one out.
import { bn254 } from "@noble/curves/bn254.js";
import { expect } from "chai";
import { keccak256 } from "ethers";
import type { Hex } from "../../node/core/domain.ts";
import { Q, R } from "../../node/core/field.ts";
import {
  C,
  MODEL,
  START,
  flipped,
  modelIdOf,
  openChain,
  send,
  view,
  withWord,
  type Chain,
  type Registration,
  type Stage,
} from "../support/contracts.ts";
import { claimFacts } from "../support/contractsClaim.ts";
import { bytesOf } from "../support/contractsVectors.ts";
import {
  TRAPDOOR,
  bytesOfWords,
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
const UNKNOWN = `0x${"12".repeat(32)}`;

/** A point of the twist that is on the curve but outside of the subgroup of order R, [imaginary, real] halves. */
function outsideSubgroup(): bigint[] {
  const { Fp2 } = bn254.fields;
  for (let real = 1n; ; real++) {
    const x = Fp2.create({ c0: real, c1: 0n });
    const square = Fp2.add(Fp2.mul(Fp2.sqr(x), x), bn254.G2.Point.CURVE().b);
    let y: typeof x;
    try {
      y = Fp2.sqrt(square);
    } catch {
      continue;
    }
    const point = bn254.G2.Point.fromAffine({ x, y });
    if (!point.isTorsionFree()) return [x.c1, x.c0, y.c1, y.c0];
  }
}

describe("ModelRegistry", () => {
  let chain: Chain;
  let s: Stage;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
  });
  const refuses = (over: Partial<Registration>, error: string, ...args: unknown[]): Promise<void> => {
    const refusal = expect(s.register({ from: s.signers.stranger, ...over })).to.be.revertedWithCustomError(
      s.registry,
      error,
    );
    return args.length === 0 ? refusal : refusal.withArgs(...args);
  };

  describe("records", () => {
    it("a model under the id that hashes what was declared, and says so", async () => {
      const { stranger } = s.signers;
      const { id, args } = s.registration({ from: stranger });
      const [facts, key] = args;
      expect(id).to.equal(modelIdOf(stranger.address, facts, key));
      await chain.at(START + 5000);
      const sent = await s.register({ from: stranger });
      const model = (await view(s.registry, "modelOf", [id])) as Record<string, unknown>;
      await expect(sent)
        .to.emit(s.registry, "ModelRegistered")
        .withArgs(id, stranger.address, facts.keyKind, model["key"], keccak256(key), facts.manifestURI);
      const expected: Record<string, unknown> = { ...facts, publisher: stranger.address, keyHash: keccak256(key) };
      expected["registeredAt"] = BigInt(START + 5000);
      expected["retired"] = false;
      for (const [name, value] of Object.entries(expected)) {
        expect(model[name], name).to.equal(typeof value === "number" ? BigInt(value) : value);
      }
      expect(await view(s.registry, "keyOf", [id])).to.equal(key);
      expect(await chain.ethers.provider.getCode(model["key"] as string)).to.equal(`0x00${key.slice(2)}`);
      const head = (await view(s.registry, "headOf", [id])) as readonly unknown[];
      expect([...head]).to.deep.equal([model["key"], 64n, 20n, 1n, false]);
    });

    it("an id that the register call also returns", async () => {
      const { id, args } = s.registration({ from: s.signers.stranger });
      const registry = s.registry.connect(s.signers.stranger);
      expect(await view(registry, "register", args)).to.equal(id);
    });

    it("a key whose every signal counts: the sample's proof with one signal changed is refused", async () => {
      const { key } = (await view(s.registry, "headOf", [s.model])) as { key: string };
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

    it("the same model for two publishers, as two models with a key each", async () => {
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
      expect(((await view(s.registry, "headOf", [id])) as { keyKind: bigint }).keyKind).to.equal(0n);
    });

    it("lengths up to their bounds", async () => {
      for (const [inputLength, outputLength] of [
        [1, 1],
        [24_576, 1],
        [1, 4096],
      ] as const) {
        await s.register({ facts: { ...MODEL, inputLength, outputLength } });
      }
    });

    it("manifest addresses from none to 512 bytes, and no longer", async () => {
      for (const manifestURI of ["", "u".repeat(512)]) {
        const facts = { ...MODEL, manifestURI, sourceDigest: keccak256(Buffer.from(manifestURI)) };
        await s.register({ facts });
        const model = (await view(s.registry, "modelOf", [s.registration({ facts }).id])) as { manifestURI: string };
        expect(model.manifestURI).to.equal(manifestURI);
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
      const point = outsideSubgroup();
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
      const { args } = s.registration();
      const fresh = [{ ...args[0], sourceDigest: keccak256("0x01") }, args[1], args[2]];
      await expect(send(s.registry, "register", fresh, { from: s.signers.stranger })).to.be.revertedWithCustomError(
        s.registry,
        "InvalidProof",
      );
      await expect(send(s.registry, "register", args, { from: s.signers.stranger })).to.be.revertedWithCustomError(
        s.registry,
        "InvalidProof",
      );
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
        ...args[2],
      } as const;
      const proof = rerandomise(prove(TRAPDOOR, claimFacts(claim).signals), 99n);
      await s.register({ from: s.signers.stranger, sent: { proof } });
    });
  });

  describe("retires", () => {
    it("a model for its publisher, once, and keeps everything else of it", async () => {
      const { publisher, stranger } = s.signers;
      const before = (await view(s.registry, "modelOf", [s.model])) as readonly unknown[];
      await expect(send(s.registry, "retire", [s.model], { from: stranger }))
        .to.be.revertedWithCustomError(s.registry, "CallerIsNotPublisher")
        .withArgs(s.model, stranger.address, publisher.address);
      await expect(send(s.registry, "retire", [s.model], { from: publisher }))
        .to.emit(s.registry, "ModelRetired")
        .withArgs(s.model);
      const after = (await view(s.registry, "modelOf", [s.model])) as readonly unknown[];
      expect([...after]).to.deep.equal(before.map((value, i) => (i === 4 ? true : value)));
      await expect(send(s.registry, "retire", [s.model], { from: publisher })).to.be.revertedWithCustomError(
        s.registry,
        "ModelAlreadyRetired",
      );
      await refuses({ from: publisher }, "ModelAlreadyRegistered", s.model);
    });
  });

  for (const name of ["modelOf", "headOf", "keyOf", "retire"]) {
    it(`says in ${name} that it does not know a model`, async () => {
      await expect(view(s.registry, name, [UNKNOWN]))
        .to.be.revertedWithCustomError(s.registry, "ModelUnknown")
        .withArgs(UNKNOWN);
    });
  }
});
