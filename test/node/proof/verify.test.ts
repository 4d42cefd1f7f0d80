// Verification: kept proofs hold for ever, and nothing near a proof does. Keys and proofs in all their spellings.
import { expect } from "chai";
import { readFileSync } from "node:fs";
import * as snarkjs from "snarkjs";
import { type Proof, signalList, type VerifyingKey } from "../../../node/core/domain.ts";
import { Q, R } from "../../../node/core/field.ts";
import { encodeG1 } from "../../../node/groth16/check.ts";
import { localCurve } from "../../../node/groth16/curve.ts";
import { wasmProver } from "../../../node/proof/prover.ts";
import { type Claimed, verifyProof, verifyProofs } from "../../../node/proof/verify.ts";
import {
  decodeG1,
  proofFromSnarkjs,
  proofToSnarkjs,
  signalsFromSnarkjs,
  soundVerifyingKey,
  vkeyFromBytes,
  vkeyFromSnarkjs,
  vkeyToBytes,
  vkeyToSnarkjs,
} from "../../../node/proof/vkey.ts";
import { endSnarkjsThreads, refusalOf, type SmallKey, smallKey, workFolder } from "../../support/keys.ts";

interface Golden {
  readonly made: string;
  readonly vkey: string;
  readonly c: string;
  readonly v: string;
  readonly r: string;
  readonly proof: string;
}

const words = (hex: string): bigint[] => (hex.match(/.{64}/g) as string[]).map((word) => BigInt(`0x${word}`));
const proofOf = (w: readonly bigint[]): Proof => {
  const [ax, ay, bxi, bxr, byi, byr, cx, cy] = w as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];
  return {
    a: [ax, ay],
    b: [
      [bxi, bxr],
      [byi, byr],
    ],
    c: [cx, cy],
  };
};

/** Proofs made once and never again: what verified then must verify now. Words as the contract takes them. */
const GOLDEN = (JSON.parse(readFileSync(new URL("./golden.json", import.meta.url), "utf8")) as Golden[]).map(
  (entry) => ({
    made: entry.made,
    vkey: vkeyFromBytes(Buffer.from(entry.vkey, "hex")),
    signals: { c: BigInt(entry.c), v: BigInt(entry.v), r: BigInt(entry.r) },
    words: words(entry.proof),
  }),
);
const [first, second] = GOLDEN as [(typeof GOLDEN)[0], (typeof GOLDEN)[0]];

/** On the curve over F_q^2 and outside the group of order R: 2 + u, and its y. */
const OUTSIDE = [
  [1n, 2n],
  [
    19659275751359636165940301690575149581329631496732780143538578556285923319774n,
    7292567877523311580221095596750716176434782432868683424513645834767876293070n,
  ],
] as const;

type Pair = readonly [bigint, bigint];
const times = ([ai, ar]: Pair, [bi, br]: Pair): Pair => [(ai * br + ar * bi) % Q, (ar * br + (Q - ai) * bi) % Q];

