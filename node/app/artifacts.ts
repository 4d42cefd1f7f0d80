// The contracts' compiled code, as Hardhat leaves it in artifacts/.
import fs from "node:fs";
import path from "node:path";
import type { Artifact, Artifacts } from "../chain/write.ts";
import { NodeError } from "../core/errors.ts";

/** @param root the project's folder */
export function contractArtifact(root: string, name: string): Artifact {
  const file = path.join(root, "artifacts", "contracts", `${name}.sol`, `${name}.json`);
  try {
    const { contractName, bytecode } = JSON.parse(fs.readFileSync(file, "utf8")) as Artifact;
    return { contractName, bytecode };
  } catch (cause) {
    throw new NodeError("environment", `the contracts are not compiled: ${path.relative(root, file)} cannot be read`, {
      mend: "Run `npm run build` in the project's folder.",
      cause,
    });
  }
}

/** What `deploy` puts on a chain. */
export function deployedArtifacts(root: string): Artifacts {
  return {
    registry: contractArtifact(root, "ModelRegistry"),
    validator: contractArtifact(root, "SignatureValidator"),
    coordinator: contractArtifact(root, "InferenceCoordinator"),
    relay: contractArtifact(root, "RequestRelay"),
  };
}
