/** Signed x402 payments for tests, from random accounts. */
import { randomBytes } from "node:crypto"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import type { Offer } from "../../server/core/offers.ts"
import { networks } from "../../shared/networks/index.ts"
import { domainOf, findAsset } from "../../shared/networks/network.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { SignedTransfer, TransferTerms } from "../../shared/schemes/scheme.ts"
import { type Hex, lowerAddress, parseAddress } from "../../shared/values/evm.ts"
import { commitmentNonce, committedOffer, openingOf } from "../../shared/x402/commitment.ts"
import type { PaymentRequirements } from "../../shared/x402/messages.ts"

export type Account = ReturnType<typeof privateKeyToAccount>

export const randomAccount = (): Account => privateKeyToAccount(generatePrivateKey())
export const randomHex32 = (): Hex => `0x${randomBytes(32).toString("hex")}`

/** The entry of `accepts` for an offer's first price at the token endpoint. */
export function acceptedOf(offer: Offer): PaymentRequirements {
  const price = offer.prices[0]
  if (!price || price.amount === null) throw new Error("the offer has no fixed price")
  return {
    scheme: price.scheme,
    network: price.network,
    amount: price.amount.toString(),
    asset: price.asset,
    payTo: price.payTo,
    maxTimeoutSeconds: price.maxTimeoutSeconds,
    extra: { offer: offer.ref },
  }
}

export type SignOptions = {
  readonly accepted: PaymentRequirements
  readonly account: Account
  readonly now?: number
  /** Makes the nonce a commitment to this secret, for this resource. */
  readonly secret?: Hex
  readonly resource?: string
  /** Replaces parts of the signed terms. */
  readonly terms?: Partial<TransferTerms>
}

/** A payment as `@x402/evm` signs it: validAfter 0, validBefore now + maxTimeoutSeconds. */
export async function signPayment(options: SignOptions): Promise<{
  payload: Record<string, unknown>
  transfer: SignedTransfer
}> {
  const { accepted, account, secret, resource } = options
  const now = options.now ?? Math.floor(Date.now() / 1000)
  const network = networks.get(accepted.network)
  const asset = network && findAsset(network, accepted.asset)
  if (!network || !asset) throw new Error("the network or asset is not known")
  const payTo = parseAddress(accepted.payTo)
  if (!payTo) throw new Error("payTo is not an address")
  const nonce =
    secret !== undefined && resource !== undefined
      ? commitmentNonce(openingOf(secret), {
          offerRef: committedOffer(accepted.extra?.offer ?? "", accepted.extra?.quote),
          resource,
        })
      : randomHex32()
  const terms: TransferTerms = {
    payer: lowerAddress(account.address),
    payTo,
    value: BigInt(accepted.amount),
    validAfter: 0n,
    validBefore: BigInt(now + accepted.maxTimeoutSeconds),
    nonce,
    ...options.terms,
  }
  const signature = await exactEip3009.sign(terms, domainOf(network, asset), account)
  const transfer = { ...terms, signature }
  return { payload: { x402Version: 2, accepted, payload: exactEip3009.serialize(transfer) }, transfer }
}
