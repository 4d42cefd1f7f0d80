// What node/proof and its tests use of snarkjs 0.7.6. Files are paths or memory buffers.
declare module "snarkjs" {
  export type File = string | { readonly type: "mem"; readonly data: Uint8Array };

  export interface SnarkjsProof {
    readonly pi_a: readonly string[];
    readonly pi_b: readonly (readonly string[])[];
    readonly pi_c: readonly string[];
    readonly protocol: string;
    readonly curve: string;
  }

  export interface SnarkjsVerificationKey {
    readonly protocol: string;
    readonly curve: string;
    readonly nPublic: number;
    readonly vk_alpha_1: readonly string[];
    readonly vk_beta_2: readonly (readonly string[])[];
    readonly vk_gamma_2: readonly (readonly string[])[];
    readonly vk_delta_2: readonly (readonly string[])[];
    readonly IC: readonly (readonly string[])[];
  }

  export interface Logger {
    debug(text: string): void;
    info(text: string): void;
    warn(text: string): void;
    error(text: string): void;
  }

  export const groth16: {
    prove(
      zkey: File,
      witness: File,
      logger?: Logger,
    ): Promise<{ readonly proof: SnarkjsProof; readonly publicSignals: readonly string[] }>;
    verify(
      key: SnarkjsVerificationKey,
      publicSignals: readonly string[],
      proof: SnarkjsProof,
      logger?: Logger,
    ): Promise<boolean>;
  };

  export const zKey: {
    newZKey(r1cs: string, ptau: string, zkey: string, logger?: Logger): Promise<Uint8Array | -1>;
    contribute(from: string, to: string, name: string, entropy: string, logger?: Logger): Promise<Uint8Array>;
    beacon(
      from: string,
      to: string,
      name: string,
      beaconHash: string,
      iterations: number,
      logger?: Logger,
    ): Promise<Uint8Array | false>;
    verifyFromR1cs(r1cs: string, ptau: string, zkey: string, logger?: Logger): Promise<boolean>;
    verifyFromInit(init: string, ptau: string, zkey: string, logger?: Logger): Promise<boolean>;
    exportVerificationKey(zkey: string): Promise<SnarkjsVerificationKey>;
  };

  export const powersOfTau: {
    newAccumulator(curve: unknown, power: number, file: string, logger?: Logger): Promise<Uint8Array>;
    contribute(from: string, to: string, name: string, entropy: string, logger?: Logger): Promise<Uint8Array>;
    preparePhase2(from: string, to: string, logger?: Logger): Promise<void>;
    verify(file: string, logger?: Logger): Promise<boolean>;
  };

  export const wtns: {
    check(r1cs: string, witness: File, logger?: Logger): Promise<boolean>;
    calculate(input: Readonly<Record<string, unknown>>, wasm: File, witness: File): Promise<void>;
  };
}
