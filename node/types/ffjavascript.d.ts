// What node/groth16/curve.ts hands on of ffjavascript 0.3.1, and what tests compare with. Points are byte arrays: affine (two
// coordinates) or Jacobian (three), little-endian, Montgomery form.
declare module "ffjavascript" {
  export interface Field {
    readonly w: readonly Uint8Array[];
    e(value: bigint | number): Uint8Array;
    toObject(a: Uint8Array): bigint;
    fft(values: Uint8Array): Promise<Uint8Array>;
    ifft(values: Uint8Array): Promise<Uint8Array>;
    /** Element i times first * step^i. */
    batchApplyKey(values: Uint8Array, first: Uint8Array, step: Uint8Array): Promise<Uint8Array>;
  }

  export interface Group {
    readonly g: Uint8Array;
    readonly gAffine: Uint8Array;
    readonly zero: Uint8Array;
    add(a: Uint8Array, b: Uint8Array): Uint8Array;
    sub(a: Uint8Array, b: Uint8Array): Uint8Array;
    neg(a: Uint8Array): Uint8Array;
    timesScalar(a: Uint8Array, scalar: bigint | Uint8Array): Uint8Array;
    eq(a: Uint8Array, b: Uint8Array): boolean;
    isZero(a: Uint8Array): boolean;
    isValid(a: Uint8Array): boolean;
    toAffine(a: Uint8Array): Uint8Array;
    /** Big-endian, not Montgomery; G2's halves imaginary first. */
    toUncompressed(a: Uint8Array): Uint8Array;
    multiExpAffine(bases: Uint8Array, scalars: Uint8Array): Promise<Uint8Array>;
  }

  export interface Curve {
    readonly Fr: Field;
    readonly G1: Group;
    readonly G2: Group;
    /** Whether the product of the pairings of (G1, G2) pairs is one. */
    pairingEq(...points: Uint8Array[]): Promise<boolean>;
  }

  export function buildBn128(singleThread: boolean): Promise<Curve>;
}
