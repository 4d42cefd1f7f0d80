// Hardhat: the compiler, the test runner and the embedded chain (EDR). Offline: solc comes from npm, not from a download.
import { createRequire } from "node:module";
import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatChai from "@nomicfoundation/hardhat-ethers-chai-matchers";
import hardhatMocha from "@nomicfoundation/hardhat-mocha";
import hardhatIgnition from "@nomicfoundation/hardhat-ignition-ethers";
import hardhatHelpers from "@nomicfoundation/hardhat-network-helpers";
import hardhatVerify from "@nomicfoundation/hardhat-verify";
import { configVariable, defineConfig } from "hardhat/config";
import { SALT } from "./node/chain/deployments.ts";

const require = createRequire(import.meta.url);

const compiler = {
  version: "0.8.37",
  path: require.resolve("solc/soljson.js"),
  // Cancun: what every EVM chain in use runs; a newer target made no difference in gas or size.
  settings: { optimizer: { enabled: true, runs: 200 }, viaIR: true, evmVersion: "cancun" },
};

export default defineConfig({
  plugins: [hardhatEthers, hardhatMocha, hardhatChai, hardhatHelpers, hardhatIgnition, hardhatVerify],
  // Production is what Ignition and explorers' verification compile: the same code, or addresses would differ. Hardhat's
  // own copy of the default profile would drop the settings.
  solidity: { profiles: { default: compiler, production: { ...compiler, isolated: true } } },
  networks: {
    default: { type: "edr-simulated", chainType: "l1", hardfork: "osaka" },
    node: { type: "edr-simulated", chainType: "l1", hardfork: "osaka" },
  },
  ignition: { strategyConfig: { create2: { salt: SALT } } },
  // Asked for when an explorer is: `npx hardhat keystore set ETHERSCAN_API_KEY`, or the variable of that name.
  verify: { etherscan: { apiKey: configVariable("ETHERSCAN_API_KEY") } },
  paths: { tests: { mocha: "test" } },
});
