// The contracts' compiled code, as Hardhat leaves it in artifacts/.
import fs from "node:fs";
import path from "node:path";
import type { Compiled } from "../chain/deploy.ts";
import { artifactFile, type ContractName } from "../chain/deployments.ts";
import type { Artifact, Artifacts } from "../chain/write.ts";
import { NodeError } from "../core/errors.ts";

/** @param folder artifacts/ of the project, or of its release */
export function contractArtifact(folder: string, name: ContractName): Artifact & Compiled {
  const file = path.join(folder, artifactFile(name));
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Artifact & Compiled;
  } catch (cause) {
    throw new NodeError("environment", `the contracts are not compiled: ${file} cannot be read`, {
      mend: "Run `npm run build` in the project's folder.",
      cause,
    });
  }
}

/** What `deploy` puts on a chain. */
export function deployedArtifacts(root: string): Artifacts {
  const of = (name: ContractName): Artifact => contractArtifact(path.join(root, "artifacts"), name);
  return {
    registry: of("ModelRegistry"),
    validator: of("SignatureValidator"),
    coordinator: of("InferenceCoordinator"),
    relay: of("RequestRelay"),
  };
}
