/** The x402 scheme `exact` by ERC-3009 `transferWithAuthorization`; a payer with code signs in whatever way his code takes. */
import * as z from "zod"
import { atomicPattern, parseAtomic } from "../values/amount.ts"
import {
  type Address,
  encodeFunctionData,
  type Hex,
  hashTypedData,
  isCanonicalSignature,
  keccak256,
  lowerAddress,
  parseAbi,
  parseAddress,
  stringToBytes,
  zeroAddress,
} from "../values/evm.ts"
import {
  type ChainLog,
  PayloadError,
  type Scheme,
  type TransferOutcome,
  type TransferTerms,
} from "./scheme.ts"

const abi = parseAbi([
  "function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)",
])

const types = {
  TransferWithAuthorization: [
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "value", type: "uint256" },
    { name: "validAfter", type: "uint256" },
    { name: "validBefore", type: "uint256" },
    { name: "nonce", type: "bytes32" },
  ],
} as const

const topic = (event: string): Hex => keccak256(stringToBytes(event))
const authorizationUsed = topic("AuthorizationUsed(address,bytes32)")
const authorizationCanceled = topic("AuthorizationCanceled(address,bytes32)")
const transferred = topic("Transfer(address,address,uint256)")

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

export const exactEip3009: Scheme = {
  name: "exact",
  batchable: true,

  parse(payload) {
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

  serialize: (transfer) => ({
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
      types,
      primaryType: "TransferWithAuthorization",
      message: message(terms),
    }),

  async verify(transfer, domain, recover) {
    if (!isCanonicalSignature(transfer.signature)) return "signature_not_canonical"
    const digest = hashTypedData({
      domain,
      types,
      primaryType: "TransferWithAuthorization",
      message: message(transfer),
    })
    const signer = await recover(digest, transfer.signature)
    return signer === transfer.payer && signer !== zeroAddress ? "valid" : "signature_invalid"
  },

  settlementCall: (transfer) =>
    encodeFunctionData({
      abi,
      functionName: "transferWithAuthorization",
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

  outcomeTopics: (transfer) => [
    [authorizationUsed, authorizationCanceled],
    addressTopic(transfer.payer),
    transfer.nonce,
  ],

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
    // FiatToken marks the nonce and then transfers: the asset's very next log is the money of this nonce or it is not
    // paid. Looking further would let one Transfer pay for several nonces.
    const next = ofAsset[at + 1]
    const received = next && amountMoved(next, transfer)
    if (next === undefined || received === undefined) return { kind: "diverted" }
    if (received < transfer.value) return { kind: "short", received }
    return { kind: "paid", logIndex: next.logIndex }
  },

  incomeTopics: (payTos) => [transferred, null, payTos.map(addressTopic)],

  income(log) {
    const [event, from, to] = log.topics
    const isTransfer = event === transferred && from !== undefined && to !== undefined
    if (!isTransfer || !/^0x[0-9a-f]{64}$/.test(log.data)) return undefined
    return { payer: addressIn(from), payTo: addressIn(to), value: BigInt(log.data) }
  },

  payments(logs, asset) {
    const ofAsset = logsOf(logs, asset)
    return ofAsset.flatMap(({ topics: [event, authorizer, nonce] }, at) => {
      const follower = ofAsset[at + 1]
      const money = follower && exactEip3009.income(follower)
      if (event !== authorizationUsed || !authorizer || !nonce || !money) return []
      return money.payer === addressIn(authorizer) ? [{ ...money, nonce, logIndex: follower.logIndex }] : []
    })
  },
}

/** In their order, because what belongs together stands together. */
const logsOf = (logs: readonly ChainLog[], asset: Address): readonly ChainLog[] =>
  logs
    .filter((log) => lowerAddress(log.address) === lowerAddress(asset))
    .sort((a, b) => a.logIndex - b.logIndex)

/** The amount of a Transfer log from payer to payTo; undefined for any other log. */
function amountMoved(log: ChainLog, { payer, payTo }: TransferTerms): bigint | undefined {
  const money = exactEip3009.income(log)
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

const addressTopic = (address: Address): Hex => `0x${"0".repeat(24)}${lowerAddress(address).slice(2)}`

const addressIn = (topic: Hex): Address => lowerAddress(`0x${topic.slice(26)}`)

function requireAddress(text: string, member: string): Address {
  const address = parseAddress(text)
  if (!address)
    throw new PayloadError(`At payload.authorization.${member}: wanted an address of 20 bytes in hex.`)
  return address
}
