// The published list of attacks against the tests that it lists.
import { expect } from "chai";
import fs from "node:fs";
import { ATTACKS_FILE, attacksText } from "../../scripts/attacks.ts";

describe("the list of attacks", () => {
  it("names the tests of the adversarial suite, all of them and no other", function () {
    this.timeout(60_000);
    expect(fs.readFileSync(ATTACKS_FILE, "utf8"), "run node scripts/attacks.ts").to.equal(attacksText());
  });
});
