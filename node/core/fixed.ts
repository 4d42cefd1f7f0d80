// Reals and the integers of the wire that stand for them: q for q * 2^exponent. Pure, and fit for a browser.
import { NodeError } from "./errors.ts";
import { type BorderTensor, joinFlat, splitFlat, typeName, typeRange } from "./tensor.ts";

/** 2^exponent by doubling and halving, which is exact everywhere; `**` need not be. */
function unitOf({ exponent }: Pick<BorderTensor, "exponent">): number {
  let unit = 1;
  for (let i = 0; i < Math.abs(exponent); i++) unit *= exponent > 0 ? 2 : 0.5;
  return unit;
}

/** Reals to the borders' integers, one tensor after the other. @throws NodeError "input" if one is out of its type's range */
export function toIntegers(borders: readonly BorderTensor[], flat: Float64Array): Float64Array {
  return joinFlat(splitFlat(borders, flat).map((reals, i) => integersOf(borders[i] as BorderTensor, reals)));
}

function integersOf(border: BorderTensor, reals: Float64Array): Float64Array {
  const unit = unitOf(border);
  const { lo, hi } = typeRange(border.type);
  return Float64Array.from(reals, (real, i) => {
    const q = Math.floor(real / unit + 0.5);
    if (!(q >= lo && q <= hi)) {
      throw new NodeError(
        "input",
        `element ${i} of "${border.name}" is ${real}, outside ${lo * unit} to ${hi * unit} (${typeName(border.type)} * 2^${border.exponent})`,
        { mend: "Give values within the model's input range, or compile the model with a wider declared input type." },
      );
    }
    return q;
  });
}

/** The reals that the borders' integers stand for, one tensor after the other. */
export function toReals(
  borders: readonly Pick<BorderTensor, "exponent" | "shape">[],
  flat: Float64Array,
): Float64Array {
  return joinFlat(
    splitFlat(borders, flat).map((integers, i) => {
      const unit = unitOf(borders[i] as BorderTensor);
      return integers.map((q) => q * unit);
    }),
  );
}
