// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title ERC-7007 (final): tokens of content that a model made
/// @notice The ERC-165 id is 0x702c55a6. The standard wants ERC-721 and ERC-165 beside it.
interface IERC7007 {
    event AigcData(uint256 indexed tokenId, bytes indexed prompt, bytes indexed aigcData, bytes proof);

    /// @notice Binds what a model made of a prompt to a token.
    function addAigcData(
        uint256 tokenId,
        bytes calldata prompt,
        bytes calldata aigcData,
        bytes calldata proof
    ) external;

    /// @notice Whether `proof` shows that the model made `aigcData` of `prompt`.
    function verify(
        bytes calldata prompt,
        bytes calldata aigcData,
        bytes calldata proof
    ) external view returns (bool success);
}
