// The adapters in contracts/adapters: ERC-7007, ERC-7992 and ERC-8004 over real requests and proofs, and ERC-165 everywhere.
// Ids of interfaces are computed here from the signatures in the standards' texts.
import { expect } from "chai";
import { AbiCoder, type BaseContract, type BytesLike, ZeroHash, concat, hexlify, id as keccakOfText, keccak256, toBeHex } from "ethers"; // prettier-ignore
import { readFileSync } from "node:fs";
import type { Hex } from "../../node/core/domain.ts";
import { R } from "../../node/core/field.ts";
import { C, INPUT, MODEL, NOBODY, OUTPUT, ZERO_ID, flipped, modelFacts, openChain, send, view, withWord, type Asked, type Chain, type Stage } from "../support/contracts.ts"; // prettier-ignore
import { claimFacts } from "../support/contractsClaim.ts";
import { INPUT_KIND, type Terms } from "../support/contractsRequest.ts";
import { TRAPDOOR, proofWords, prove } from "../support/trapdoor.ts";

const coder = AbiCoder.defaultAbiCoder();
const UNKNOWN = `0x${"12".repeat(32)}`;
const NOTHING = new Uint8Array(0);
const REQUEST = "tuple(address requester, address payer, address consumer, address prover, bytes32 model, uint8 inputKind, bytes32 inputHash, bytes32 originHash, address token, uint96 minFee, uint96 maxFee, uint96 minCollateral, uint32 start, uint32 rampEnd, uint32 deadline, uint32 submitBy, uint32 claimPeriod, uint32 callbackGas, uint32 requiredEvidence, bool allowDevelopmentKeys, uint64 nonce, uint40 readAt)"; // prettier-ignore

/** The ERC-165 id of an interface: its functions' selectors, exclusive-or. */
const interfaceId = (...signatures: string[]): string => {
  const selectors = signatures.map((signature) => BigInt(keccakOfText(signature).slice(0, 10)));
  return toBeHex(
    selectors.reduce((a, b) => a ^ b),
    4,
  );
};
const COMMITMENT = "(bytes32,bytes32,bytes32,bytes4,string)";
const IDS = {
  erc165: interfaceId("supportsInterface(bytes4)"),
  erc721: "0x80ac58cd",
  erc721Metadata: "0x5b5e139f",
  erc7007: interfaceId("addAigcData(uint256,bytes,bytes,bytes)", "verify(bytes,bytes,bytes)"),
  erc7992Registry: interfaceId(
    `registerModel(${COMMITMENT})`,
    `updateModel(uint256,${COMMITMENT})`,
    "deprecateModel(uint256)",
    "getModel(uint256)",
  ),
  erc7992Verifier: interfaceId("verifyInference(uint256,bytes32,bytes,bytes)", "proofSystemOf(uint256)", "registry()"),
  erc8004Validation: interfaceId(
    "getIdentityRegistry()",
    "validationRequest(address,uint256,string,bytes32)",
    "validationResponse(bytes32,uint8,string,bytes32,string)",
    "getValidationStatus(bytes32)",
    "getSummary(uint256,address[],string)",
    "getAgentValidations(uint256)",
    "getValidatorRequests(address)",
  ),
  inferenceValidator: interfaceId("respond(uint256,bytes32,bytes32)", "requestHashOf(uint256,bytes32,bytes32)"),
} as const;

