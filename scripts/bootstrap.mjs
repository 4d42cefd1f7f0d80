// Runs `node <args>` of this project on any machine with Node >= 18 and npm: gets a recent Node from npm if the host's is
// too old, installs the locked packages if they changed, then hands over. No dependencies; plain JavaScript on purpose.
//
//   node scripts/bootstrap.mjs scripts/start.ts --keep
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const OLDEST = [22, 18]; // the first 22.x that runs TypeScript as it is; Hardhat and pg-boss need 22.13
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const windows = process.platform === "win32";
const env = { ...process.env, HARDHAT_DISABLE_TELEMETRY: "true" };
// npm's own variables of the outer call would make the inner npm believe in another package or another Node.
for (const key of Object.keys(env)) {
  if (/^npm_(package_|lifecycle_|config_local_prefix|node_execpath|execpath|command)/.test(key)) delete env[key];
}

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { stdio: "inherit", cwd: root, env, shell: windows, ...options });
  if (done.error) {
    console.error(`[setup] cannot run ${command}: ${done.error.message}`);
    process.exit(7);
  }
  if (done.signal) process.exit(130);
  return done.status ?? 1;
}

/** Installs the packages of `folder` as locked, unless its stamp says that this was done. */
function install(folder, note) {
  const lock = fs.readFileSync(path.join(root, folder, "package-lock.json"));
  const key = createHash("sha256").update(lock).update(`${process.platform} ${process.arch}`).digest("hex");
  const stamp = path.join(root, folder, "node_modules", ".glassbox-stamp");
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8") === key) return;
  const started = Date.now();
  console.error(`[setup] ${note} (npm ci in ${folder === "." ? "the project" : folder}; needs the npm registry)`);
  const status = run(windows ? "npm.cmd" : "npm", ["ci", "--loglevel=error"], {
    cwd: path.join(root, folder),
    stdio: ["inherit", 2, "inherit"],
  });
  if (status !== 0) {
    console.error("[setup] npm ci failed: check the network and the npm registry, then run the same command again.");
    process.exit(7);
  }
  fs.writeFileSync(stamp, key);
  console.error(`[setup] done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** Builds the prover's WebAssembly, unless this was done from the same sources. */
function kernel() {
  const hash = createHash("sha256").update(fs.readFileSync(path.join(root, "package-lock.json")));
  const sources = path.join(root, "node/groth16/kernel");
  for (const name of fs.readdirSync(sources).sort())
    hash.update(name).update(fs.readFileSync(path.join(sources, name)));
  const key = hash.update(fs.readFileSync(path.join(root, "scripts/kernel.ts"))).digest("hex");
  const stamp = path.join(root, "node_modules", ".glassbox-kernel");
  const built = fs.existsSync(path.join(root, "node/groth16/kernel.wasm"));
  if (built && fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8") === key) return;
  const started = Date.now();
  console.error("[setup] building the prover (AssemblyScript to WebAssembly)");
  if (run("node", ["scripts/kernel.ts"], { stdio: ["inherit", 2, "inherit"] }) !== 0) process.exit(1);
  fs.writeFileSync(stamp, key);
  console.error(`[setup] done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  const platform = windows ? "win" : process.platform;
  const name = `${platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node"}-${platform}-${process.arch}`;
  const wanted = JSON.parse(fs.readFileSync(path.join(root, "tools/node/package.json"), "utf8")).optionalDependencies;
  if (wanted[name] === undefined) {
    console.error(
      `[setup] Node ${process.version} is too old, and npm has no newer one for ${platform}-${process.arch}: ` +
        `install Node ${OLDEST.join(".")} or newer and run the same command again.`,
    );
    process.exit(7);
  }
  install(
    "tools/node",
    `Node ${process.version} is older than ${OLDEST.join(".")}: getting Node ${wanted[name]} from npm`,
  );
  // Not node_modules/.bin: some versions of npm leave it empty for these packages.
  const bin = path.join(root, "tools/node/node_modules", name, windows ? "" : "bin");
  env.PATH = `${bin}${path.delimiter}${env.PATH}`;
}
install(".", "installing the project's packages");
kernel();
process.exit(process.argv.length > 2 ? run("node", process.argv.slice(2)) : 0);
