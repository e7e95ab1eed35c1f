/** Implements x402's `exact` with ERC-3009 `transferWithAuthorization`, called on the asset itself. */
import * as z from "zod"
import { atomicPattern, parseAtomic } from "../values/amount.ts"
import {
  type Address,
  encodeFunctionData,
  type Hex,
  isCanonicalSignature,
  lowerAddress,
  parseAbi,
  parseAddress,
  prepareEncodeFunctionData,
  zeroAddress,
} from "../values/evm.ts"
import { createTypedDataHash } from "../values/typed-data.ts"
import { addressIn, addressTopic, eventTopic, logsOf, readIncome } from "./erc20.ts"
import {
  type ChainLog,
  PayloadError,
  type Scheme,
  type SignedTransfer,
  type TransferOutcome,
  type TransferTerms,
} from "./scheme.ts"

const abi = parseAbi([
  "function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)",
  "function authorizationState(address authorizer, bytes32 nonce) view returns (bool)",
])

const primaryType = "TransferWithAuthorization"
const members = [
  { name: "from", type: "address" },
  { name: "to", type: "address" },
  { name: "value", type: "uint256" },
  { name: "validAfter", type: "uint256" },
  { name: "validBefore", type: "uint256" },
  { name: "nonce", type: "bytes32" },
] as const
const hashAuthorization = createTypedDataHash(primaryType, members)

// Prepared once, because viem hashes the signature of a function to find its selector.
const transferCall = prepareEncodeFunctionData({ abi, functionName: "transferWithAuthorization" })
const stateCall = prepareEncodeFunctionData({ abi, functionName: "authorizationState" })

const authorizationUsed = eventTopic("AuthorizationUsed(address,bytes32)")
const authorizationCanceled = eventTopic("AuthorizationCanceled(address,bytes32)")

const uint256 = z.string().regex(atomicPattern)
const payloadSchema = z.strictObject({
  signature: z
    .string()
    .regex(/^0x(?:[0-9a-fA-F]{2})*$/)
    .max(4096),
  authorization: z.strictObject({
    from: z.string(),
    to: z.string(),
    value: uint256,
    validAfter: uint256,
    validBefore: uint256,
    nonce: z.string().regex(/^0x[0-9a-fA-F]{64}$/),
  }),
})

export const exactEip3009 = {
  id: "exact",
  name: "exact",
  assetTransferMethod: "eip3009",
  batchable: true,

  extra: (asset) => ({ name: asset.eip712.name, version: asset.eip712.version }),

  parse(payload: unknown): SignedTransfer {
    const parsed = payloadSchema.safeParse(payload)
    if (!parsed.success) {
      const issue = parsed.error.issues[0]
      const where = ["payload", ...(issue?.path ?? [])].join(".")
      throw new PayloadError(
        `At ${where}: wanted the members of an EIP-3009 authorization, as canonical strings.`,
      )
    }
    const { authorization, signature } = parsed.data
    return {
      payer: requireAddress(authorization.from, "from"),
      payTo: requireAddress(authorization.to, "to"),
      value: parseAtomic(authorization.value),
      validAfter: parseAtomic(authorization.validAfter),
      validBefore: parseAtomic(authorization.validBefore),
      nonce: authorization.nonce.toLowerCase() as Hex,
      signature: signature.toLowerCase() as Hex,
    }
  },

  serialize: (transfer: SignedTransfer) => ({
    signature: transfer.signature,
    authorization: {
      from: transfer.payer,
      to: transfer.payTo,
      value: transfer.value.toString(),
      validAfter: transfer.validAfter.toString(),
      validBefore: transfer.validBefore.toString(),
      nonce: transfer.nonce,
    },
  }),

  redemptionKey: (chainId, asset, transfer) =>
    `eip3009:${chainId}:${lowerAddress(asset)}:${transfer.payer}:${transfer.nonce}`,

  sign: (terms, domain, signer) =>
    signer.signTypedData({
      domain,
      types: { [primaryType]: members },
      primaryType,
      message: message(terms),
    }),

  async verify(transfer, domain, recover) {
    if (!isCanonicalSignature(transfer.signature)) return "signature_not_canonical"
    const digest = hashAuthorization(domain, message(transfer))
    const signer = await recover(digest, transfer.signature)
    return signer === transfer.payer && signer !== zeroAddress ? "valid" : "signature_invalid"
  },

  settlement: { selector: "0xcf092995", target: (asset) => asset },

  settlementCall: (asset, transfer) => ({
    to: asset,
    data: encodeFunctionData({
      ...transferCall,
      args: [
        transfer.payer,
        transfer.payTo,
        transfer.value,
        transfer.validAfter,
        transfer.validBefore,
        transfer.nonce,
        transfer.signature,
      ],
    }),
  }),

  // True for a cancelled nonce as well: only the logs distinguish the two.
  usedCall: (asset, { payer, nonce }) => ({
    to: asset,
    data: encodeFunctionData({ ...stateCall, args: [payer, nonce] }),
  }),
  isUsed: (answer) => answer !== 0n,

  outcomeLogs: (asset, { payer, nonce }) => ({
    address: asset,
    topics: [[authorizationUsed, authorizationCanceled], addressTopic(payer), nonce],
  }),

  outcome(logs, asset, transfer): TransferOutcome {
    const ofAsset = logsOf(logs, asset)
    const at = ofAsset.findIndex(
      (log) =>
        (log.topics[0] === authorizationUsed || log.topics[0] === authorizationCanceled) &&
        log.topics[1] === addressTopic(transfer.payer) &&
        log.topics[2] === transfer.nonce,
    )
    const event = ofAsset[at]
    if (!event) return { kind: "silent" }
    if (event.topics[0] === authorizationCanceled) return { kind: "cancelled" }
    // FiatToken marks the nonce and then transfers, so only the asset's very next log can pay for this nonce. Looking
    // further would let one Transfer pay for several nonces.
    const next = ofAsset[at + 1]
    const received = next && amountMoved(next, transfer)
    if (next === undefined || received === undefined) return { kind: "diverted" }
    if (received < transfer.value) return { kind: "short", received }
    return { kind: "paid", logIndex: next.logIndex }
  },

  payments(logs, asset) {
    const ofAsset = logsOf(logs, asset)
    return ofAsset.flatMap(({ topics: [event, authorizer, nonce] }, at) => {
      const follower = ofAsset[at + 1]
      const money = follower && readIncome(follower)
      if (event !== authorizationUsed || !authorizer || !nonce || !money) return []
      return money.payer === addressIn(authorizer) ? [{ ...money, nonce, logIndex: follower.logIndex }] : []
    })
  },
} satisfies Scheme

/** The amount of a Transfer log from payer to payTo; undefined for any other log. */
function amountMoved(log: ChainLog, { payer, payTo }: TransferTerms): bigint | undefined {
  const money = readIncome(log)
  return money?.payer === lowerAddress(payer) && money.payTo === lowerAddress(payTo) ? money.value : undefined
}

const message = (terms: TransferTerms) => ({
  from: terms.payer,
  to: terms.payTo,
  value: terms.value,
  validAfter: terms.validAfter,
  validBefore: terms.validBefore,
  nonce: terms.nonce,
})

function requireAddress(text: string, member: string): Address {
  const address = parseAddress(text)
  if (!address)
    throw new PayloadError(`At payload.authorization.${member}: wanted an address of 20 bytes in hex.`)
  return address
}
