// glassbox deploy: puts the contracts on a chain, at the addresses that they have on every chain, as far as they are not there
// yet, and writes down where they are; --check compares what is there with the sources.
import { Command } from "commander";
import path from "node:path";
import { compareAll, deploy, type Placed } from "../../chain/deploy.ts";
import type { ContractName } from "../../chain/deployments.ts";
import { httpRpc, type Rpc } from "../../chain/rpc.ts";
import { EXIT_CODES, NodeError } from "../../core/errors.ts";
import { contractArtifact, planOf } from "../artifacts.ts";
import { writeDeployment } from "../deployment.ts";
import { compilerOf, recordFile, recordOf, writeRecord } from "../record.ts";
import { releaseArtifacts } from "../release.ts";
import { defaultDeployment, type KeyOptions, openSigner, waitOf, withKey } from "./chain.ts";
import { action, type Context, projectFolder, withExamples } from "./context.ts";

interface Options extends KeyOptions {
  readonly rpc?: string;
  readonly out?: string;
  readonly check?: boolean;
  readonly quick?: boolean;
}

export function deployCommand(): Command {
  const command = new Command("deploy")
    .description(
      "deploy the contracts, at the same addresses on every chain; no address has power over them afterwards",
    )
    .option("--rpc <url>", "JSON-RPC endpoint of the chain")
    .option("--check", "send nothing: say what is there, and whether it is what the sources compile to")
    .option("--quick", "for local chains: take what `npm run build` made; addresses may differ from those elsewhere")
    .option(
      "--out <file>",
      "where to write what other commands read (default: .glassbox/deployment.json of the project)",
    );
  withExamples(withKey(command), [
    "deploy --rpc http://127.0.0.1:8545 --key-file deployer.key",
    "deploy --rpc http://127.0.0.1:8545 --check",
  ]);
  return command.action(
    action(async (context, options: Options) => {
      if (options.rpc === undefined) {
        throw new NodeError("usage", "it is not said which chain", { mend: "Give --rpc with the endpoint's URL." });
      }
      const rpc = httpRpc(options.rpc);
      // Asked for before anything is compiled: what lacks should be said at once.
      const signer = options.check === true ? undefined : await openSigner(context, options);
      const chainId = Number(await rpc.request("eth_chainId", [], context.signal));
      const artifacts =
        options.quick === true
          ? path.join(projectFolder, "artifacts")
          : await context.step("compile", (call) => releaseArtifacts(projectFolder, call));
      if (signer === undefined) return check(context, artifacts, rpc);
      const wait = waitOf(context, { rpc, chainId: BigInt(chainId) }, signer, options);
      const { placed, ...deployed } = await context.step("deploy", ({ onProgress }) =>
        deploy(planOf(artifacts), rpc, wait, ({ name }) => onProgress({ what: name })),
      );
      const compiler = compilerOf(artifacts, contractArtifact(artifacts, "InferenceCoordinator"));
      const record = recordFile(projectFolder, chainId);
      if (options.quick !== true) writeRecord(record, recordOf(chainId, compiler, placed));
      const file = options.out === undefined ? defaultDeployment : context.path(options.out);
      const deployment = { rpcUrl: options.rpc, chainId, ...deployed };
      writeDeployment(file, deployment);
      context.report({ ...deployment, contracts: placed.map(shown), file }, (say) => {
        for (const { name, address, gas } of placed)
          say(`${name.padEnd(22)} ${address}  ${gas === undefined ? "was there" : `${gas} gas`}`);
        if (options.quick !== true) say(`recorded in  ${record}`);
        say(`written to   ${file}`);
      });
    }),
  );
}

const shown = ({ name, address, block, gas }: Placed) => ({ name, address, block, deployed: gas !== undefined });

async function check(context: Context, artifacts: string, rpc: Rpc): Promise<void> {
  const artifact = (name: ContractName) => contractArtifact(artifacts, name);
  const found = await compareAll(planOf(artifacts), artifact, rpc, context.signal);
  context.report(
    found.map(({ name, address, outcome }) => ({ name, address, outcome })),
    (say) => {
      for (const { name, address, outcome } of found) say(`${name.padEnd(22)} ${address}  ${outcome}`);
    },
  );
  if (found.some(({ outcome }) => outcome === "differs")) process.exitCode = EXIT_CODES.integrity;
}
