// Runs the quantized ONNX file in onnxruntime with every node's tensor exposed, and trusts none of it: each value must be an
// integer within its static bounds. The file is taken as it is; the extra outputs exist in memory only.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { NodeError } from "../core/errors.ts";
import { splitFlat } from "../core/tensor.ts";
import { emit } from "./emit.ts";
import type { Emitted } from "./emit.ts";
import { inputsOf, nodeAt } from "./ir.ts";
import type { Graph, InputNode } from "./ir.ts";
import { ModelSchema, ValueInfoSchema } from "./onnx/gen/onnx_pb.ts";
import { tensorInfo } from "./onnx-writer.ts";
import { rangesOf } from "./range.ts";
import type { Bounds } from "./range.ts";

export interface Runner {
  /** The tensor of every node, as `evaluate` yields them. The inputs' integers in, one tensor after the other. */
  run(input: Float64Array): Promise<Float64Array[]>;
  close(): Promise<void>;
}

export interface RunnerOptions {
  readonly threads?: number;
  readonly optimization?: "disabled" | "all";
}

/** @throws NodeError "integrity" if the file is not what the graph emits, byte for byte. */
export async function openRunner(onnx: Uint8Array, graph: Graph, options: RunnerOptions = {}): Promise<Runner> {
  const { bytes, tensors } = emit(graph);
  if (!Buffer.from(bytes).equals(onnx)) {
    throw new NodeError("integrity", "the quantized ONNX file is not the one that this graph was emitted as", {
      mend: "Compile the model again with this version of the tool.",
    });
  }
  const bounds = rangesOf(graph);
  const session = await InferenceSession.create(withAllOutputs(bytes, graph, tensors), {
    executionProviders: ["cpu"],
    graphOptimizationLevel: options.optimization ?? "disabled",
    intraOpNumThreads: options.threads ?? 1,
    logSeverityLevel: 3,
  });
  const inputs = inputsOf(graph);
  return {
    run: async (input) => {
      const given = splitFlat(inputs, input).map((values, ref) =>
        checked(Float64Array.from(values), bounds[ref] as Bounds, (inputs[ref] as InputNode).border.name, "input"),
      );
      const feeds = given.map((values, ref) => {
        const { name, type } = tensors[ref] as Emitted["tensors"][number];
        const { shape } = inputs[ref] as InputNode;
        return [name, new Tensor(type, type === "float32" ? Float32Array.from(values) : values, shape)] as const;
      });
      const yielded = await session.run(Object.fromEntries(feeds));
      return tensors.map(({ name }, ref) => {
        if (ref < given.length) return given[ref] as Float64Array;
        const values = Float64Array.from((yielded[name] as Tensor).data as Float32Array | Float64Array);
        return checked(values, bounds[ref] as Bounds, name, "internal");
      });
    },
    close: () => session.release(),
  };
}

/** The same values, in place. @throws NodeError `code` unless all are integers within bounds */
function checked(values: Float64Array, { lo, hi }: Bounds, name: string, code: "input" | "internal"): Float64Array {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!Number.isInteger(value) || value < (lo[i] as number) || value > (hi[i] as number)) {
      throw new NodeError(code, `element ${i} of "${name}" is ${value}, not an integer from ${lo[i]} to ${hi[i]}`, {
        facts: { tensor: name, element: i, value },
      });
    }
    values[i] = value + 0; // -0, which Max and Mul may yield, is 0
  }
  return values;
}

function withAllOutputs(bytes: Uint8Array, graph: Graph, tensors: Emitted["tensors"]): Uint8Array {
  const model = fromBinary(ModelSchema, bytes);
  tensors.forEach((tensor, ref) => {
    if (nodeAt(graph, ref).op === "input" || graph.outputs.some((output) => output.border.name === tensor.name)) return;
    const info = tensorInfo({ ...tensor, shape: nodeAt(graph, ref).shape });
    model.graph?.output.push(create(ValueInfoSchema, info));
  });
  return toBinary(ModelSchema, model);
}
