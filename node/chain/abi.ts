// The contracts' interface as human-readable text: what this node calls, reads and may be refused with. Hand-written from
// contracts/interfaces; a test holds it equal to the compiled artifacts. No behaviour.

const MODEL_PARAMS =
  "(bytes32 sourceDigest, bytes32 quantizedDigest, bytes32 circuitDigest, bytes32 manifestDigest, " +
  "uint32 inputLength, uint32 outputLength, uint8 keyKind, string manifestURI) params";
const SAMPLE = "(bytes input, bytes output, uint256 c, uint256[8] proof) sample";
const MODEL =
  "(address key, uint32 inputLength, uint32 outputLength, uint8 keyKind, bool retired, address publisher, " +
  "uint64 registeredAt, bytes32 keyHash, bytes32 sourceDigest, bytes32 quantizedDigest, bytes32 circuitDigest, " +
  "bytes32 manifestDigest, string manifestURI)";
const REQUEST =
  "(address requester, uint96 fee, bytes32 model, bytes32 inputHash, uint64 deadline, uint32 requiredEvidence, " +
  "bool allowDevelopmentKeys, uint8 status)";
const RESULT =
  "(bytes output, bytes32 model, address prover, uint32 evidence, uint64 fulfilledAt, bytes32 environment)";

/** Thrown by both contracts while they check a proof. */
const PROOF_ERRORS = [
  "error InvalidProof()",
  "error SignalOutOfField(uint256 index, uint256 value)",
  "error CoordinateOutOfField(uint256 index, uint256 value)",
  "error KeyCodeInvalid(address key, uint256 size)",
] as const;

export const REGISTRY_ABI = [
  `function register(${MODEL_PARAMS}, bytes key, ${SAMPLE}) returns (bytes32 id)`,
  "function retire(bytes32 id)",
  `function modelOf(bytes32 id) view returns (${MODEL})`,
  "function keyOf(bytes32 id) view returns (bytes)",
  "event ModelRegistered(bytes32 indexed id, address indexed publisher, uint8 keyKind, address key, bytes32 keyHash, string manifestURI)",
  "event ModelRetired(bytes32 indexed id)",
  "error ModelUnknown(bytes32 id)",
  "error ModelAlreadyRegistered(bytes32 id)",
  "error ModelAlreadyRetired(bytes32 id)",
  "error CallerIsNotPublisher(bytes32 id, address caller, address publisher)",
  "error DigestMissing(uint256 index)",
  "error InputLengthOutOfBounds(uint256 length)",
  "error OutputLengthOutOfBounds(uint256 length)",
  "error ManifestURITooLong(uint256 length)",
  "error SampleInputLengthMismatch(uint256 length, uint256 expected)",
  "error SampleOutputLengthMismatch(uint256 length, uint256 expected)",
  "error KeyLengthInvalid(uint256 length)",
  "error KeyCoordinateOutOfField(uint256 word, uint256 value)",
  "error KeyPointAtInfinity(uint256 word)",
  "error KeyPointNotOnCurve(uint256 word)",
  "error KeyPointNotInSubgroup()",
  "error KeyAlphaIsGenerator()",
  "error KeyBetaIsGenerator()",
  "error KeyDeltaIsGenerator()",
  "error KeyPointsEqual(uint256 word, uint256 otherWord)",
  "error KeyNotStored()",
  ...PROOF_ERRORS,
] as const;

export const COORDINATOR_ABI = [
  "function registry() view returns (address)",
  "function request(bytes32 model, bytes input, uint64 deadline, (uint32 requiredEvidence, bool allowDevelopmentKeys) terms) payable returns (bytes32 id)",
  "function fulfil(bytes32 id, bytes input, bytes output, uint256 c, uint256[8] proof, address prover)",
  "function refund(bytes32 id)",
  "function withdraw(address to)",
  "function declareEnvironment(bytes32 environment)",
  `function result(bytes32 id) view returns (${RESULT})`,
  `function requestOf(bytes32 id) view returns (${REQUEST})`,
  "function credit(address account) view returns (uint256)",
  "function environmentOf(address prover) view returns (bytes32)",
  "event Requested(bytes32 indexed id, bytes32 indexed model, address indexed requester, uint96 fee, uint64 deadline, uint32 requiredEvidence, bool allowDevelopmentKeys, bytes input)",
  "event Fulfilled(bytes32 indexed id, bytes32 indexed model, address indexed prover, uint32 evidence, bytes32 environment, uint256 c, bytes output, uint256[8] proof)",
  "event Refunded(bytes32 indexed id, address indexed requester, uint96 fee)",
  "event Withdrawn(address indexed account, address indexed to, uint256 amount)",
  "event EnvironmentDeclared(address indexed prover, bytes32 environment)",
  "error RegistryHasNoCode(address registry)",
  "error DeadlinePassed(uint256 deadline, uint256 time)",
  "error DeadlineTooFar(uint256 deadline, uint256 latest)",
  "error DeadlineNotPassed(uint256 deadline, uint256 time)",
  "error FeeTooLarge(uint256 fee)",
  "error EvidenceUnavailable(uint32 requiredEvidence, uint32 available)",
  "error ModelIsRetired(bytes32 id)",
  "error DevelopmentKeyNotAllowed(bytes32 id)",
  "error InputLengthMismatch(uint256 length, uint256 expected)",
  "error OutputLengthMismatch(uint256 length, uint256 expected)",
  "error InputMismatch(bytes32 inputHash, bytes32 expected)",
  "error ProverMissing()",
  "error RequestUnknown(bytes32 id)",
  "error RequestAlreadyFulfilled(bytes32 id)",
  "error RequestNotFulfilled(bytes32 id)",
  "error NothingToRefund(bytes32 id)",
  "error NothingToWithdraw(address account)",
  "error ReceiverMissing()",
  "error PaymentFailed(address to, uint256 amount)",
  "error EnvironmentsExhausted(address prover)",
  ...PROOF_ERRORS,
] as const;
