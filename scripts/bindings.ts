// The contracts as dapps import them from the package: typed bindings for ethers 6 with the ABI as a constant (which viem reads,
// too), made by TypeChain from the artifacts; what is deployed where; and the Solidity sources.
import fs from "node:fs";
import path from "node:path";
import { runTypeChain } from "typechain";
import { readRecord } from "../node/app/record.ts";
import { CONTRACT_NAMES, CONTRACTS } from "../node/chain/deployments.ts";

/** Without the deployed ones: what dapps write, deploy or are called by themselves. */
const OTHERS = [
  "InferenceRequester",
  "InferenceConsumer",
  "ScheduledInference",
  "interfaces/IInputSource",
  "interfaces/IInferenceConsumer",
  "adapters/VerifiedContent",
  "adapters/InferenceValidator",
  "adapters/ValidationRegistry",
];
/** Structs that callers spell: the module of the contract whose ABI has them, and TypeChain's names. */
const STRUCTS: Readonly<Record<string, readonly string[]>> = {
  InferenceCoordinator: ["RequestStruct", "RequestStructOutput", "AnswerStruct", "ResultStructOutput"],
  ModelRegistry: ["ModelParamsStruct", "SampleStruct", "ModelStructOutput", "ModelHeadStructOutput"],
};

/**
 * Writes TypeScript into `folder`: index.ts and what it needs.
 * @param root the project's folder, with its artifacts
 */
export async function writeBindings(root: string, folder: string): Promise<void> {
  const places = [...CONTRACT_NAMES.map((name) => `${CONTRACTS[name].folder}${name}`), ...OTHERS];
  const abis = path.join(folder, "abi");
  fs.mkdirSync(abis, { recursive: true });
  const files = places.map((place) => {
    const name = path.basename(place);
    const artifact = path.join(root, "artifacts", "contracts", `${place}.sol`, `${name}.json`);
    const { abi } = JSON.parse(fs.readFileSync(artifact, "utf8")) as { readonly abi: unknown };
    const file = path.join(abis, `${name}.json`);
    fs.writeFileSync(file, JSON.stringify({ abi }));
    return file;
  });
  const flags = {
    alwaysGenerateOverloads: false,
    discriminateTypes: false,
    environment: undefined,
    node16Modules: true,
    tsNocheck: false,
  };
  await runTypeChain({ cwd: root, filesToProcess: files, allFiles: files, outDir: folder, target: "ethers-v6", flags });
  fs.rmSync(abis, { recursive: true });
  const structs = Object.entries(STRUCTS).map(
    ([name, types]) => `export type { ${types.join(", ")} } from "./${name}.js";\n`,
  );
  fs.appendFileSync(path.join(folder, "index.ts"), structs.join("") + deployments(root));
}

/** The records of deployments/, as a constant. */
function deployments(root: string): string {
  const folder = path.join(root, "deployments");
  const files = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => /^\d+\.json$/.test(name)) : [];
  const records = files.map((name) => readRecord(path.join(folder, name)));
  const known = Object.fromEntries(
    records.map(({ chainId, block, contracts }) => [
      chainId,
      { block, ...Object.fromEntries(Object.entries(contracts).map(([name, { address }]) => [name, address])) },
    ]),
  );
  return `/** Addresses by contract, and the first block, by chain id. */
export const deployments: Readonly<Record<number, Readonly<{ block: number } & Record<string, string | number>>>> = ${JSON.stringify(known)};
`;
}

/** The sources, as `import "glassbox/contracts/..."` finds them. */
export function copySources(root: string, folder: string): void {
  const from = path.join(root, "contracts");
  for (const name of fs.readdirSync(from, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".sol") && name !== "LICENSE") continue;
    const to = path.join(folder, name);
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.copyFileSync(path.join(from, name), to);
  }
}
