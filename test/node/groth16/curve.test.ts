// Points of the prover's kernel: every sum of small multiples, in every way that sums are taken, against ffjavascript; and the
// quadratic field under G2 against BigInt.
import { expect } from "chai";
import { Q, R } from "../../../node/core/field.ts";
import { Arena, compile, instantiate, type Kernel } from "../../../node/groth16/module.ts";
import { add, type Group, loadBases, negate, POINT_BYTES, scale, WIRE_BYTES } from "../../../node/groth16/msm.ts";
import { localCurve } from "../../../node/groth16/curve.ts";

const SEED = 20261;
const SMALL = [-4, -3, -2, -1, 1, 2, 3, 4];

function littleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 255n);
  return bytes;
}

/** xorshift32: enough to reach every path, the same on each run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const mod = (value: bigint): bigint => ((value % Q) + Q) % Q;

describe("points in the prover's kernel", () => {
  let kernel: Kernel;
  /** k times the generator, in snarkjs' form. */
  let multiple: (group: Group, k: number | bigint) => Uint8Array;

  before(async () => {
    kernel = instantiate(await compile());
    const curve = await localCurve();
    const known = new Map<string, Uint8Array>();
    multiple = (group, k) => {
      const scalar = ((BigInt(k) % R) + R) % R;
      const name = `${group} ${scalar}`;
      const g = group === 1 ? curve.G1 : curve.G2;
      const point =
        known.get(name) ?? (scalar === 0n ? new Uint8Array(64 * group) : g.toAffine(g.timesScalar(g.g, scalar)));
      known.set(name, point);
      return point;
    };
  });

  for (const group of [1, 2] as const) {
    const size = POINT_BYTES[group];

    /** The points of `multiples` in memory, and a way to read places there. */
    const load = (multiples: readonly (number | bigint)[]) => {
      const arena = new Arena(kernel);
      const { at } = loadBases(
        arena,
        group,
        multiples.length,
        multiples.map((k) => multiple(group, k)),
      );
      const wire = arena.alloc(WIRE_BYTES[group]);
      const read = (point: number): Uint8Array => {
        kernel.writePoints(group, point, 1, wire);
        return arena.bytes(wire, WIRE_BYTES[group]).slice();
      };
      return { arena, at, read };
    };

    describe(`of G${group}`, () => {
      it("come in and go out unchanged, infinity left out, whatever the pieces' lengths", () => {
        const multiples = [0, 1, -1, 0, 0, 7n, R - 2n, 0, R / 2n, 0];
        const bytes = Buffer.concat(multiples.map((k) => multiple(group, k)));
        for (const piece of [1, 63, 64, 65, 640, 2000]) {
          const arena = new Arena(kernel);
          const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, i) =>
            bytes.subarray(i * piece, (i + 1) * piece),
          );
          const bases = loadBases(arena, group, multiples.length, pieces);
          expect(bases.finite).to.equal(5);
          const indices = new Uint32Array(kernel.memory.buffer, bases.indices, 5);
          expect([...indices]).to.deep.equal([1, 2, 5, 6, 8]);
          const wire = arena.alloc(WIRE_BYTES[group] * 5);
          kernel.writePoints(group, bases.at, 5, wire);
          expect(Buffer.from(arena.bytes(wire, WIRE_BYTES[group] * 5))).to.deep.equal(
            Buffer.concat([1, -1, 7n, R - 2n, R / 2n].map((k) => multiple(group, k))),
          );
        }
      });

      it("are refused if their bytes are one too few or too many", () => {
        for (const [count, length] of [
          [3, 3 * WIRE_BYTES[group] - 1],
          [3, 3 * WIRE_BYTES[group] + 1],
          [0, 1],
          [4096, 4096 * WIRE_BYTES[group] + 1],
          [4096, 4095 * WIRE_BYTES[group]],
          [5000, 8192 * WIRE_BYTES[group]],
        ] as const) {
          const arena = new Arena(kernel);
          expect(() => loadBases(arena, group, count, [new Uint8Array(length)])).to.throw(
            `not those of ${count} points`,
          );
        }
        expect(loadBases(new Arena(kernel), group, 0, []).finite).to.equal(0);
      });

      it("add up one by one, for all multiples from -4 to 4, infinity included", () => {
        const arena = new Arena(kernel);
        const before = arena.mark();
        for (let a = -4; a <= 4; a++) {
          expect(negate(arena, group, multiple(group, a)), `-(${a})`).to.deep.equal(multiple(group, -a));
          for (let b = -4; b <= 4; b++) {
            const sum = add(arena, group, multiple(group, a), multiple(group, b));
            expect(sum, `${a} + ${b}`).to.deep.equal(multiple(group, a + b));
          }
        }
        expect(arena.mark()).to.equal(before);
      });

      it("can be scaled by any number of 256 bits", () => {
        const arena = new Arena(kernel);
        const scalars = [0n, 1n, 2n, 3n, R - 1n, R, R + 1n, (R - 1n) / 2n, 2n ** 255n, 2n ** 256n - 1n];
        for (const scalar of scalars) {
          for (const k of [0, 1, -3]) {
            const scaled = scale(arena, group, multiple(group, k), littleEndian(scalar));
            expect(scaled, `${scalar} * ${k}`).to.deep.equal(multiple(group, scalar * BigInt(k)));
          }
        }
      });

      it("add up alone and in batches, equal and opposite ones in either lane, with all signs", () => {
        for (const alone of [true, false]) {
          for (const shift of [0, 1]) {
            const { arena, at, read } = load(SMALL);
            const cases: [number, number, number][] = [];
            // With `shift`, an ordinary sum before them moves all to the other lane.
            if (shift === 1) cases.push([3, 5, 0]);
            for (let a = 0; a < 8; a++) {
              for (let b = 0; b < 8; b++) for (let signs = 0; signs < 4; signs++) cases.push([a, b, signs]);
            }
            const to = arena.alloc(size * cases.length);
            cases.forEach(([a, b, signs], i) => {
              kernel.addLater(group, at + size * a + (signs & 1), at + size * b + (signs >> 1), to + size * i);
              if (alone) kernel.flush(group);
            });
            kernel.flush(group);
            cases.forEach(([a, b, signs], i) => {
              const k = (SMALL[a] as number) * (signs & 1 ? -1 : 1) + (SMALL[b] as number) * (signs & 2 ? -1 : 1);
              expect(read(to + size * i), `${SMALL[a]} + ${SMALL[b]}, signs ${signs}`).to.deep.equal(
                multiple(group, k),
              );
            });
          }
        }
      });

      it("add up in place: over either operand, or over what an earlier sum of the batch reads", () => {
        for (const hostile of [false, true]) {
          // Without hostile points, no two that meet are equal or opposite.
          const multiples = Array.from({ length: 41 }, (_, i) => (hostile ? (i % 3 === 0 ? -2 : 2) : i * i + 1));
          for (const order of ["a", "b", "before"] as const) {
            const { arena, at, read } = load(multiples);
            const spare = arena.alloc(size);
            const place = (i: number): number => at + size * i;
            for (let i = 0; i < 20; i++) {
              const before = i === 0 ? spare : place(2 * i - (i % 2) - 1);
              const to = order === "a" ? place(2 * i) : order === "b" ? place(2 * i + 1) : before;
              kernel.addLater(group, place(2 * i), place(2 * i + 1), to);
            }
            kernel.flush(group);
            for (let i = 0; i < 20; i++) {
              const before = i === 0 ? spare : place(2 * i - (i % 2) - 1);
              const to = order === "a" ? place(2 * i) : order === "b" ? place(2 * i + 1) : before;
              const sum = (multiples[2 * i] as number) + (multiples[2 * i + 1] as number);
              expect(read(to), `${order}, ${i}`).to.deep.equal(multiple(group, sum));
            }
          }
        }
      });

      it(`add up over several batches, some of them without, some with few equal and opposite ones (seed ${SEED})`, () => {
        const random = generator(SEED);
        const multiples = [...Array.from({ length: 40 }, (_, i) => i + 1), -1];
        const { arena, at, read } = load(multiples);
        const count = 3 * 4096 + 1;
        const to = arena.alloc(size * count);
        const cases = Array.from({ length: count }, (_, i): [number, number] => {
          const a = random(40);
          // Equal points about once in 300, and only from the 5,000th on.
          return i > 5000 && random(300) === 0 ? (random(2) === 0 ? [a, a] : [0, 40]) : [a, (a + 1 + random(39)) % 40];
        });
        cases.forEach(([a, b], i) => kernel.addLater(group, at + size * a, at + size * b, to + size * i));
        kernel.flush(group);
        cases.forEach(([a, b], i) => {
          const sum = (multiples[a] as number) + (multiples[b] as number);
          if (Buffer.compare(read(to + size * i), multiple(group, sum)) !== 0) expect.fail(`${i}: ${a} + ${b}`);
        });
      });
    });
  }
});

