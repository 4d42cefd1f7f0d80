// Attributes of one ONNX node against what its op's rule declares: an attribute that is not declared, not of this opset,
// of another type or given twice is a problem, never skipped.
import { isFieldSet } from "@bufbuild/protobuf";
import { type Attribute, AttributeSchema, type Node, type Tensor } from "./gen/onnx_pb.ts";
import { malformed, quote, unsupported } from "./problems.ts";

export type AttributeKind = "float" | "int" | "string" | "tensor" | "floats" | "ints" | "strings";

export interface AttributeRule {
  readonly kind: AttributeKind;
  /** First and last opset that has it. */
  readonly since?: number;
  readonly until?: number;
}

export type AttributeRules = Readonly<Record<string, AttributeRule>>;
export type AttributeValue = number | string | readonly number[] | readonly string[] | Tensor;
export type Attributes = ReadonlyMap<string, AttributeValue>;

/** ONNX's AttributeType codes. */
const KINDS: readonly string[] =
  "undefined,float,int,string,tensor,graph,floats,ints,strings,tensors,graphs,sparse tensor,sparse tensors,type,types".split(
    ",",
  );

/** The field that holds the value of each kind. */
const FIELDS = {
  float: "f",
  int: "i",
  string: "s",
  tensor: "t",
  floats: "floats",
  ints: "ints",
  strings: "strings",
} as const satisfies Record<AttributeKind, keyof Attribute>;
const NAMING: readonly string[] = ["name", "doc_string", "type"];

/** Data beside the value, of another kind. */
function strayField(attribute: Attribute, kind: AttributeKind): string | undefined {
  const stray = AttributeSchema.fields.find((field) => {
    return !NAMING.includes(field.name) && field.name !== FIELDS[kind] && isFieldSet(attribute, field);
  });
  return stray?.name;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return malformed("a string attribute is not UTF-8");
  }
}

function integerOf(value: bigint, name: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    unsupported(`attribute ${name} is ${value}, beyond 2^53`, "Give a smaller number.");
  return number;
}

function valueOf(attribute: Attribute, kind: AttributeKind): AttributeValue {
  const name = quote(attribute.name);
  switch (kind) {
    case "float":
      return attribute.f;
    case "int":
      return integerOf(attribute.i, name);
    case "string":
      return textOf(attribute.s);
    case "tensor":
      return attribute.t ?? malformed(`attribute ${name} holds no tensor`);
    case "floats":
      return attribute.floats;
    case "ints":
      return attribute.ints.map((value) => integerOf(value, name));
    case "strings":
      return attribute.strings.map(textOf);
  }
}

/** Reads all attributes of `node`. `each` runs a reader so that several bad attributes are all reported. */
export function readAttributes(
  node: Node,
  rules: AttributeRules,
  opset: number,
  each: (action: () => void) => void,
): Attributes {
  const values = new Map<string, AttributeValue>();
  for (const attribute of node.attribute) {
    each(() => {
      const name = quote(attribute.name);
      const rule = Object.hasOwn(rules, attribute.name) ? rules[attribute.name] : undefined;
      if (rule === undefined) {
        return unsupported(
          `attribute ${name} is not one that the compiler knows for ${quote(node.opType)}`,
          "Export without it, or with another opset.",
        );
      }
      if (opset < (rule.since ?? 0) || opset > (rule.until ?? Infinity)) {
        return malformed(`attribute ${name} does not exist for ${quote(node.opType)} at opset ${opset}`);
      }
      if (values.has(attribute.name)) return malformed(`attribute ${name} is given twice`);
      if (attribute.refAttrName !== "") return malformed(`attribute ${name} refers to a function's attribute`);
      const kind = KINDS[attribute.type] ?? `of type ${attribute.type}`;
      if (kind !== rule.kind) return malformed(`attribute ${name} is ${kind} where ${rule.kind} belongs`);
      const stray = strayField(attribute, rule.kind);
      if (stray !== undefined) return malformed(`attribute ${name} is ${kind} but also holds data in "${stray}"`);
      values.set(attribute.name, valueOf(attribute, rule.kind));
      return undefined;
    });
  }
  return values;
}
