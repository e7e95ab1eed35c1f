// SPDX-License-Identifier: MIT
pragma solidity ^0.8.26;

/// Many signed payments of one asset in one transaction, none of which can spoil another's: each call has a gas cap of
/// its own, what it returns is not looked at, and whether it paid is told by its own logs.
///
/// It keeps nothing, owns nothing, obeys nobody in particular and takes no ether: anybody may call it, and can do with
/// it only what a signature allows anyway.
contract Settler {
    /// Between the check and the call: at most 2,600 for a cold account, and the check itself.
    uint256 private constant CALL_COST = 5_000;

    /// Calls the asset with each of the calldatas. Reverts as a whole rather than give one call less than `gasEach`.
    function run(address asset, uint256 gasEach, bytes[] calldata calls) external {
        // A call gets at most 63/64 of the gas left (EIP-150), and less than asked without a word: whoever submits a
        // batch with little gas could make the last payments fail.
        uint256 wanted = gasEach + gasEach / 63 + CALL_COST;
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes memory data = calls[i];
            require(gasleft() >= wanted);
            assembly ("memory-safe") {
                pop(call(gasEach, asset, 0, add(data, 0x20), mload(data), 0x00, 0x00))
            }
        }
    }
}