describe("the quadratic field under G2", () => {
  type Element = readonly [bigint, bigint];
  const DOWN = ((): bigint => {
    // 2^-255 mod q, by halving.
    let x = 1n;
    for (let i = 0; i < 255; i++) x = x % 2n === 0n ? x / 2n : (x + Q) / 2n;
    return x;
  })();
  let kernel: Kernel;
  before(async () => {
    kernel = instantiate(await compile());
  });

  /** Elements in lanes 0 and 1 from signed values, in limbs in [-2^50, 2^50) but for the top one. */
  function write(at: number, lanes: readonly [Element, Element]): void {
    const limbs = new Float64Array(kernel.memory.buffer, at, 20);
    lanes.forEach((element, lane) => {
      element.forEach((value, part) => {
        let rest = value;
        for (let i = 0; i < 5; i++) {
          const limb = i === 4 ? rest : BigInt.asIntN(51, rest);
          limbs[10 * part + 2 * i + lane] = Number(limb);
          rest = (rest - limb) >> 51n;
        }
      });
    });
  }
  function read(at: number, lane: number): Element {
    const limbs = new Float64Array(kernel.memory.buffer, at, 20);
    const part = (k: number): bigint => {
      let value = 0n;
      for (let i = 4; i >= 0; i--) value = (value << 51n) + BigInt(limbs[10 * k + 2 * i + lane] as number);
      return value;
    };
    return [part(0), part(1)];
  }

  const bound = (9n * Q) / 10n;
  const EDGE: readonly bigint[] = [
    0n,
    1n,
    -1n,
    2n ** 50n,
    -(2n ** 50n),
    2n ** 204n - 1n,
    Q / 2n,
    -Q / 2n,
    bound,
    -bound,
  ];

  it("reduces sums to half the modulus and limbs of 50 bits, up to 5 times the modulus and limbs of 52 bits", () => {
    const random = generator(SEED);
    const at = new Arena(kernel).alloc(240);
    const limbs = (): Float64Array => new Float64Array(kernel.memory.buffer, at, 30);
    const values = [
      0n,
      1n,
      -1n,
      Q,
      -Q,
      Q / 2n,
      -Q / 2n,
      Q / 2n + 1n,
      7n * Q,
      -7n * Q,
      (499n * Q) / 100n,
      (-499n * Q) / 100n,
    ];
    for (let i = 0; i < 500; i++) {
      let v = 0n;
      for (let k = 0; k < 9; k++) v = (v << 32n) + BigInt(random(2 ** 32));
      values.push((v % (9n * Q)) - (9n * Q) / 2n);
    }
    values.forEach((value, i) => {
      write(at, [
        [value, 0n],
        [-value, 0n],
      ]);
      // The same values with larger limbs: 2^51 moved from one to the next, and the other way.
      if (i % 2 === 1) {
        for (let k = 0; k < 4; k++) {
          for (const lane of [0, 1]) {
            const more = lane === 0 ? 2 ** 51 : -(2 ** 51);
            const memory = limbs();
            memory[2 * k + lane] = (memory[2 * k + lane] as number) + more;
            memory[2 * k + 2 + lane] = (memory[2 * k + 2 + lane] as number) - more / 2 ** 51;
          }
        }
      }
      kernel.settleElement(at, at + 160);
      for (const lane of [0, 1]) {
        const got = read(at + 160, lane)[0];
        const good = mod(got) === mod(lane === 0 ? value : -value) && 100n * got < 51n * Q && 100n * got > -51n * Q;
        const small = [0, 1, 2, 3, 4].every((k) => Math.abs(limbs()[20 + 2 * k + lane] as number) <= 2 ** 50 + 4);
        if (!good || !small) expect.fail(`${value}, lane ${lane}`);
      }
    });
  });

  it("squares when all limbs are at their limits", () => {
    const at = new Arena(kernel).alloc(320);
    for (let pattern = 0; pattern < 256; pattern++) {
      const limbs = new Float64Array(kernel.memory.buffer, at, 20);
      for (let k = 0; k < 8; k++) {
        const limb = pattern & (1 << k) ? 2 ** 50 + 4 : -(2 ** 50) - 4;
        const place = (k >> 2) * 10 + (k & 3) * 2;
        [limbs[place], limbs[place + 1]] = [limb, -limb];
      }
      for (const part of [0, 10]) [limbs[part + 8], limbs[part + 9]] = [2 ** 48, -(2 ** 48)];
      const [a, b] = read(at, 0);
      kernel.sqr2(at, at + 160);
      for (const lane of [0, 1]) {
        const [c, d] = read(at + 160, lane);
        if (mod(c) !== mod((a * a - b * b) * DOWN) || mod(d) !== mod(2n * a * b * DOWN))
          expect.fail(`${pattern}, lane ${lane}`);
      }
    }
  });

  it("inverts in the base field, of every length, next to powers of two, in both lanes", () => {
    const random = generator(SEED);
    const large = (19n * Q) / 10n;
    const values = [large, -large, large - 1n];
    for (let k = 0n; k < 254n; k++) values.push(2n ** k, -(2n ** k), 2n ** k + 1n, mod(2n ** k * DOWN));
    for (let i = 0; i < 300; i++) {
      let v = 0n;
      for (let k = 0; k < 9; k++) v = (v << 32n) + BigInt(random(2 ** 32));
      values.push((v % (2n * Q)) - Q);
    }
    const at = new Arena(kernel).alloc(320);
    values.forEach((x, i) => {
      // Pairs whose product is next to a power of two in the form that is inverted, too.
      for (const y of [values[(7 * i + 1) % values.length] as bigint, 1n, mod(2n ** 255n), mod(2n ** 510n)]) {
        for (const to of [at, at + 160]) {
          write(at, [
            [x, 0n],
            [y, 0n],
          ]);
          kernel.inversePair(at, to);
          for (const [lane, value] of [x, y].entries()) {
            const inverse = read(to, lane)[0];
            const good = mod(inverse * value) === mod(2n ** 510n) && inverse < Q + Q / 10n && inverse > -Q - Q / 10n;
            if (!good) expect.fail(`1 / ${value}, lane ${lane}, beside ${lane === 0 ? y : x}`);
          }
        }
      }
    });
  });

  it("multiplies, squares and inverts at all borders and at random, within its bounds, over its operands too", () => {
    const random = generator(SEED);
    const value = (): bigint => {
      let v = 0n;
      for (let i = 0; i < 9; i++) v = (v << 32n) + BigInt(random(2 ** 32));
      return (v % (2n * bound)) - bound;
    };
    const elements: Element[] = [];
    for (const a of EDGE) for (const b of EDGE) elements.push([a, b]);
    for (let i = 0; i < 200; i++) elements.push([value(), value()]);
    const at = new Arena(kernel).alloc(4 * 160);
    const [a, b, r] = [at, at + 160, at + 320];
    const check = (name: string, lane: number, got: Element, want: Element, most: bigint): void => {
      for (const k of [0, 1] as const) {
        if (mod(got[k]) !== mod(want[k]) || got[k] > most || got[k] < -most)
          expect.fail(`${name}, lane ${lane}, part ${k}`);
      }
    };
    elements.forEach((x, i) => {
      const [y, z] = [
        elements[(7 * i + 3) % elements.length] as Element,
        elements[(3 * i + 1) % elements.length] as Element,
      ];
      const lanes = [
        [x, y],
        [z, x],
      ] as const;
      for (const to of [r, a, b]) {
        write(a, [x, z]);
        write(b, [y, x]);
        kernel.mul2(a, b, to);
        lanes.forEach(([[x0, x1], [y0, y1]], lane) => {
          // (0.756 * 0.81 + 0.63) q
          const product: Element = [(x0 * y0 - x1 * y1) * DOWN, (x0 * y1 + x1 * y0) * DOWN];
          check(`${i}: product`, lane, read(to, lane), product, (1243n * Q) / 1000n);
        });
      }
      for (const to of [r, a]) {
        write(a, [x, z]);
        kernel.sqr2(a, to);
        [x, z].forEach(([x0, x1], lane) => {
          const square: Element = [(x0 * x0 - x1 * x1) * DOWN, 2n * x0 * x1 * DOWN];
          check(`${i}: square`, lane, read(to, lane), square, (1243n * Q) / 1000n);
        });
        write(a, [x, z]);
        kernel.inverse2(a, to);
        kernel.mul2(to, (write(b, [x, z]), b), r);
        [x, z].forEach((v, lane) => {
          const one: Element = v[0] === 0n && v[1] === 0n ? [0n, 0n] : [2n ** 255n, 0n];
          check(`${i}: inverse`, lane, read(r, lane), one, 2n * Q);
        });
      }
    });
  });
});
