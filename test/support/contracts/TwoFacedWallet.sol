// SPDX-License-Identifier: MIT
pragma solidity ^0.8.26;

/// A hostile smart account: its ERC-1271 answer depends on the place where it is asked, which a simulation cannot imitate
/// in full. Slot 0 chooses the property it looks at and its ways to agree and to refuse, slot 1 the value that it compares
/// with.
contract TwoFacedWallet {
    uint256 private property;
    uint256 private threshold;

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        bool agreesAbove = property & 64 > 0;
        if ((_seen() > threshold) == agreesAbove) return this.isValidSignature.selector;
        // Two ways to refuse: a wrong answer, or all the gas.
        while (property & 32 > 0) {}
        return bytes4(0);
    }

    function _seen() private view returns (uint256) {
        uint256 which = property % 32;
        if (which == 0) return tx.gasprice;
        if (which == 1) return gasleft();
        if (which == 2) return block.number;
        if (which == 3) return block.timestamp;
        if (which == 4) return uint160(tx.origin);
        if (which == 5) return uint160(address(block.coinbase));
        if (which == 6) return block.prevrandao;
        if (which == 7) return tx.origin.balance;
        if (which == 8) return block.basefee;
        if (which == 9) return block.gaslimit;
        if (which == 10) return uint256(blockhash(block.number - 1));
        if (which == 11) return address(this).balance;
        if (which == 12) return uint160(msg.sender);
        return 0;
    }
}