describe("proofs that were kept", () => {
  after(endSnarkjsThreads);

  for (const { made, vkey, signals, words } of GOLDEN) {
    it(`verify here and with snarkjs (${made})`, async () => {
      const proof = proofOf(words);
      expect(await verifyProof(vkey, signals, proof)).to.equal(true);
      const list = signalList(signals).map(String);
      expect(await snarkjs.groth16.verify(vkeyToSnarkjs(vkey), list, proofToSnarkjs(proof))).to.equal(true);
    });

    it(`fail with any word changed (${made})`, async () => {
      for (let i = 0; i < 8; i++) {
        const word = words[i] as bigint;
        // Another value, the same one not reduced, the negative (a point again where i is an ordinate), a bit, none.
        for (const other of [(word + 1n) % Q, word + Q, Q - word, word ^ (1n << 200n), 0n, -word, word - Q]) {
          const mutant = proofOf(words.with(i, other));
          expect(await verifyProof(vkey, signals, mutant), `word ${i} = ${other}`).to.equal(false);
        }
      }
    });

    it(`fail with any signal changed, or not reduced (${made})`, async () => {
      for (const name of ["c", "v", "r"] as const) {
        const value = signals[name];
        for (const other of [(value + 1n) % R, (value + R - 1n) % R, value + R, value - R, R - value, 0n]) {
          const mutant = { ...signals, [name]: other };
          expect(await verifyProof(vkey, mutant, proofOf(words)), `${name} = ${other}`).to.equal(false);
        }
      }
      expect(await verifyProof(vkey, { c: signals.v, v: signals.c, r: signals.r }, proofOf(words))).to.equal(false);
    });
  }

  it("fail under each other's key, and with each other's points", async () => {
    expect(await verifyProof(first.vkey, second.signals, proofOf(second.words))).to.equal(false);
    expect(await verifyProof(second.vkey, first.signals, proofOf(first.words))).to.equal(false);
    for (const part of [
      [0, 1],
      [2, 3, 4, 5],
      [6, 7],
    ]) {
      const mixed = first.words.map((word, i) => (part.includes(i) ? (second.words[i] as bigint) : word));
      expect(await verifyProof(first.vkey, first.signals, proofOf(mixed)), `words ${part.join()}`).to.equal(false);
    }
  });

  it("fail with A and B negated only where one of them is", async () => {
    const w = first.words as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];
    const [a, b] = [w.with(1, Q - w[1]), w.with(4, Q - w[4]).with(5, Q - w[5])];
    expect(await verifyProof(first.vkey, first.signals, proofOf(a))).to.equal(false);
    expect(await verifyProof(first.vkey, first.signals, proofOf(b))).to.equal(false);
    // Groth16 proofs can be re-randomised: e(-A, -B) = e(A, B). A proof is no identity.
    const both = a.with(4, Q - w[4]).with(5, Q - w[5]);
    expect(await verifyProof(first.vkey, first.signals, proofOf(both))).to.equal(true);
  });

  it("fail with a B on the curve but outside the group, and with points at infinity", async () => {
    const [x, y] = OUTSIDE;
    const cube = times(times(x, x), x);
    // b of the twist is 3 / (9 + u)
    const b: Pair = [
      266929791119991161246907387137283842545076965332900288569378510910307636690n,
      19485874751759354771024239261021720505790618469301721065564631296452457478373n,
    ];
    expect(times(y, y)).to.deep.equal([(cube[0] + b[0]) % Q, (cube[1] + b[1]) % Q]);
    const outside = { ...proofOf(first.words), b: OUTSIDE };
    expect(await verifyProof(first.vkey, first.signals, outside)).to.equal(false);
    const zero = {
      a: [0n, 0n],
      b: [
        [0n, 0n],
        [0n, 0n],
      ],
      c: [0n, 0n],
    } as const;
    for (const part of ["a", "b", "c"] as const) {
      const mutant = { ...proofOf(first.words), [part]: zero[part] };
      expect(await verifyProof(first.vkey, first.signals, mutant), part).to.equal(false);
    }
  });
});

