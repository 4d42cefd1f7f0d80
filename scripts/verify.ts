// `npm run verify -- --rpc <url>`: hands the sources of what is deployed to an explorer, which compiles them and compares.
//   --explorer blockscout | etherscan | sourcify   (default: sourcify, which needs no key)
//   --url <address>    of a Blockscout or Sourcify that Hardhat does not know for the chain
//   --only <contract>  one of them
// Etherscan's key: `npx hardhat keystore set ETHERSCAN_API_KEY`, or the environment variable of that name.
import { parseArgs } from "node:util";
import { verifyContract } from "@nomicfoundation/hardhat-verify/verify";
import { planOf } from "../node/app/artifacts.ts";
import { CONTRACT_NAMES, CONTRACTS, type ContractName } from "../node/chain/deployments.ts";
import { httpRpc } from "../node/chain/rpc.ts";
import { buildRelease, releaseHardhat } from "./release.ts";

export const EXPLORERS = ["blockscout", "etherscan", "sourcify"] as const;

export interface Verification {
  readonly rpcUrl: string;
  readonly explorer: (typeof EXPLORERS)[number];
  /** Of an explorer that Hardhat does not know for the chain; etherscan: unused. */
  readonly explorerUrl?: string | undefined;
  readonly names?: readonly ContractName[];
}

/** @throws what Hardhat says of the explorer's answer */
export async function verifySources({
  rpcUrl,
  explorer,
  explorerUrl,
  names = CONTRACT_NAMES,
}: Verification): Promise<void> {
  // Addresses follow from all that is planned; what is not asked about need not be built again to be the same.
  const artifacts = await buildRelease(neededFor(names));
  const chainId = Number(await httpRpc(rpcUrl).request("eth_chainId", []));
  const own = { name: explorer, url: explorerUrl ?? "", apiUrl: `${explorerUrl}/api` };
  const hardhat = await releaseHardhat({
    networks: { default: { type: "http", chainType: "generic", url: rpcUrl } },
    ...(explorerUrl === undefined || explorer !== "blockscout"
      ? {}
      : {
          chainDescriptors: {
            [chainId]: { name: "this chain", chainType: "generic", blockExplorers: { blockscout: own } },
          },
        }),
    ...(explorerUrl === undefined || explorer !== "sourcify" ? {} : { verify: { sourcify: { apiUrl: explorerUrl } } }),
  });
  const plan = planOf(artifacts, neededFor(names));
  for (const name of names) {
    const { address } = plan.find((each) => each.name === name) as (typeof plan)[number];
    const constructorArgs = CONTRACTS[name].args.map(
      (argument) => plan.find((each) => each.name === argument)?.address,
    );
    const contract = `contracts/${CONTRACTS[name].folder}${name}.sol:${name}`;
    await verifyContract({ address, constructorArgs, contract, provider: explorer }, hardhat);
  }
}

/** With what their constructors take, in the table's order. */
function neededFor(names: readonly ContractName[]): readonly ContractName[] {
  const needed = new Set<ContractName>();
  const add = (name: ContractName): void => {
    for (const argument of CONTRACTS[name].args) add(argument);
    needed.add(name);
  };
  names.forEach(add);
  return CONTRACT_NAMES.filter((name) => needed.has(name));
}

if (import.meta.main) {
  const option = { type: "string" } as const;
  const { values } = parseArgs({ options: { rpc: option, explorer: option, url: option, only: option } });
  const explorer = EXPLORERS.find((name) => name === (values.explorer ?? "sourcify"));
  const names = values.only === undefined ? CONTRACT_NAMES : CONTRACT_NAMES.filter((name) => name === values.only);
  if (values.rpc === undefined || explorer === undefined || names.length === 0) {
    process.stderr.write(
      `usage: npm run verify -- --rpc <url> [--explorer ${EXPLORERS.join("|")}] [--url <address>] [--only <contract>]\n`,
    );
    process.exit(2);
  }
  await verifySources({ rpcUrl: values.rpc, explorer, explorerUrl: values.url, names });
  process.exit(0);
}
