// Chains for tests: Hardhat's EDR in this process, to be mined, set back and hurried by hand; or behind HTTP, for children.
import { network } from "hardhat";
import { localRpc, type Rpc } from "../../node/chain/rpc.ts";

export async function embeddedChain(): Promise<{
  readonly rpc: Rpc;
  /** Stops mining at each transaction; `mine` makes blocks. */
  automine(on: boolean): Promise<void>;
  mine(blocks?: number): Promise<void>;
  snapshot(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}> {
  const connection = await network.create();
  const rpc = localRpc(connection.provider);
  return {
    rpc,
    automine: async (on) => void (await rpc.request("evm_setAutomine", [on])),
    mine: async (blocks = 1) => void (await rpc.request("hardhat_mine", [`0x${blocks.toString(16)}`])),
    async snapshot() {
      const id = await rpc.request("evm_snapshot", []);
      return async () => void (await rpc.request("evm_revert", [id]));
    },
    close: async () => void (await connection.close()),
  };
}

export async function servedChain(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = await network.createServer("node", "127.0.0.1", 0);
  const { address, port } = await server.listen();
  return { url: `http://${address}:${port}`, close: () => server.close() };
}
