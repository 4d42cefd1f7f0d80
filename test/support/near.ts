// Closeness of reals. Not chai's closeTo: Hardhat's matchers replace it by one for integers.
import { expect } from "chai";

/** |actual - expected| <= tolerance; a missing or NaN value is far from everything. */
export function expectNear(actual: number | undefined, expected: number, tolerance: number, what = "value"): void {
  const distance = Math.abs((actual ?? NaN) - expected);
  expect(distance <= tolerance, `${what}: ${actual} is not within ${tolerance} of ${expected}`).to.equal(true);
}
