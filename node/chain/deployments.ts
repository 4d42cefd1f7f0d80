// What is deployed and where: the table of contracts with their constructors' arguments, and the one salt. From these and
// the compiled code follow all addresses, the same on every chain; Ignition's module and `glassbox deploy` both use it.
// No sending here: that is deploy.ts.
import { AbiCoder, concat, keccak256 } from "ethers";
import type { Address, Hex } from "../core/domain.ts";
import { addressFor } from "./createx.ts";

/** "glassbox.v1" in bytes. Another salt is another deployment. */
export const SALT: Hex = `0x${"676c617373626f782e7631".padEnd(64, "0")}`;

/** In the order in which they are made. Arguments are addresses of contracts before them. */
export const CONTRACTS = {
  ModelRegistry: { folder: "", args: [] },
  SignatureValidator: { folder: "", args: [] },
  InferenceCoordinator: { folder: "", args: ["ModelRegistry", "SignatureValidator"] },
  Groth16Verifier: { folder: "", args: [] },
  RequestRelay: { folder: "", args: ["InferenceCoordinator"] },
  ProverDirectory: { folder: "", args: [] },
  StaticcallSource: { folder: "sources/", args: ["ModelRegistry"] },
  ChainlinkSource: { folder: "sources/", args: ["ModelRegistry"] },
  UniswapTwapSource: { folder: "sources/", args: ["ModelRegistry"] },
  ZkmlView: { folder: "adapters/", args: ["InferenceCoordinator"] },
} as const satisfies Readonly<Record<string, { readonly folder: string; readonly args: readonly string[] }>>;

export type ContractName = keyof typeof CONTRACTS;
export const CONTRACT_NAMES = Object.keys(CONTRACTS) as ContractName[];

/** Where Hardhat leaves what it compiled, within artifacts/. */
export const artifactFile = (name: ContractName): string =>
  `contracts/${CONTRACTS[name].folder}${name}.sol/${name}.json`;

export interface Planned {
  readonly name: ContractName;
  readonly address: Address;
  readonly initCode: Hex;
  /** keccak256 of it. */
  readonly initCodeHash: Hex;
}

/**
 * @param codeOf the creation code of a contract, without arguments
 * @param names in the table's order, with what their constructors take
 */
export function planned(
  codeOf: (name: ContractName) => string,
  names: readonly ContractName[] = CONTRACT_NAMES,
): readonly Planned[] {
  const made = new Map<string, Address>();
  return names.map((name) => {
    const args = CONTRACTS[name].args.map((argument) => made.get(argument) as Address);
    const words = AbiCoder.defaultAbiCoder().encode(Array<string>(args.length).fill("address"), args);
    const initCode = concat([codeOf(name), words]) as Hex;
    const initCodeHash = keccak256(initCode) as Hex;
    const address = addressFor(SALT, initCodeHash);
    made.set(name, address);
    return { name, address, initCode, initCodeHash };
  });
}
