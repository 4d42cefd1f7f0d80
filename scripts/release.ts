// Compiles what is deployed, each contract by itself: .glassbox/release/artifacts. solc's output depends on what else is
// compiled with a contract, so that the code for a chain, and with it the address, must not come from the build of everything.
// It is what explorers compile, too, when they verify a contract's source. Kept until a source changes.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import type { HardhatUserConfig } from "hardhat/types/config";
import config from "../hardhat.config.ts";
import { artifactFile, CONTRACT_NAMES, type ContractName } from "../node/chain/deployments.ts";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const release = path.join(root, ".glassbox", "release");

/** Hardhat with a folder of its own. */
export function releaseHardhat(over: HardhatUserConfig = {}) {
  fs.mkdirSync(release, { recursive: true });
  const paths = { ...config.paths, artifacts: path.join(release, "artifacts"), cache: path.join(release, "cache") };
  return createHardhatRuntimeEnvironment({ ...config, ...over, paths }, {}, root);
}

/** @returns the folder of the artifacts */
export async function buildRelease(names: readonly ContractName[] = CONTRACT_NAMES): Promise<string> {
  const hardhat = await releaseHardhat();
  const files = names.map((name) => path.join(root, path.dirname(artifactFile(name))));
  const options = { buildProfile: "production", quiet: true, cleanupArtifacts: names.length === CONTRACT_NAMES.length };
  const built = await hardhat.solidity.build(files, options);
  if (!hardhat.solidity.isSuccessfulBuildResult(built)) throw new Error("the contracts do not compile");
  return hardhat.config.paths.artifacts;
}

if (import.meta.main) process.stdout.write(`${await buildRelease()}\n`);
