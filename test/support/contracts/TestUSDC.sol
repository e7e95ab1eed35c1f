// SPDX-License-Identifier: MIT
pragma solidity ^0.8.26;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// A stand-in for USDC on the local chain: it accepts and refuses what Circle's FiatToken V2.2 does.
///
/// It runs behind TestProxy, where no constructor has run: the name, and with it the signing domain, is read from
/// storage, as FiatToken does. Its switches are open to anyone: it never leaves a local chain.
contract TestUSDC is ERC3009 {
    /// Emitted instead of a revert while silent, as PYUSD does: status 1, no Transfer, nobody was paid.
    event AuthorizationAlreadyUsed(address indexed authorizer, bytes32 indexed nonce);

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    bool public paused;
    bool public silent;
    mapping(address account => bool) public isBlacklisted;
    string private _nameBehindProxy;

    constructor() ERC20("USDC", "USDC") EIP712("USDC", "2") {}

    function name() public view override returns (string memory) {
        return _nameBehindProxy;
    }

    function setName(string calldata newName) external {
        _nameBehindProxy = newName;
    }

    function symbol() public pure override returns (string memory) {
        return "USDC";
    }

    function version() public pure returns (string memory) {
        return "2";
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, keccak256(bytes(name())), keccak256(bytes(version())), block.chainid, address(this)
            )
        );
    }

    function mint(address to, uint256 value) external {
        _mint(to, value);
    }

    function pause() external {
        paused = true;
    }

    function unpause() external {
        paused = false;
    }

    function blacklist(address account) external {
        isBlacklisted[account] = true;
    }

    function unBlacklist(address account) external {
        isBlacklisted[account] = false;
    }

    function setSilent(bool on) external {
        silent = on;
    }

    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) public override {
        transferWithAuthorization(from, to, value, validAfter, validBefore, nonce, abi.encodePacked(r, s, v));
    }

    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes memory signature
    ) public {
        bytes32 message = keccak256(
            abi.encode(TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _authorizedTransfer(message, from, to, value, validAfter, validBefore, nonce, signature);
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) public override {
        receiveWithAuthorization(from, to, value, validAfter, validBefore, nonce, abi.encodePacked(r, s, v));
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes memory signature
    ) public {
        _requireOpen(from, to);
        require(to == msg.sender, "FiatTokenV2: caller must be the payee");
        bytes32 message = keccak256(
            abi.encode(RECEIVE_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _authorizedTransfer(message, from, to, value, validAfter, validBefore, nonce, signature);
    }

    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) public override {
        cancelAuthorization(authorizer, nonce, abi.encodePacked(r, s, v));
    }

    function cancelAuthorization(address authorizer, bytes32 nonce, bytes memory signature) public {
        require(!paused, "Pausable: paused");
        if (_ignoredAsUsed(authorizer, nonce)) return;
        bytes32 message = keccak256(abi.encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce));
        _requireSigned(message, authorizer, signature);
        _cancelAuthorization(authorizer, nonce);
    }

    function _authorizedTransfer(
        bytes32 message,
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes memory signature
    ) private {
        _requireOpen(from, to);
        _checkValidity(validAfter, validBefore);
        if (_ignoredAsUsed(from, nonce)) return;
        _requireSigned(message, from, signature);
        _consumeNonce(from, nonce);
        emit AuthorizationUsed(from, nonce);
        _transfer(from, to, value);
    }

    /// Plain timestamps, strict on both sides: OpenZeppelin would read a high bit as block numbers.
    function _checkValidity(uint256 validAfter, uint256 validBefore) internal view override {
        require(block.timestamp > validAfter, "FiatTokenV2: authorization is not yet valid");
        require(block.timestamp < validBefore, "FiatTokenV2: authorization is expired");
    }

    function _ignoredAsUsed(address authorizer, bytes32 nonce) private returns (bool) {
        if (!authorizationState(authorizer, nonce)) return false;
        require(silent, "FiatTokenV2: authorization is used or canceled");
        emit AuthorizationAlreadyUsed(authorizer, nonce);
        return true;
    }

    /// A signer with code answers by ERC-1271 alone, even one who delegated by EIP-7702 and signed correctly.
    function _requireSigned(bytes32 message, address signer, bytes memory signature) private view {
        require(
            SignatureChecker.isValidSignatureNow(signer, _hashTypedDataV4(message), signature),
            "FiatTokenV2: invalid signature"
        );
    }

    function _hashTypedDataV4(bytes32 message) internal view override returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(DOMAIN_SEPARATOR(), message);
    }

    function _requireOpen(address from, address to) private view {
        require(!paused, "Pausable: paused");
        require(!isBlacklisted[from] && !isBlacklisted[to], "Blacklistable: account is blacklisted");
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from != address(0)) {
            _requireOpen(from, to);
            require(balanceOf(from) >= value, "ERC20: transfer amount exceeds balance");
        }
        super._update(from, to, value);
    }
}