describe("verifying keys", () => {
  const key = first.vkey;
  const GENERATOR: VerifyingKey["delta"] = [
    [
      11559732032986387107991004021392285783925812861821192530917403151452391805634n,
      10857046999023057135944570762232829481370756359578518086990519993285655852781n,
    ],
    [
      4082367875863433681332203403145435568316851327593401208105741076214120093531n,
      8495653923123431417604973247489272438418190587263600148770280649306958101930n,
    ],
  ];

  it("pass when sound", async () => {
    for (const { vkey } of GOLDEN) await soundVerifyingKey(vkey);
  });

  const refuses = (name: string, other: VerifyingKey, pattern: RegExp): void => {
    it(`are refused with ${name}, by name`, async () => {
      const refusal = await refusalOf(() => soundVerifyingKey(other));
      expect(refusal.code).to.equal("integrity");
      expect(refusal.message).to.match(pattern);
      expect((await refusalOf(() => verifyProof(other, first.signals, proofOf(first.words)))).code).to.equal(
        "integrity",
      );
    });
  };
  refuses("gamma equal to delta", { ...key, delta: key.gamma }, /gamma equals delta/);
  refuses("delta equal to another gamma", { ...key, gamma: key.delta }, /gamma equals delta/);
  refuses("delta the generator", { ...key, gamma: key.beta, delta: GENERATOR }, /delta is the generator/);
  const negative = ([x, [yi, yr]]: VerifyingKey["delta"]): VerifyingKey["delta"] => [x, [Q - yi, Q - yr]];
  refuses("delta the negative of gamma", { ...key, delta: negative(key.gamma) }, /gamma equals delta or its negative/);
  refuses(
    "delta minus the generator",
    { ...key, gamma: key.beta, delta: negative(GENERATOR) },
    /delta is the generator/,
  );
  refuses("alpha the generator", { ...key, alpha: [1n, 2n] }, /alpha is the generator/);
  refuses("alpha minus the generator", { ...key, alpha: [1n, Q - 2n] }, /alpha is the generator/);
  refuses(
    "beta the generator",
    { ...key, gamma: key.delta, delta: key.beta, beta: GENERATOR },
    /beta is the generator/,
  );
  refuses("beta minus delta", { ...key, beta: negative(key.delta) }, /beta equals delta/);

  it("with delta minus gamma would prove anything, which is why they are refused", async () => {
    // Nothing but the key goes into this: A = alpha, B = beta, C = IC[0] + c IC[1] + v IC[2] + r IC[3].
    const bad = { ...key, delta: negative(key.gamma) };
    const curve = await localCurve();
    const of = ([x, y]: Pair): Uint8Array => encodeG1([x, y]) as Uint8Array;
    const [zeroth, ...others] = bad.ic.map((point) => of(point)) as [Uint8Array, ...Uint8Array[]];
    const sum = others.reduce((so, point, i) => curve.G1.add(so, curve.G1.timesScalar(point, BigInt(i + 1))), zeroth);
    const forged: Proof = { a: bad.alpha, b: bad.beta, c: decodeG1(curve.G1.toAffine(sum)) };
    const list = ["1", "2", "3"];
    expect(await snarkjs.groth16.verify(vkeyToSnarkjs(bad), list, proofToSnarkjs(forged))).to.equal(true);
    expect((await refusalOf(() => verifyProof(bad, { c: 1n, v: 2n, r: 3n }, forged))).code).to.equal("integrity");
    await endSnarkjsThreads();
  });
  refuses("two signals", { ...key, ic: key.ic.slice(0, 3) }, /2 signals, not 3/);
  refuses("four signals", { ...key, ic: [...key.ic, key.ic[0] as Pair] }, /4 signals, not 3/);
  refuses("alpha off the curve", { ...key, alpha: [key.alpha[0], key.alpha[1] + 1n] }, /alpha is not a point of G1/);
  refuses("alpha not reduced", { ...key, alpha: [key.alpha[0] + Q, key.alpha[1]] }, /alpha is not a point of G1/);
  refuses("alpha at infinity", { ...key, alpha: [0n, 0n] }, /alpha is not a point of G1/);
  refuses("an IC off the curve", { ...key, ic: key.ic.with(3, [1n, 3n]) }, /IC\[3\] is not a point of G1/);
  refuses("beta outside its group", { ...key, beta: OUTSIDE }, /beta is not a point of G2/);
  refuses("delta outside its group", { ...key, delta: OUTSIDE }, /delta is not a point of G2/);
  refuses(
    "gamma with its halves swapped",
    { ...key, gamma: [[key.gamma[0][1], key.gamma[0][0]], key.gamma[1]] },
    /gamma/,
  );

  it("go through their spellings and back", () => {
    for (const { vkey } of GOLDEN) {
      const bytes = vkeyToBytes(vkey);
      expect(bytes).to.have.length(704);
      expect(vkeyFromBytes(bytes)).to.deep.equal(vkey);
      expect(vkeyFromSnarkjs(JSON.parse(JSON.stringify(vkeyToSnarkjs(vkey))))).to.deep.equal(vkey);
    }
  });

  it("lie in the contract's 704 bytes as alpha, beta, gamma, delta, IC, imaginary halves first", () => {
    const listed = words(Buffer.from(vkeyToBytes(key)).toString("hex"));
    expect(listed.slice(0, 2)).to.deep.equal(key.alpha);
    expect(listed.slice(2, 6)).to.deep.equal(key.beta.flat());
    expect(listed.slice(6, 10)).to.deep.equal(GENERATOR.flat());
    expect(listed.slice(10, 14)).to.deep.equal(key.delta.flat());
    expect(listed.slice(14)).to.deep.equal(key.ic.flat());
    // snarkjs lists the real half first
    expect(vkeyToSnarkjs(key).vk_gamma_2[0]).to.deep.equal([GENERATOR[0][1].toString(), GENERATOR[0][0].toString()]);
  });

  it("are not read from bytes of another length or with a word that is not reduced", async () => {
    const bytes = vkeyToBytes(key);
    for (const wrong of [bytes.subarray(0, 703), Uint8Array.from([...bytes, 0]), new Uint8Array()]) {
      expect((await refusalOf(() => vkeyFromBytes(wrong))).code).to.equal("input");
    }
    for (let word = 0; word < 22; word++) {
      const wrong = bytes.slice();
      wrong.fill(0xff, 32 * word, 32 * word + 32);
      expect((await refusalOf(() => vkeyFromBytes(wrong))).message).to.contain(`word ${word} `);
    }
  });
});

