// `glassbox compile` as a user calls it, for LeNet-5 as a float ONNX file with random weights: everything from the command to
// the package with its development key.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { bytesOf, ints, node, noise, tensor } from "../../../test/support/onnx.ts";
import { fileOf, type Phase, timed } from "../ports.ts";
import { ROOT } from "../road.ts";

/** Conv 6@5x5, pool, conv 16@5x5, pool, 400-120-84-10, on 28x28. */
function floatLenet5(): Uint8Array {
  const weights = (seed: number, name: string, dims: readonly number[]) => {
    const count = dims.reduce((all, n) => all * n, 1);
    const scale = 2 / Math.sqrt(count / (dims[0] as number));
    return tensor(
      name,
      dims,
      noise(seed, count).map((value) => value * scale),
    );
  };
  const pool = { kernel_shape: [2, 2], strides: [2, 2] };
  return bytesOf({
    input: { dims: [1, 1, 28, 28] },
    nodes: [
      node("Conv", ["x", "w1", "b1"], ["c1"], { pads: [2, 2, 2, 2] }),
      node("Relu", ["c1"], ["r1"]),
      node("MaxPool", ["r1"], ["p1"], pool),
      node("Conv", ["p1", "w2", "b2"], ["c2"]),
      node("Relu", ["c2"], ["r2"]),
      node("MaxPool", ["r2"], ["p2"], pool),
      node("Reshape", ["p2", "flat"], ["f"]),
      node("Gemm", ["f", "w3", "b3"], ["g3"], { transB: 1 }),
      node("Relu", ["g3"], ["r3"]),
      node("Gemm", ["r3", "w4", "b4"], ["g4"], { transB: 1 }),
      node("Relu", ["g4"], ["r4"]),
      node("Gemm", ["r4", "w5", "b5"], ["y"], { transB: 1 }),
    ],
    initializers: [
      weights(1, "w1", [6, 1, 5, 5]),
      weights(2, "b1", [6]),
      weights(3, "w2", [16, 6, 5, 5]),
      weights(4, "b2", [16]),
      ints("flat", [1, 400]),
      weights(5, "w3", [120, 400]),
      weights(6, "b3", [120]),
      weights(7, "w4", [84, 120]),
      weights(8, "b4", [84]),
      weights(9, "w5", [10, 84]),
      weights(10, "b5", [10]),
    ],
  });
}

export const phase: Phase = async ({ folder }) => {
  const place = path.join(path.dirname(fileOf(folder, "onnx")), "compile");
  fs.mkdirSync(place, { recursive: true });
  fs.writeFileSync(path.join(place, "lenet.onnx"), floatLenet5());
  // The key's cache would hide what is measured.
  const env = { ...process.env, HOME: place, XDG_CACHE_HOME: path.join(place, "cache"), GLASSBOX_CWD: place };
  const command = [
    "compile",
    "lenet.onnx",
    "--calibration",
    "random:7",
    "--input",
    "uint8",
    "--out",
    "package",
    "--json",
  ];
  const [seconds, ended] = await timed(() =>
    spawnSync(process.execPath, [path.join(ROOT, "node/app/cli/main.ts"), ...command], {
      cwd: place,
      env,
      encoding: "utf8",
    }),
  );
  if (ended.status !== 0) throw new Error(`glassbox compile ends with ${ended.status}: ${ended.stderr}`);
  const { constraints } = (JSON.parse(ended.stdout) as { manifest: { circuit: { constraints: number } } }).manifest
    .circuit;
  fs.rmSync(place, { recursive: true });
  return { seconds: { all: [seconds] }, figures: { constraints } };
};
