// A local chain in its own process: Hardhat's EDR behind JSON-RPC on 127.0.0.1. Prints "Listening on <host>:<port>" and
// ends when its parent does. Started by localchain.ts.
import { network } from "hardhat";

const server = await network.createServer("node", "127.0.0.1", 0);
const { address, port } = await server.listen();
process.stdout.write(`Listening on ${address}:${port}\n`);
process.stdin.on("end", () => process.exit(0)).resume();
