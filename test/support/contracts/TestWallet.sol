// SPDX-License-Identifier: MIT
pragma solidity ^0.8.26;

/// A smart account for tests: what it signed is what its owner of the moment signed (ERC-1271). Owner is slot 0, which a
/// test writes as it likes; whatever follows the owner's 65 bytes is of no account.
contract TestWallet {
    address private owner;

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (signature.length < 65) return 0;
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        address signer = ecrecover(digest, uint8(signature[64]), r, s);
        return signer != address(0) && signer == owner ? this.isValidSignature.selector : bytes4(0);
    }
}
