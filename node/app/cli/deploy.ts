// glassbox deploy: puts registry and coordinator on a chain and writes down where they are.
import { Command } from "commander";
import { httpRpc } from "../../chain/rpc.ts";
import { deploy } from "../../chain/write.ts";
import { NodeError } from "../../core/errors.ts";
import { deployedArtifacts } from "../artifacts.ts";
import { writeDeployment } from "../deployment.ts";
import { defaultDeployment, type KeyOptions, openSigner, waitOf, withKey } from "./chain.ts";
import { action, projectFolder, withExamples } from "./context.ts";

interface Options extends KeyOptions {
  readonly rpc?: string;
  readonly out?: string;
}

export function deployCommand(): Command {
  const command = new Command("deploy")
    .description("deploy registry, coordinator and relay; no address has power over them afterwards")
    .option("--rpc <url>", "JSON-RPC endpoint of the chain")
    .option("--out <file>", "where to write the deployment (default: .glassbox/deployment.json of the project)");
  withExamples(withKey(command), ["deploy --rpc http://127.0.0.1:8545 --key-file deployer.key"]);
  return command.action(
    action(async (context, options: Options) => {
      if (options.rpc === undefined) {
        throw new NodeError("usage", "it is not said which chain", { mend: "Give --rpc with the endpoint's URL." });
      }
      const signer = await openSigner(context, options);
      const rpc = httpRpc(options.rpc);
      const chainId = BigInt((await rpc.request("eth_chainId", [], context.signal)) as string);
      const wait = waitOf(context, { rpc, chainId }, signer, options);
      const deployed = await context.step("deploy", () => deploy(deployedArtifacts(projectFolder), wait));
      const deployment = { rpcUrl: options.rpc, chainId: Number(chainId), ...deployed };
      const file = options.out === undefined ? defaultDeployment : context.path(options.out);
      writeDeployment(file, deployment);
      context.report({ ...deployment, file }, (say) => {
        say(`registry     ${deployment.registry}`);
        say(`coordinator  ${deployment.coordinator}`);
        say(`relay        ${deployment.relay}`);
        say(`written to   ${file}`);
      });
    }),
  );
}
