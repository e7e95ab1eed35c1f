// SPDX-License-Identifier: MIT
pragma solidity ^0.8.26;

/// The proxy in front of the test asset. It has the storage slots and the rules of Circle's FiatTokenProxy, a proxy of
/// ZeppelinOS: only the admin upgrades, and the admin reaches nothing behind the proxy. Each call therefore costs two
/// reads of storage and a delegated call, as it does with USDC.
///
/// The runtime code is placed at USDC's address, so admin and implementation are written to storage from outside.
contract TestProxy {
    bytes32 private constant ADMIN = keccak256("org.zeppelinos.proxy.admin");
    bytes32 private constant IMPLEMENTATION = keccak256("org.zeppelinos.proxy.implementation");

    event Upgraded(address implementation);

    function upgradeTo(address newImplementation) external {
        if (msg.sender != _read(ADMIN)) _delegate();
        require(newImplementation.code.length > 0, "Cannot set a proxy implementation to a non-contract address");
        bytes32 slot = IMPLEMENTATION;
        assembly ("memory-safe") {
            sstore(slot, newImplementation)
        }
        emit Upgraded(newImplementation);
    }

    fallback() external {
        require(msg.sender != _read(ADMIN), "Cannot call fallback function from the proxy admin");
        _delegate();
    }

    /// Ends the call with the answer of the implementation.
    function _delegate() private {
        address implementation = _read(IMPLEMENTATION);
        assembly {
            calldatacopy(0, 0, calldatasize())
            let success := delegatecall(gas(), implementation, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if success { return(0, returndatasize()) }
            revert(0, returndatasize())
        }
    }

    function _read(bytes32 slot) private view returns (address value) {
        assembly ("memory-safe") {
            value := sload(slot)
        }
    }
}
