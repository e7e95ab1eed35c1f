// SPDX-License-Identifier: MIT
pragma solidity ^0.8.26;

/// Reads everything about one payment in one eth_call and is never deployed: the call has no `to`, its data is this
/// creation code with the arguments after it, and the constructor returns the answer instead of code.
///
/// The contracts it calls are strangers. Every inner call has a gas cap and copies at most one word back, so one that
/// reverts, burns gas or returns a megabyte spoils its own answer and never this one: an answer that cannot be read
/// is 0 or false.
contract IntakeRead {
    struct Call {
        address to;
        bytes data;
    }

    uint256 private constant READ_GAS = 100_000;
    /// Room for a contract payer's ERC-1271 check; USDC's own transfer takes under 80,000.
    uint256 private constant TRANSFER_GAS = 300_000;

    /// `used` asks the scheme's once-only key, `settlement` moves the money.
    constructor(address asset, address payer, address payTo, Call memory used, Call memory settlement) {
        bytes memory answer = _answer(asset, payer, payTo, used, settlement);
        assembly ("memory-safe") {
            return(add(answer, 0x20), mload(answer))
        }
    }

    function _answer(
        address asset,
        address payer,
        address payTo,
        Call memory used,
        Call memory settlement
    ) private returns (bytes memory) {
        uint256 balance = _balanceOf(asset, payer);
        uint256 usedWord = _read(used.to, used.data);
        uint256 before = _balanceOf(asset, payTo);
        // A call to an address without code succeeds and moves nothing.
        bool transferred = settlement.to.code.length > 0 && _settle(settlement);
        uint256 afterwards = _balanceOf(asset, payTo);
        // Nothing is received where payer and payee are one account, or where the asset takes from the payee.
        uint256 received = transferred && afterwards > before ? afterwards - before : 0;
        return
            abi.encode(_codeOf(payer), balance, usedWord, transferred, received, block.number, block.timestamp);
    }

    /// Hash of the code at an account; 0 without code, whether the account exists or not.
    function _codeOf(address account) private view returns (bytes32) {
        return account.code.length > 0 ? account.codehash : bytes32(0);
    }

    function _balanceOf(address asset, address account) private view returns (uint256) {
        return _read(asset, abi.encodeWithSignature("balanceOf(address)", account));
    }

    function _read(address to, bytes memory data) private view returns (uint256 word) {
        assembly ("memory-safe") {
            let ok := staticcall(READ_GAS, to, add(data, 0x20), mload(data), 0x00, 0x20)
            if and(ok, gt(returndatasize(), 0x1f)) {
                word := mload(0x00)
            }
        }
    }

    function _settle(Call memory settlement) private returns (bool ok) {
        address to = settlement.to;
        bytes memory data = settlement.data;
        assembly ("memory-safe") {
            ok := call(TRANSFER_GAS, to, 0, add(data, 0x20), mload(data), 0x00, 0x00)
        }
    }
}
