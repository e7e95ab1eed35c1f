// SPDX-License-Identifier: MIT
pragma solidity ^0.8.26;

/// The chain's whole answer about one payment in one eth_call, never deployed: the call has no `to`, its data is
/// this creation code with the arguments after it, and the constructor returns the answer instead of code.
///
/// The asset is a stranger here. Every inner call has a gas cap and copies at most one word back, so an asset
/// that reverts, burns gas or returns a megabyte spoils its own answer and never this one: what cannot be read
/// is 0 or false.
contract IntakeRead {
    uint256 private constant READ_GAS = 100_000;
    /// Room for a contract payer's ERC-1271 check; USDC's own transfer takes under 80,000.
    uint256 private constant TRANSFER_GAS = 300_000;

    constructor(address asset, address payer, bytes32 nonce, address payTo, bytes memory transferCall) {
        bytes memory answer = _answer(asset, payer, nonce, payTo, transferCall);
        assembly ("memory-safe") {
            return(add(answer, 0x20), mload(answer))
        }
    }

    function _answer(
        address asset,
        address payer,
        bytes32 nonce,
        address payTo,
        bytes memory transferCall
    ) private returns (bytes memory) {
        uint256 balance = _balanceOf(asset, payer);
        bool used = _read(asset, abi.encodeWithSignature("authorizationState(address,bytes32)", payer, nonce)) != 0;
        uint256 before = _balanceOf(asset, payTo);
        // A call to an address without code succeeds and moves nothing.
        bool transferred = asset.code.length > 0 && _transfer(asset, transferCall);
        uint256 afterwards = _balanceOf(asset, payTo);
        // A payer who is the payee, or an asset that takes from the payee, received nothing.
        uint256 received = transferred && afterwards > before ? afterwards - before : 0;
        return abi.encode(payer.code.length, balance, used, transferred, received, block.number, block.timestamp);
    }

    function _balanceOf(address asset, address account) private view returns (uint256) {
        return _read(asset, abi.encodeWithSignature("balanceOf(address)", account));
    }

    function _read(address asset, bytes memory data) private view returns (uint256 word) {
        assembly ("memory-safe") {
            let ok := staticcall(READ_GAS, asset, add(data, 0x20), mload(data), 0x00, 0x20)
            if and(ok, gt(returndatasize(), 0x1f)) {
                word := mload(0x00)
            }
        }
    }

    function _transfer(address asset, bytes memory data) private returns (bool ok) {
        assembly ("memory-safe") {
            ok := call(TRANSFER_GAS, asset, 0, add(data, 0x20), mload(data), 0x00, 0x00)
        }
    }
}
