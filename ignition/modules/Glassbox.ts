// Hardhat Ignition's module: the contracts of node/chain/deployments.ts. With `--strategy create2` the addresses are those
// of `glassbox deploy`, on every chain.
//   npx hardhat ignition deploy ignition/modules/Glassbox.ts --strategy create2 --network <name>
import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import type { NamedArtifactContractDeploymentFuture } from "@nomicfoundation/ignition-core";
import { CONTRACT_NAMES, CONTRACTS, type ContractName } from "../../node/chain/deployments.ts";

export default buildModule("Glassbox", (m) => {
  type Made = NamedArtifactContractDeploymentFuture<ContractName>;
  const made: Record<string, Made> = {};
  for (const name of CONTRACT_NAMES) {
    made[name] = m.contract(
      name,
      CONTRACTS[name].args.map((argument) => made[argument] as Made),
    );
  }
  return made;
});
