// Hardhat: the compiler, the test runner and the embedded chain (EDR). Offline: solc comes from npm, not from a download.
import { createRequire } from "node:module";
import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatChai from "@nomicfoundation/hardhat-ethers-chai-matchers";
import hardhatMocha from "@nomicfoundation/hardhat-mocha";
import hardhatHelpers from "@nomicfoundation/hardhat-network-helpers";
import { defineConfig } from "hardhat/config";

const require = createRequire(import.meta.url);

export default defineConfig({
  plugins: [hardhatEthers, hardhatMocha, hardhatChai, hardhatHelpers],
  solidity: {
    version: "0.8.37",
    path: require.resolve("solc/soljson.js"),
    // Cancun: what every EVM chain in use runs; a newer target made no difference in gas or size.
    settings: { optimizer: { enabled: true, runs: 200 }, viaIR: true, evmVersion: "cancun" },
  },
  networks: {
    default: { type: "edr-simulated", chainType: "l1", hardfork: "osaka" },
    node: { type: "edr-simulated", chainType: "l1", hardfork: "osaka" },
  },
  paths: { tests: { mocha: "test" } },
});
