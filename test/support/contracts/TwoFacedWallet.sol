// SPDX-License-Identifier: MIT
pragma solidity ^0.8.26;

/// A hostile smart account: its ERC-1271 answer depends on the place where it is asked, which a simulation cannot imitate
/// in full. Slot 0 chooses the property it looks at, slot 1 the value that it compares with.
contract TwoFacedWallet {
    uint256 private property;
    uint256 private threshold;

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        if (_seen() <= threshold) return this.isValidSignature.selector;
        // Two ways to refuse: a wrong answer, or all the gas.
        while (property >= 16) {}
        return bytes4(0);
    }

    function _seen() private view returns (uint256) {
        uint256 which = property % 16;
        if (which == 0) return tx.gasprice;
        if (which == 1) return gasleft();
        if (which == 2) return block.number;
        if (which == 3) return block.timestamp;
        if (which == 4) return uint160(tx.origin);
        if (which == 5) return uint160(address(block.coinbase));
        if (which == 6) return block.prevrandao;
        if (which == 7) return tx.origin.balance;
        return 0;
    }
}