describe("snarkjs' JSON", () => {
  const proof = proofToSnarkjs(proofOf(first.words));

  it("reads back as the proof it spells", () => {
    expect(proofFromSnarkjs(JSON.parse(JSON.stringify(proof)))).to.deep.equal(proofOf(first.words));
    expect(signalsFromSnarkjs(["1", "2", String(R - 1n)])).to.deep.equal({ c: 1n, v: 2n, r: R - 1n });
  });

  it("is refused where it spells anything else", async () => {
    const [x, y] = proof.pi_a as [string, string];
    const wrong: readonly unknown[] = [
      null,
      [],
      "proof",
      {},
      { ...proof, protocol: "plonk" },
      { ...proof, curve: "bls12381" },
      { ...proof, pi_a: [x, y] },
      { ...proof, pi_a: [x, y, "0"] },
      { ...proof, pi_a: [x, y, "2"] },
      { ...proof, pi_a: [x, Number(y), "1"] },
      { ...proof, pi_a: [x, `0x${BigInt(y).toString(16)}`, "1"] },
      { ...proof, pi_a: [x, ` ${y}`, "1"] },
      { ...proof, pi_a: [x, `0${y}`, "1"] },
      { ...proof, pi_a: [x, `-${y}`, "1"] },
      { ...proof, pi_a: [x, String(BigInt(y) + Q), "1"] },
      { ...proof, pi_b: [...proof.pi_b.slice(0, 2), ["1", "1"]] },
      { ...proof, pi_b: proof.pi_b.slice(0, 2) },
      { ...proof, pi_c: undefined },
    ];
    for (const json of wrong) expect((await refusalOf(() => proofFromSnarkjs(json))).code).to.equal("input");
    for (const json of [
      null,
      [],
      ["1", "2"],
      ["1", "2", "3", "4"],
      [1, 2, 3],
      ["1", "2", String(R)],
      ["1", "2", "-1"],
    ]) {
      expect((await refusalOf(() => signalsFromSnarkjs(json))).code).to.equal("input");
    }
    const vkey = vkeyToSnarkjs(first.vkey);
    for (const json of [
      null,
      { ...vkey, nPublic: 2 },
      { ...vkey, IC: vkey.IC.slice(1) },
      { ...vkey, vk_delta_2: [] },
    ]) {
      expect((await refusalOf(() => vkeyFromSnarkjs(json))).code).to.equal("input");
    }
  });
});

describe("many proofs of one key", function () {
  this.timeout(60_000);
  const folder = workFolder();
  let key: SmallKey;
  let claims: readonly Claimed[];

  before(async () => {
    key = await smallKey(folder.path, { padding: 8 });
    const prover = wasmProver();
    claims = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        prover.prove({ zkey: key.zkey, wtns: key.witness(BigInt(i + 2), 10n + BigInt(i)) }),
      ),
    );
    await prover.close();
  });
  after(() => folder.remove());

  it("hold together, from none of them to all, the same twice too", async () => {
    for (let k = 0; k <= claims.length; k++) expect(await verifyProofs(key.vkey, claims.slice(0, k))).to.equal(true);
    expect(await verifyProofs(key.vkey, [claims[0]!, claims[0]!])).to.equal(true);
  });

  it("fail together with one that is off by one in a signal, has another's proof or its own negated, wherever it stands", async () => {
    const [one, other] = claims as [Claimed, Claimed];
    const { a, b, c } = one.proof;
    const wrong: readonly Claimed[] = [
      { ...one, signals: { ...one.signals, v: one.signals.v + 1n } },
      { ...one, signals: { ...one.signals, r: one.signals.r + R } },
      { ...one, proof: other.proof },
      { ...one, proof: { a: [a[0], Q - a[1]], b, c } },
      { ...one, proof: { a, b, c: [c[0], Q - c[1]] } },
      { ...one, proof: { a: [a[0] + Q, a[1]], b, c } },
      { ...one, proof: { a: [0n, 0n], b, c } },
      { ...one, proof: { a, b: OUTSIDE, c } },
    ];
    for (const each of wrong) {
      for (let at = 0; at < 3; at++) {
        expect(await verifyProofs(key.vkey, [...claims.slice(0, at), each, ...claims.slice(at, 2)])).to.equal(false);
      }
    }
  });

  it("fail where two errors would cancel without random factors", async () => {
    const [one, other] = claims as [Claimed, Claimed];
    const swapped = [
      { ...one, proof: { ...one.proof, c: other.proof.c } },
      { ...other, proof: { ...other.proof, c: one.proof.c } },
    ];
    expect(await verifyProofs(key.vkey, swapped)).to.equal(false);
    const moved = [
      { ...one, signals: { ...one.signals, v: one.signals.v + 1n } },
      { ...other, signals: { ...other.signals, v: other.signals.v - 1n } },
    ];
    expect(await verifyProofs(key.vkey, moved)).to.equal(false);
  });

  it("are refused with an unfit key", async () => {
    const unfit = { ...key.vkey, gamma: key.vkey.delta };
    expect((await refusalOf(() => verifyProofs(unfit, claims))).code).to.equal("integrity");
  });
});
