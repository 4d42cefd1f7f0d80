// Inputs and outputs of other lengths than the model's: cut, lengthened, with bytes moved from one to the other.
import { keccak256 } from "ethers";
import { INPUT, MODEL, OUTPUT, type Answer } from "../../support/contracts.ts";
import { repelled } from "../../support/attacks.ts";
import { market } from "../../support/contractsMarket.ts";
import { INPUT_KIND } from "../../support/contractsRequest.ts";
import { bytesOf } from "../../support/contractsVectors.ts";

const NOTHING = new Uint8Array(0);
const { inputLength, outputLength } = MODEL;

describe("A length that is not the model's", () => {
  const m = market();
  let open: Answer;
  beforeEach(async () => {
    open = m.s.answer(await m.s.request());
  });

  for (const length of [0, 1, outputLength - 1, outputLength + 1, 32, 4_097]) {
    it(`of ${length} bytes of output, with a proof of just these: refused`, () =>
      repelled(
        m,
        m.s.answer(open, { output: bytesOf("output", length) }),
        "OutputLengthMismatch",
        length,
        outputLength,
      ));
  }

  for (const length of [0, inputLength - 1, inputLength + 1, 24_577]) {
    it(`of ${length} bytes of input, with a proof of just these: refused`, () =>
      repelled(m, m.s.answer(open, { input: bytesOf("input", length) }), "InputLengthMismatch", length, inputLength));
    it(`of ${length} bytes of input: no such request is made`, () =>
      m.refused(m.s.request({ input: bytesOf("input", length) }), "InputLengthMismatch", length, inputLength));
  }

  it("by a zero more at the end, which the words of the claim would not show: refused", async () => {
    const output = Uint8Array.of(...OUTPUT, 0);
    await repelled(m, { ...open, output }, "OutputLengthMismatch", 21, 20);
    const input = Uint8Array.of(...INPUT, 0);
    await repelled(m, { ...open, input }, "InputLengthMismatch", 65, 64);
  });

  it("by the last byte of the input moved to the front of the output: refused", async () => {
    const [input, output] = [INPUT.subarray(0, 63), Uint8Array.of(INPUT[63] ?? 0, ...OUTPUT)];
    await repelled(m, m.s.answer(open, { input, output }), "OutputLengthMismatch");
    await repelled(m, m.s.answer(open, { input, output: OUTPUT }), "InputLengthMismatch");
  });

  it("behind a hash: a request by reference to 65 bytes is never answered, and the fee goes back", async () => {
    const input = bytesOf("longer", 65);
    const asked = await m.s.request({ inputKind: INPUT_KIND.reference, origin: "0x68", inputHash: keccak256(input) });
    await repelled(m, m.s.answer({ ...asked, input }), "InputLengthMismatch", 65, 64);
    await repelled(m, m.s.answer({ ...asked, input: INPUT }), "InputMismatch");
  });

  it("of an input with an answer to a private one, which needs none: refused", async () => {
    const model = await m.s.another({ inputKinds: 1 << INPUT_KIND.private });
    const asked = await m.s.request({ model, inputKind: INPUT_KIND.private, origin: NOTHING });
    const answer = m.s.answer(asked);
    await repelled(m, { ...answer, input: Uint8Array.of(0) }, "InputLengthMismatch", 1, 0);
    await m.s.fulfil(answer);
  });
});
