// The contracts' compiled code, as Hardhat leaves it in artifacts/, and what is to be deployed of it.
import fs from "node:fs";
import path from "node:path";
import type { Artifact } from "../chain/deploy.ts";
import { artifactFile, type ContractName, type Planned, planned } from "../chain/deployments.ts";
import { NodeError } from "../core/errors.ts";

/** @param folder artifacts/ of the project, or of its release */
export function contractArtifact(folder: string, name: ContractName): Artifact {
  const file = path.join(folder, artifactFile(name));
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Artifact;
  } catch (cause) {
    throw new NodeError("environment", `the contracts are not compiled: ${file} cannot be read`, {
      mend: "Run `npm run build` in the project's folder.",
      cause,
    });
  }
}

/** What `deploy` puts on a chain, of the contracts compiled into `folder`; all, unless some are named. */
export const planOf = (folder: string, names?: readonly ContractName[]): readonly Planned[] =>
  planned((name) => contractArtifact(folder, name).bytecode, names);
