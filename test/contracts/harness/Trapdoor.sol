// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Bn254} from "../../../contracts/libraries/Bn254.sol";

/// @notice trapdoor.ts in Solidity, for tests that run inside of the EVM: a key whose toxic waste is known, and real
/// proofs of any signals. B is always the generator of G2, since there is no precompile for G2.
library Trapdoor {
    uint256 private constant R = Bn254.R;
    uint256 private constant ALPHA = uint256(keccak256("glassbox.test.alpha")) % R;
    uint256 private constant BETA = uint256(keccak256("glassbox.test.beta")) % R;
    uint256 private constant GAMMA = uint256(keccak256("glassbox.test.gamma")) % R;
    uint256 private constant DELTA = uint256(keccak256("glassbox.test.delta")) % R;
    uint256 private constant IC0 = uint256(keccak256("glassbox.test.ic0")) % R;
    uint256 private constant IC1 = uint256(keccak256("glassbox.test.ic1")) % R;
    uint256 private constant IC2 = uint256(keccak256("glassbox.test.ic2")) % R;
    uint256 private constant IC3 = uint256(keccak256("glassbox.test.ic3")) % R;
    uint256 private constant G2_Y_IMAGINARY =
        4082367875863433681332203403145435568316851327593401208105741076214120093531;
    uint256 private constant G2_Y_REAL = 8495653923123431417604973247489272438418190587263600148770280649306958101930;

    error PrecompileFailed();

    /// @notice The verifying key; trapdoor.test.ts holds it equal to TypeScript's.
    bytes internal constant KEY =
        hex"21886bf02ab6df17585353765dac3500961cc9e886b392200cf52af506d24394001982c723db299a66b7a06648f3c0e35eb8282725d76584e36264308efde570"
        hex"1cd6a679764e62065e3071fb6b792f3fb4038d5ca300d4e4c542b4f6fed39220187c8cd9f414f9f8c4199d88b7b43ae844c2144e636454b2e3d1dd1184a575eb"
        hex"2abaafc4075ac5b8cea3311a720fbd1d1dac995a7935caf35bb72848edbd7a9d2ca866c44f8a766c59ceeb6a51fbc70b30b70d77c7ce37920b230c7f155ccbe2"
        hex"2bf53f03fdc12272a03a5a5a17d7280f80bad82e96ac22c522b8d49eb4b7c13e1c8d6aebe3fcaa2b96f65912706615bf680876811e91391dff422c5a9d1c22cf"
        hex"22e4b2f49f7106d45b1291e320bcb9dae4bf82f6baf5d1996884af6076c292160004bd988f83c0539795288778efe60e4b19df70d6d013b3ec89cd53a482cac2"
        hex"001abd5db617f0945492551f6067e0c1dcdc15b35a3a9f85fde53373470755152b9a9668a4804f747e5f335cc56d505fb6e95630ccc4e66203581dc252e0c084"
        hex"18209637f16f12b9b999c6817513cc1cc3a6c7bd3b22068ce046ed3b7451f5d92e458e6739c2c3946f200c336ad8f4c9a1a48212b60d3fdf780fbbc3352dec56"
        hex"28dbb38cafa7540d0764215088c731bb92a4f4c2a599fe2f7b6e57d4118827f619840e5c32e85bb466019a06bff2b68674f5cb5435ce1f48fdb711dda0ec88b2"
        hex"11a697ea7aee1fbece48c8769fb53d129841df6851c30a882de8a2ce1f2113412d90e38ab6dfc98ec731402c7a01a72e24119bb46c71d0821577fe7c0c003292"
        hex"0b9006d9a6ce704a9b04c9eed57f4cd3c1327be2aee46e368a178242fff98edc04058d5cef5b719d3255db8347ed070b8ebec8b4a9cff2634a8f10312632684f"
        hex"14c89d137b2f8cb6495d7c8e02e7c334518bf198b7add1033ad003a92a776bd011f7bf06842cf168f4406fc245d6165c25c29e52f5bd8e10f8e919b625485670";

    /// @notice A proof of `signals`; `a` is any non-zero scalar and makes another proof of the same.
    function prove(uint256[3] memory signals, uint256 a) internal view returns (uint256[8] memory proof) {
        uint256 sum = addmod(IC0, mulmod(signals[0], IC1, R), R);
        sum = addmod(sum, mulmod(signals[1], IC2, R), R);
        sum = addmod(sum, mulmod(signals[2], IC3, R), R);
        uint256 c = addmod(mulmod(ALPHA, BETA, R), mulmod(sum, GAMMA, R), R);
        c = mulmod(addmod(a, R - c, R), inverse(DELTA), R);
        (proof[0], proof[1]) = multiply(a);
        (proof[2], proof[3]) = (Bn254.G2_X_IMAGINARY, Bn254.G2_X_REAL);
        (proof[4], proof[5]) = (G2_Y_IMAGINARY, G2_Y_REAL);
        (proof[6], proof[7]) = multiply(c);
    }

    function multiply(uint256 scalar) internal view returns (uint256 x, uint256 y) {
        (bool ok, bytes memory point) = address(7).staticcall(abi.encode(Bn254.G1_X, Bn254.G1_Y, scalar));
        require(ok, PrecompileFailed());
        return abi.decode(point, (uint256, uint256));
    }

    function inverse(uint256 value) internal view returns (uint256) {
        (bool ok, bytes memory result) = address(5).staticcall(abi.encode(32, 32, 32, value, R - 2, R));
        require(ok, PrecompileFailed());
        return abi.decode(result, (uint256));
    }
}
