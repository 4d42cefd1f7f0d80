// The glassbox command: one file per subcommand in this folder.
import { Command } from "commander";
import { EXIT_CODES } from "../../core/errors.ts";
import { COMPILER } from "../../model/version.ts";
import { authoriseCommand, balanceCommand, depositCommand, withdrawCommand } from "./account.ts";
import { auditCommand } from "./audit.ts";
import { benchCommand } from "./bench.ts";
import { ceremonyCommand } from "./ceremony.ts";
import { compileCommand } from "./compile.ts";
import { deployCommand } from "./deploy.ts";
import { doctorCommand } from "./doctor.ts";
import { evaluateCommand } from "./evaluate.ts";
import { exportCommand } from "./export.ts";
import { inspectCommand } from "./inspect.ts";
import { nodeCommand } from "./node.ts";
import { proverKeyCommand } from "./private.ts";
import { proveCommand, verifyCommand } from "./prove.ts";
import { acceptSeriesCommand, deprecateCommand, offerSeriesCommand, retireCommand } from "./publish.ts";
import { registerCommand } from "./register.ts";
import { requestCommand } from "./request.ts";
import { showCommand } from "./status.ts";
import { cancelCommand, claimCommand, expireCommand, retryCallbackCommand } from "./settle.ts";

const EXIT_TEXT = `
Exit codes:
  0    done, and everything that was checked holds
  1    a fault of Glassbox's own
  2    usage: the command or its options are off
  3    input: a file or value is missing, malformed or out of range
  4    unsupported: the model needs what the compiler does not do
  5    integrity: a digest, key, proof or result does not hold
  6    chain: the chain or its endpoint refused, failed or disagrees
  7    environment: the machine lacks something, or a child process failed
  130  stopped by a signal

Start here: npm start`;

const program = new Command("glassbox")
  .description("Verifiable AI for EVM contracts: compile models to circuits, prove answers, check them.")
  .version(COMPILER.version)
  .addHelpText("after", EXIT_TEXT)
  .showHelpAfterError("(add --help for the command's options and examples)");

for (const command of [
  compileCommand(),
  inspectCommand(),
  evaluateCommand(),
  proveCommand(),
  verifyCommand(),
  deployCommand(),
  registerCommand(),
  deprecateCommand(),
  retireCommand(),
  offerSeriesCommand(),
  acceptSeriesCommand(),
  requestCommand(),
  showCommand(),
  cancelCommand(),
  claimCommand(),
  expireCommand(),
  retryCallbackCommand(),
  balanceCommand(),
  depositCommand(),
  withdrawCommand(),
  authoriseCommand(),
  nodeCommand(),
  proverKeyCommand(),
  auditCommand(),
  ceremonyCommand(),
  exportCommand(),
  benchCommand(),
  doctorCommand(),
]) {
  program.addCommand(command);
}

const exitAsUsage = (command: Command): void => {
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_CODES.usage));
  for (const sub of command.commands) exitAsUsage(sub);
};
exitAsUsage(program);
await program.parseAsync();
// Libraries may leave worker threads behind; what was written to a pipe must still get out.
await new Promise<void>((resolve) => process.stdout.write("", () => resolve()));
process.exit();