describe("the standards", () => {
  let chain: Chain;
  let s: Stage;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
  });

  type Signer = keyof Stage["signers"];
  const act = (contract: BaseContract, from: Signer, name: string, ...args: unknown[]) =>
    send(contract, name, args, { from: s.signers[from] });
  const fails = (done: Promise<unknown>, contract: BaseContract, error: string, ...args: unknown[]): Promise<void> => {
    const refusal = expect(done).to.be.revertedWithCustomError(contract, error);
    return args.length === 0 ? refusal : refusal.withArgs(...args);
  };
  const isOnly = async (contract: BaseContract, ...names: (keyof typeof IDS)[]): Promise<void> => {
    for (const [name, id] of Object.entries(IDS)) {
      const expected = name === "erc165" || names.includes(name as keyof typeof IDS);
      expect(await view(contract, "supportsInterface", [id]), name).to.equal(expected);
    }
    expect(await view(contract, "supportsInterface", ["0xffffffff"])).to.equal(false);
  };
  /** A proof for a caller of the coordinator's verifyInference: (c, words). */
  const direct = (
    prover: string,
    over: { model?: string; input?: Uint8Array; output?: Uint8Array; inputHash?: Hex; c?: bigint } = {},
  ) => {
    const { model = s.model, input = INPUT, output = OUTPUT, c = C, inputHash } = over;
    const text = { domain: "direct", chainId: 31337n, contract: s.coordinatorAddress, requestId: ZERO_ID, modelId: model, prover, c, input, output } as const; // prettier-ignore
    const facts = claimFacts(inputHash === undefined ? text : { ...text, inputHash });
    return { c, words: proofWords(prove(TRAPDOOR, facts.signals)) };
  };
  const fulfilled = async (over: Parameters<Stage["request"]>[0] = {}): Promise<Asked> => {
    const asked = await s.request(over);
    await s.fulfil(s.answer(asked));
    return asked;
  };
  const developed = (): Promise<string> => s.another(modelFacts({ keyKind: 0 }));
  const privately = (): Promise<string> => s.another(modelFacts({ inputKinds: 1 << INPUT_KIND.private }));

  it("have the ids that their texts print", () => {
    expect(IDS.erc165).to.equal("0x01ffc9a7");
    expect(IDS.erc7007).to.equal("0x702c55a6");
    expect(new Set(Object.values(IDS)).size).to.equal(Object.keys(IDS).length);
  });

  it("are documented with their ids", () => {
    const text = readFileSync("docs/standards.md", "utf8");
    for (const id of [IDS.erc7007, IDS.erc7992Registry, IDS.erc7992Verifier, IDS.erc8004Validation])
      expect(text).to.contain(`\`${id}\``);
  });

  it("have ERC-165 beside them everywhere: each contract announces its own interface, and none of theirs", async () => {
    const selectorsOf = async (name: string): Promise<bigint[]> => {
      const { interface: abi } = await s.ethers.getContractAt(name, NOBODY);
      const selectors: bigint[] = [];
      abi.forEachFunction(({ selector }) => selectors.push(BigInt(selector)));
      return selectors;
    };
    const inherited = await selectorsOf("ILedger");
    for (const [contract, name] of [
      [s.registry, "IModelRegistry"],
      [s.coordinator, "IInferenceCoordinator"],
      [s.coordinator, "ILedger"],
      [s.verifier, "IGroth16Verifier"],
      [s.validator, "ISignatureValidator"],
    ] as const) {
      await isOnly(contract);
      const all = await selectorsOf(name);
      const own = name === "IInferenceCoordinator" ? all.filter((each) => !inherited.includes(each)) : all;
      const id = toBeHex(own.reduce((a, b) => a ^ b), 4); // prettier-ignore
      expect(await view(contract, "supportsInterface", [id]), name).to.equal(true);
    }
  });

  describe("ERC-7007", () => {
    let content: BaseContract;
    let address: string;
    beforeEach(async () => {
      content = await s.deploy("VerifiedContent", "Digits", "DGT", s.coordinatorAddress, s.model, false);
      address = await content.getAddress();
    });
    const ofRequest = (r: Terms): string => coder.encode([REQUEST], [r]);
    const ofProof = ({ c, words }: { readonly c: bigint; readonly words: readonly bigint[] }): string =>
      coder.encode(["uint256", "uint256[8]"], [c, words]);
    const holds = (prompt: BytesLike, data: BytesLike, proof: BytesLike, at = content): Promise<unknown> =>
      view(at, "verify", [prompt, data, proof]);
    /** verify says no, and requireVerified says why. */
    const refuses = async (
      prompt: BytesLike,
      data: BytesLike,
      proof: BytesLike,
      by: BaseContract | null,
      error: string,
      ...args: unknown[]
    ): Promise<void> => {
      expect(await holds(prompt, data, proof)).to.equal(false);
      if (by === null)
        await expect(view(content, "requireVerified", [prompt, data, proof])).to.be.revertedWithoutReason(chain.ethers); // prettier-ignore
      else await fails(view(content, "requireVerified", [prompt, data, proof]), by, error, ...args);
    };

    it("is announced, with ERC-721", () => isOnly(content, "erc7007", "erc721", "erc721Metadata"));

    it("verifies content by its fulfilled request, and nothing one bit off", async () => {
      const { r, id } = await fulfilled();
      await view(content, "requireVerified", [INPUT, OUTPUT, ofRequest(r)]);
      expect(await holds(INPUT, OUTPUT, ofRequest(r))).to.equal(true);
      for (const at of [0, 63]) {
        const other = flipped(INPUT, at);
        await refuses(other, OUTPUT, ofRequest(r), content, "PromptMismatch", keccak256(other), keccak256(INPUT));
      }
      for (const at of [0, 19]) {
        const other = flipped(OUTPUT, at);
        await refuses(INPUT, other, ofRequest(r), content, "ContentMismatch", keccak256(other), keccak256(OUTPUT));
      }
      await refuses(NOTHING, OUTPUT, ofRequest(r), content, "PromptMismatch");
      await refuses(INPUT, NOTHING, ofRequest(r), content, "ContentMismatch");
      await refuses(r.inputHash, OUTPUT, ofRequest(r), content, "PromptMismatch", keccak256(r.inputHash), r.inputHash);
      const changed = { ...r, nonce: r.nonce + 1n };
      await refuses(INPUT, OUTPUT, ofRequest(changed), s.coordinator, "RequestNotFulfilled", s.idOf(changed));
      expect(s.idOf(r)).to.equal(id);
    });

    it("verifies nothing before it is fulfilled, after it expired, or of another model", async () => {
      const open = await s.request();
      await refuses(INPUT, OUTPUT, ofRequest(open.r), s.coordinator, "RequestNotFulfilled", open.id);
      const model = await s.another({ sourceDigest: UNKNOWN });
      const other = await fulfilled({ model });
      await refuses(INPUT, OUTPUT, ofRequest(other.r), s.coordinator, "ResultOfOtherModel", model, s.model);
      await chain.at(open.r.deadline + 1);
      await s.expire(open);
      await refuses(INPUT, OUTPUT, ofRequest(open.r), s.coordinator, "RequestNotFulfilled", open.id);
    });

    it("verifies content by a proof that was made for it", async () => {
      const proof = direct(address);
      expect(await holds(INPUT, OUTPUT, ofProof(proof))).to.equal(true);
      await refuses(flipped(INPUT, 0), OUTPUT, ofProof(proof), s.coordinator, "InvalidProof");
      await refuses(INPUT, flipped(OUTPUT, 19), ofProof(proof), s.coordinator, "InvalidProof");
      await refuses(INPUT.subarray(1), OUTPUT, ofProof(proof), s.coordinator, "InputLengthMismatch", 63, 64);
      await refuses(INPUT, OUTPUT.subarray(1), ofProof(proof), s.coordinator, "OutputLengthMismatch", 19, 20);
      await refuses(INPUT, OUTPUT, ofProof({ ...proof, c: C + 1n }), s.coordinator, "InvalidProof");
      await refuses(INPUT, OUTPUT, ofProof({ ...proof, c: C + R }), s.coordinator, "SignalOutOfField", 0, C + R);
      await refuses(INPUT, OUTPUT, ofProof({ c: C, words: withWord(proof.words, 0, (word) => word + 1n) }), s.coordinator, "InvalidProof"); // prettier-ignore
      // Proofs for somebody else, of another model, and of a request (under another domain).
      await refuses(INPUT, OUTPUT, ofProof(direct(s.signers.prover.address)), s.coordinator, "InvalidProof");
      await refuses(INPUT, OUTPUT, ofProof(direct(address, { model: UNKNOWN })), s.coordinator, "InvalidProof");
      const asked = await s.request();
      await refuses(INPUT, OUTPUT, ofProof(s.answer(asked, { prover: address })), s.coordinator, "InvalidProof");
    });

    it("answers false, and not with an error, to proofs that are none", async () => {
      const { r } = await fulfilled();
      const proof = ofRequest(r);
      for (const [other, length] of [
        ["0x", 0],
        [`${proof}00`, 705],
        [proof.slice(0, -2), 703],
        [UNKNOWN, 32],
        [`0x${"00".repeat(289)}`, 289],
        [`0x${"00".repeat(287)}`, 287],
      ] as const)
        // prettier-ignore
        await refuses(INPUT, OUTPUT, other, content, "ProofLengthInvalid", length);
      // Not a kind of input; an address with a bit too much.
      const words = (at: number, word: string) => concat([proof.slice(0, 2 + 64 * at), word, `0x${proof.slice(2 + 64 * (at + 1))}`]); // prettier-ignore
      await refuses(INPUT, OUTPUT, words(5, toBeHex(4, 32)), null, "");
      await refuses(INPUT, OUTPUT, words(0, `0x01${proof.slice(4, 66)}`), null, "");
      await refuses(INPUT, OUTPUT, `0x${"00".repeat(288)}`, s.coordinator, "InvalidProof");
    });

    it("gives the token of a fulfilled request to whoever asked, once, whoever sends it", async () => {
      const { r, id } = await fulfilled();
      const args = [BigInt(id), INPUT, OUTPUT, ofRequest(r)] as const;
      await expect(act(content, "stranger", "addAigcData", ...args))
        .to.emit(content, "AigcData")
        .withArgs(BigInt(id), hexlify(INPUT), hexlify(OUTPUT), ofRequest(r))
        .and.to.emit(content, "Transfer")
        .withArgs(NOBODY, s.signers.requester.address, BigInt(id));
      expect(await view(content, "ownerOf", [id])).to.equal(s.signers.requester.address);
      expect((await s.resultOf({ id }))["output"]).to.equal(hexlify(OUTPUT));
      await fails(act(content, "requester", "addAigcData", ...args), content, "ERC721InvalidSender", NOBODY);
      // Given away, it is not made anew.
      await act(content, "requester", "transferFrom", s.signers.requester.address, s.signers.rival.address, id);
      await fails(act(content, "requester", "addAigcData", ...args), content, "ERC721InvalidSender", NOBODY);
      // The same prompt of another requester is another request, and another token.
      const again = await fulfilled({ from: s.signers.rival });
      await act(content, "stranger", "addAigcData", again.id, INPUT, OUTPUT, ofRequest(again.r));
      expect(await view(content, "ownerOf", [again.id])).to.equal(s.signers.rival.address);
    });

    it("gives no token of another number, of other content, of an open request, or by a proof alone", async () => {
      const { r, id } = await fulfilled();
      const add = (tokenId: bigint, prompt: BytesLike, data: BytesLike, proof: BytesLike) =>
        act(content, "requester", "addAigcData", tokenId, prompt, data, proof);
      for (const other of [BigInt(id) + 1n, BigInt(id) - 1n, 0n, BigInt(keccak256(INPUT))])
        await fails(add(other, INPUT, OUTPUT, ofRequest(r)), content, "TokenOfOtherRequest", other, id);
      await fails(add(BigInt(id), flipped(INPUT, 1), OUTPUT, ofRequest(r)), content, "PromptMismatch");
      await fails(add(BigInt(id), INPUT, flipped(OUTPUT, 1), ofRequest(r)), content, "ContentMismatch");
      await fails(add(BigInt(id), INPUT, OUTPUT, ofProof(direct(address))), content, "ProofLengthInvalid", 288);
      await fails(add(BigInt(id), INPUT, OUTPUT, `${ofRequest(r)}00`), content, "ProofLengthInvalid", 705);
      const open = await s.request();
      await fails(
        add(BigInt(open.id), INPUT, OUTPUT, ofRequest(open.r)),
        s.coordinator,
        "RequestNotFulfilled",
        open.id,
      );
      const stolen = { ...r, requester: s.signers.stranger.address };
      await fails(add(BigInt(id), INPUT, OUTPUT, ofRequest(stolen)), s.coordinator, "RequestNotFulfilled", s.idOf(stolen)); // prettier-ignore
    });

    it("shows the commitment in a private prompt's place", async () => {
      const model = await privately();
      content = await s.deploy("VerifiedContent", "Secrets", "SCR", s.coordinatorAddress, model, false);
      const { r, id } = await fulfilled({ model, inputKind: INPUT_KIND.private });
      const shown = toBeHex(C, 32);
      await act(content, "stranger", "addAigcData", id, shown, OUTPUT, ofRequest(r));
      await refuses(toBeHex(C + 1n, 32), OUTPUT, ofRequest(r), content, "PromptMismatch", toBeHex(C + 1n, 32), shown);
      await refuses(INPUT, OUTPUT, ofRequest(r), content, "PromptMismatch", keccak256(INPUT), shown);
      await refuses("0x", OUTPUT, ofRequest(r), content, "PromptMismatch", keccak256("0x"), shown);
      await refuses(`${shown}00`, OUTPUT, ofRequest(r), content, "PromptMismatch", keccak256(`${shown}00`), shown);
      const proof = ofProof(direct(await content.getAddress(), { model, input: NOTHING, inputHash: shown as Hex }));
      expect(await holds(shown, OUTPUT, proof)).to.equal(true);
      await refuses(toBeHex(C + 1n, 32), OUTPUT, proof, content, "PromptMismatch", toBeHex(C + 1n, 32), shown);
      await refuses("0x", OUTPUT, proof, content, "PromptMismatch", keccak256("0x"), shown);
    });

    it("takes no model with a development key unless that is wanted, and no unknown one", async () => {
      const model = await developed();
      const deployed = (at: string, allowed: boolean) => s.deploy("VerifiedContent", "", "", s.coordinatorAddress, at, allowed); // prettier-ignore
      await fails(deployed(model, false), content, "DevelopmentKeyNotAllowed", model);
      await fails(deployed(UNKNOWN, true), s.registry, "ModelUnknown", UNKNOWN);
      content = await deployed(model, true);
      const { r } = await fulfilled({ model, allowDevelopmentKeys: true });
      expect(await holds(INPUT, OUTPUT, ofRequest(r))).to.equal(true);
    });

    it("needs the zk bit of a result", async () => {
      const fake = await s.deploy("FakeCoordinator");
      await act(fake, "deployer", "setRegistry", s.registryAddress);
      content = await s.deploy("VerifiedContent", "", "", await fake.getAddress(), s.model, false);
      const { r } = await s.request();
      for (const [evidence, taken] of [
        [1, true],
        [4, false],
        [17, true],
        [16, false],
      ] as const) {
        const result = {
          output: OUTPUT,
          model: s.model,
          prover: NOBODY,
          evidence,
          fulfilledAt: 1,
          environment: ZeroHash,
        };
        await act(fake, "deployer", "set", result);
        if (taken) await view(content, "requireVerified", [INPUT, OUTPUT, ofRequest(r)]);
        else await refuses(INPUT, OUTPUT, ofRequest(r), content, "EvidenceMissing", evidence);
      }
    });
  });

  describe("ERC-7992", () => {
    let zkml: BaseContract;
    let address: string;
    beforeEach(async () => {
      zkml = await s.deploy("ZkmlView", s.coordinatorAddress);
      address = await zkml.getAddress();
    });
    const systemOf = (name: string): string => keccakOfText(name).slice(0, 10);
    const commitmentOf = (inputHash: string): string =>
      keccak256(coder.encode(["bytes32", "bytes32"], [keccakOfText("glassbox.input.v1"), inputHash]));
    const proofOf = ({ c, words }: ReturnType<typeof direct>, input: BytesLike = INPUT): string =>
      coder.encode(["bytes", "uint256", "uint256[8]"], [input, c, words]);
    const check = (over: { model?: string; commitment?: string; output?: BytesLike; proof?: string } = {}) => {
      const { model = s.model, commitment = commitmentOf(keccak256(INPUT)), output = OUTPUT } = over;
      return act(
        zkml,
        "stranger",
        "verifyInference",
        model,
        commitment,
        output,
        over.proof ?? proofOf(direct(address)),
      );
    };

    it("is announced, both of it, by one contract", async () => {
      await isOnly(zkml, "erc7992Registry", "erc7992Verifier");
      expect(await view(zkml, "registry")).to.equal(address);
    });

    it("has the registry's models, each version under its own number, for ever", async () => {
      const next = await s.another({ sourceDigest: UNKNOWN, quantizedDigest: UNKNOWN, manifestURI: "" });
      const got = async (model: string) => {
        const [commitment, deprecated, owner] = (await view(zkml, "getModel", [model])) as [readonly unknown[], boolean, string]; // prettier-ignore
        return [...commitment, deprecated, owner];
      };
      const { keyHash } = (await view(s.registry, "modelOf", [s.model])) as { keyHash: string };
      const system = systemOf("groth16-bn254-v1");
      const { publisher, stranger } = s.signers;
      const first = [MODEL.quantizedDigest, MODEL.circuitDigest, keyHash, system, MODEL.manifestURI];
      expect(await got(s.model)).to.deep.equal([...first, false, publisher.address]);
      expect(await got(next)).to.deep.equal([
        UNKNOWN,
        MODEL.circuitDigest,
        keyHash,
        system,
        "",
        false,
        publisher.address,
      ]);
      expect(await view(zkml, "proofSystemOf", [s.model])).to.equal(system);
      // A successor takes nothing from a model; retirement does, and the series' owner follows.
      await act(s.registry, "publisher", "deprecate", s.model, next);
      await act(s.registry, "publisher", "offerSeries", s.series, stranger.address);
      await act(s.registry, "stranger", "acceptSeries", s.series);
      expect(await got(s.model)).to.deep.equal([...first, false, stranger.address]);
      await act(s.registry, "stranger", "retire", s.model);
      expect(await got(s.model)).to.deep.equal([...first, true, stranger.address]);
    });

    it("tells a development key by its proof system", async () => {
      const model = await developed();
      expect(await view(zkml, "proofSystemOf", [model])).to.equal(systemOf("groth16-bn254-development-v1"));
      expect(systemOf("groth16-bn254-development-v1")).to.not.equal(systemOf("groth16-bn254-v1"));
    });

    it("is not where models are written, and knows no others", async () => {
      const commitment = [UNKNOWN, UNKNOWN, UNKNOWN, "0x00000000", ""];
      for (const [name, ...args] of [
        ["registerModel", commitment],
        ["updateModel", s.model, commitment],
        ["deprecateModel", s.model],
      ] as const) {
        await fails(view(zkml, name, args), zkml, "WrittenElsewhere", s.registryAddress);
      }
      for (const name of ["getModel", "proofSystemOf"])
        await fails(view(zkml, name, [UNKNOWN]), zkml, "ModelNotFound", BigInt(UNKNOWN));
      await fails(check({ model: UNKNOWN }), zkml, "ModelNotFound", BigInt(UNKNOWN));
    });

    it("verifies an inference, says so, and does it again for anybody", async () => {
      for (let times = 0; times < 2; times++) {
        await expect(check())
          .to.emit(zkml, "InferenceVerified")
          .withArgs(BigInt(s.model), commitmentOf(keccak256(INPUT)), hexlify(OUTPUT), s.signers.stranger.address);
      }
    });

    it("reverts for anything else, by the draft's names", async () => {
      const proof = direct(address);
      await fails(check({ output: flipped(OUTPUT, 0) }), zkml, "InvalidProof");
      for (const output of [OUTPUT.subarray(1), new Uint8Array([...OUTPUT, 0])])
        await fails(check({ output }), zkml, "OutputMismatch");
      for (const commitment of [
        UNKNOWN,
        keccak256(INPUT),
        commitmentOf(UNKNOWN),
        commitmentOf(keccak256(flipped(INPUT, 5))),
      ])
        // prettier-ignore
        await fails(check({ commitment }), zkml, "InputCommitmentMismatch");
      await fails(check({ proof: proofOf(proof, flipped(INPUT, 5)) }), zkml, "InputCommitmentMismatch");
      const other = flipped(INPUT, 5);
      await fails(check({ proof: proofOf(proof, other), commitment: commitmentOf(keccak256(other)) }), zkml, "InvalidProof"); // prettier-ignore
      const short = INPUT.subarray(1);
      await fails(check({ proof: proofOf(proof, short), commitment: commitmentOf(keccak256(short)) }), s.coordinator, "InputLengthMismatch", 63, 64); // prettier-ignore
      await fails(check({ proof: proofOf({ ...proof, c: C + 1n }) }), zkml, "InvalidProof");
      await fails(check({ proof: proofOf(direct(s.signers.stranger.address)) }), zkml, "InvalidProof");
      const next = await s.another({ sourceDigest: UNKNOWN });
      await fails(check({ model: next }), zkml, "InvalidProof");
      await check({ model: next, proof: proofOf(direct(address, { model: next })) });
      await expect(check({ proof: "0x" })).to.be.revertedWithoutReason(chain.ethers);
    });

    it("refuses a retired model, and not one that names a successor", async () => {
      await act(s.registry, "publisher", "deprecate", s.model, await s.another({ sourceDigest: UNKNOWN }));
      await check();
      await act(s.registry, "publisher", "retire", s.model);
      await fails(check(), zkml, "VerificationRefused_ModelDeprecated", BigInt(s.model));
    });

    it("binds a private input by its commitment", async () => {
      const model = await privately();
      const shown = toBeHex(C, 32) as Hex;
      const made = direct(address, { model, input: NOTHING, inputHash: shown });
      const commitment = commitmentOf(shown);
      await check({ model, commitment, proof: proofOf(made, NOTHING) });
      await fails(check({ model, commitment: commitmentOf(toBeHex(C + 1n, 32)), proof: proofOf(made, NOTHING) }), zkml, "InputCommitmentMismatch"); // prettier-ignore
      await fails(check({ model, commitment: commitmentOf(keccak256("0x")), proof: proofOf(made, NOTHING) }), zkml, "InputCommitmentMismatch"); // prettier-ignore
      await fails(
        check({ model, commitment, proof: proofOf(made, "0x00") }),
        s.coordinator,
        "InputLengthMismatch",
        1,
        0,
      );
    });
  });

  describe("ERC-8004", () => {
    let agents: BaseContract;
    let validations: BaseContract;
    let validator: BaseContract;
    let validatorAddress: string;
    const SALT = ZeroHash;
    beforeEach(async () => {
      agents = await s.deploy("Agents");
      validations = await s.deploy("ValidationRegistry", await agents.getAddress());
      validator = await s.deploy("InferenceValidator", s.coordinatorAddress, await validations.getAddress());
      validatorAddress = await validator.getAddress();
      await act(agents, "prover", "register"); // agent 1
      await act(agents, "rival", "register"); // agent 2
    });
    const hashOf = (agent: number, id: string, salt = SALT): string =>
      keccak256(coder.encode(["uint256", "bytes32", "bytes32"], [agent, id, salt]));
    const ask = (from: Signer, agent: number, hash: string, by: string = validatorAddress, uri = "ipfs://work") =>
      act(validations, from, "validationRequest", by, agent, uri, hash);
    const respond = (agent: number, id: string, salt = SALT) => act(validator, "stranger", "respond", agent, id, salt);
    const statusOf = async (hash: string) => [
      ...((await view(validations, "getValidationStatus", [hash])) as unknown[]),
    ];
    const summaryOf = async (agent: number, validators: readonly string[] = [], tag = "") => [
      ...((await view(validations, "getSummary", [agent, validators, tag])) as unknown[]),
    ];

    it("is announced, registry and validator", async () => {
      await isOnly(validations, "erc8004Validation");
      await isOnly(validator, "inferenceValidator");
      expect(await view(validations, "getIdentityRegistry")).to.equal(await agents.getAddress());
      await fails(s.deploy("ValidationRegistry", s.signers.prover.address), validations, "IdentityRegistryHasNoCode");
    });

    it("has agents ask: their owners and operators, of a validator, each hash once", async () => {
      const { prover, rival, stranger, payer } = s.signers;
      const [a, b, c, d] = [1, 2, 3, 4].map((i) => toBeHex(i, 32)) as [string, string, string, string];
      await expect(ask("prover", 1, a))
        .to.emit(validations, "ValidationRequest")
        .withArgs(validatorAddress, 1, "ipfs://work", a);
      expect(await statusOf(a)).to.deep.equal([validatorAddress, 1n, 0n, ZeroHash, "", 0n]);
      await fails(ask("prover", 1, a), validations, "ValidationAlreadyRequested", a);
      await fails(ask("rival", 2, a), validations, "ValidationAlreadyRequested", a);
      await fails(ask("rival", 1, b), validations, "CallerIsNotAgent", rival.address, 1);
      await fails(ask("stranger", 1, b), validations, "CallerIsNotAgent", stranger.address, 1);
      await act(agents, "prover", "approve", stranger.address, 1);
      await ask("stranger", 1, b);
      await act(agents, "prover", "setApprovalForAll", payer.address, true);
      await ask("payer", 1, c);
      await act(agents, "prover", "setApprovalForAll", payer.address, false);
      await fails(ask("payer", 1, d), validations, "CallerIsNotAgent", payer.address, 1);
      await fails(ask("prover", 1, d, NOBODY), validations, "ValidatorMissing");
      await fails(ask("prover", 3, d), agents, "ERC721NonexistentToken", 3);
      expect(await view(validations, "getAgentValidations", [1])).to.deep.equal([a, b, c]);
      expect(await view(validations, "getAgentValidations", [2])).to.deep.equal([]);
      expect(await view(validations, "getValidatorRequests", [validatorAddress])).to.deep.equal([a, b, c]);
      expect(await view(validations, "getValidatorRequests", [prover.address])).to.deep.equal([]);
    });

    it("has the validator that was asked answer from 0 to 100, and anew", async () => {
      const { stranger, rival } = s.signers;
      const [a, b, c] = [1, 2, 3].map((i) => toBeHex(i, 32)) as [string, string, string];
      const answer = (from: Signer, hash: string, response: number, tag = "t", responseHash = UNKNOWN) =>
        act(validations, from, "validationResponse", hash, response, "ipfs://why", responseHash, tag);
      await fails(answer("stranger", a, 1), validations, "ValidationUnknown", a);
      await fails(statusOf(a), validations, "ValidationUnknown", a);
      for (const hash of [a, b, c]) await ask("prover", 1, hash, hash === c ? rival.address : stranger.address);
      expect(await summaryOf(1)).to.deep.equal([0n, 0n]);
      await fails(answer("rival", a, 1), validations, "CallerIsNotValidator", rival.address, stranger.address);
      await fails(
        answer("prover", a, 1),
        validations,
        "CallerIsNotValidator",
        s.signers.prover.address,
        stranger.address,
      );
      for (const response of [101, 255])
        await fails(answer("stranger", a, response), validations, "ResponseTooHigh", response);
      const sent = await answer("stranger", a, 0);
      const time = BigInt((await sent.getBlock())?.timestamp ?? 0);
      await expect(sent)
        .to.emit(validations, "ValidationResponse")
        .withArgs(stranger.address, 1, a, 0, "ipfs://why", UNKNOWN, "t");
      expect(await statusOf(a)).to.deep.equal([stranger.address, 1n, 0n, UNKNOWN, "t", time]);
      expect(await summaryOf(1)).to.deep.equal([1n, 0n]);
      await answer("stranger", b, 100, "other");
      await answer("rival", c, 51);
      expect(await summaryOf(1)).to.deep.equal([3n, 50n]); // 151 / 3, rounded down
      expect(await summaryOf(1, [], "t")).to.deep.equal([2n, 25n]);
      expect(await summaryOf(1, [rival.address])).to.deep.equal([1n, 51n]);
      expect(await summaryOf(1, [rival.address, stranger.address], "other")).to.deep.equal([1n, 100n]);
      expect(await summaryOf(1, [s.signers.payer.address])).to.deep.equal([0n, 0n]);
      expect(await summaryOf(2)).to.deep.equal([0n, 0n]);
      await answer("stranger", a, 100, "hard");
      expect((await statusOf(a)).slice(2, 5)).to.deep.equal([100n, UNKNOWN, "hard"]);
      expect(await summaryOf(1)).to.deep.equal([3n, 83n]);
    });

    it("has our validator say 100 of an inference that the agent proved to the chain, whoever has it answer", async () => {
      const { id } = await fulfilled();
      const hash = hashOf(1, id);
      expect(await view(validator, "requestHashOf", [1, id, SALT])).to.equal(hash);
      await ask("prover", 1, hash);
      await expect(respond(1, id))
        .to.emit(validations, "ValidationResponse")
        .withArgs(validatorAddress, 1, hash, 100, "", keccak256(OUTPUT), "zk");
      expect((await statusOf(hash)).slice(0, 5)).to.deep.equal([validatorAddress, 1n, 100n, keccak256(OUTPUT), "zk"]);
      expect(await summaryOf(1, [validatorAddress], "zk")).to.deep.equal([1n, 100n]);
      // Once: nobody makes an old answer look new, and no other salt makes one inference count twice.
      await fails(respond(1, id), validator, "ValidationAlreadyAnswered", 1, id);
      await ask("prover", 1, hashOf(1, id, UNKNOWN));
      await fails(respond(1, id, UNKNOWN), validator, "ValidationAlreadyAnswered", 1, id);
      expect(await summaryOf(1)).to.deep.equal([1n, 100n]);
      const next = await fulfilled();
      await ask("prover", 1, hashOf(1, next.id));
      await respond(1, next.id);
      expect(await summaryOf(1)).to.deep.equal([2n, 100n]);
    });

    it("has it say nothing before the proof is there, whatever it is told", async () => {
      const asked = await s.request();
      const { id } = asked;
      await ask("prover", 1, hashOf(1, id));
      await fails(respond(1, id), s.coordinator, "RequestNotFulfilled", id);
      await s.claim(asked, s.signers.prover, 10n ** 15n);
      await fails(respond(1, id), s.coordinator, "RequestNotFulfilled", id);
      expect((await statusOf(hashOf(1, id))).slice(2)).to.deep.equal([0n, ZeroHash, "", 0n]);
      await s.fulfil(s.answer(asked));
      await respond(1, id);
      const expired = await s.request();
      await ask("prover", 1, hashOf(1, expired.id));
      await chain.at(expired.r.deadline + 1);
      await s.expire(expired);
      await fails(respond(1, expired.id), s.coordinator, "RequestNotFulfilled", expired.id);
      await ask("prover", 1, hashOf(1, UNKNOWN));
      await fails(respond(1, UNKNOWN), s.coordinator, "RequestNotFulfilled", UNKNOWN);
    });

    it("has it say nothing that it was not asked, or that another validator was", async () => {
      const { id } = await fulfilled();
      await fails(respond(1, id), validations, "ValidationUnknown", hashOf(1, id));
      await ask("prover", 1, hashOf(1, id), s.signers.stranger.address);
      await fails(respond(1, id), validations, "CallerIsNotValidator", validatorAddress, s.signers.stranger.address);
      await ask("prover", 1, hashOf(1, id, UNKNOWN));
      await fails(respond(1, id), validations, "CallerIsNotValidator", validatorAddress, s.signers.stranger.address);
      await respond(1, id, UNKNOWN);
    });

    it("has it credit no agent with what others proved, nor one with the request of another", async () => {
      const { prover, payer } = s.signers;
      const { id } = await fulfilled();
      await ask("rival", 2, hashOf(2, id));
      await fails(respond(2, id), validator, "ProverIsNotAgent", prover.address, 2);
      // Agent 2 uses up the hash of agent 1: it gains nothing, and agent 1 takes another salt.
      await ask("rival", 2, hashOf(1, id));
      await fails(respond(1, id), validator, "ValidationOfOtherAgent", hashOf(1, id), 2);
      await fails(ask("prover", 1, hashOf(1, id)), validations, "ValidationAlreadyRequested", hashOf(1, id));
      await ask("prover", 1, hashOf(1, id, UNKNOWN));
      await respond(1, id, UNKNOWN);
      expect(await summaryOf(2)).to.deep.equal([0n, 0n]);
      expect(await summaryOf(1)).to.deep.equal([1n, 100n]);
      // A prover that acts for an agent is the agent, if it says so itself: an owner's approval is not the prover's word.
      const own = (of = id) => act(validator, "prover", "respond", 3, of, SALT);
      await act(agents, "payer", "register"); // agent 3
      await ask("payer", 3, hashOf(3, id));
      await fails(own(), validator, "ProverIsNotAgent", prover.address, 3);
      await act(agents, "payer", "setApprovalForAll", prover.address, true);
      await fails(respond(3, id), validator, "ProverIsNotAgent", prover.address, 3);
      await fails(act(validator, "payer", "respond", 3, id, SALT), validator, "ProverIsNotAgent", prover.address, 3);
      await own();
      const next = await fulfilled();
      await ask("payer", 3, hashOf(3, next.id));
      await act(agents, "payer", "setApprovalForAll", prover.address, false);
      await fails(own(next.id), validator, "ProverIsNotAgent", prover.address, 3);
      await act(agents, "payer", "approve", prover.address, 3);
      await fails(respond(3, next.id), validator, "ProverIsNotAgent", prover.address, 3);
      await own(next.id);
      expect(await view(agents, "ownerOf", [3])).to.equal(payer.address);
    });

    it("has it name the evidence: development keys as a caveat, inputs that came from the chain", async () => {
      const tagged = async (over: Parameters<Stage["request"]>[0]): Promise<unknown> => {
        const { id } = await fulfilled(over);
        await ask("prover", 1, hashOf(1, id));
        await respond(1, id);
        return (await statusOf(hashOf(1, id)))[4];
      };
      const source = await s.deploy("FixedSource");
      await act(source, "deployer", "set", INPUT);
      const origin = coder.encode(["address", "bytes"], [await source.getAddress(), "0x"]);
      const model = await developed();
      const read = { inputKind: INPUT_KIND.source, origin };
      expect(await tagged({})).to.equal("zk");
      expect(await tagged(read)).to.equal("zk+chain-input");
      expect(await tagged({ model, allowDevelopmentKeys: true })).to.equal("zk+development-key");
      expect(await tagged({ ...read, model, allowDevelopmentKeys: true })).to.equal("zk+development-key+chain-input");
      expect(await summaryOf(1, [validatorAddress], "zk")).to.deep.equal([1n, 100n]);
      expect(await summaryOf(1, [validatorAddress])).to.deep.equal([4n, 100n]);
    });

    it("has it say nothing of what was not proven, and name what later evidence there may be", async () => {
      const fake = await s.deploy("FakeCoordinator");
      validator = await s.deploy("InferenceValidator", await fake.getAddress(), await validations.getAddress());
      validatorAddress = await validator.getAddress();
      const tags = ["", "zk", "", "zk+attested", "", "zk+optimistic"].entries();
      for (const [evidence, tag] of [
        ...tags,
        [30, ""] as const,
        [31, "zk+attested+optimistic+development-key+chain-input"] as const,
      ]) {
        const id = toBeHex(1000 + evidence, 32);
        const result = { output: OUTPUT, model: s.model, prover: s.signers.prover.address, evidence, fulfilledAt: 1, environment: ZeroHash }; // prettier-ignore
        await act(fake, "deployer", "set", result);
        await ask("prover", 1, hashOf(1, id));
        if (tag === "") {
          await fails(respond(1, id), validator, "EvidenceMissing", id, evidence);
        } else {
          await respond(1, id);
          expect((await statusOf(hashOf(1, id)))[4]).to.equal(tag);
        }
      }
    });
  });
});
