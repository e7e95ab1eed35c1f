/** Signs payments in advance, so that the work of the buyers is not measured as that of the seller. */
import { randomBytes } from "node:crypto"
import { privateKeyToAccount } from "viem/accounts"
import { networks } from "../../shared/networks/index.ts"
import { domainOf, findAsset } from "../../shared/networks/network.ts"
import { commitmentHeader } from "../../shared/oauth/messages.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { type Hex, lowerAddress, parseAddress } from "../../shared/values/evm.ts"
import { commitmentNonce, openingOf } from "../../shared/x402/commitment.ts"
import { type PaymentRequirements, paymentSignatureHeader } from "../../shared/x402/messages.ts"

/** The offer, the service, and the buyers in turn. */
export type SalesTerms = {
  readonly accepted: PaymentRequirements
  /** The audience of the tokens. */
  readonly resource: string
  readonly payers: readonly Hex[]
}

export type PreparedPayment = {
  readonly payload: Record<string, unknown>
  readonly headers: Record<string, string>
}

export async function preparePayments(terms: SalesTerms, count: number): Promise<PreparedPayment[]> {
  const { accepted, resource } = terms
  const network = networks.get(accepted.network)
  const asset = network && findAsset(network, accepted.asset)
  const payTo = parseAddress(accepted.payTo)
  if (!asset || !payTo) throw new Error("the offer is of an unknown asset or recipient")
  const payers = terms.payers.map((key) => privateKeyToAccount(key))
  const validBefore = BigInt(Math.floor(Date.now() / 1000) + accepted.maxTimeoutSeconds)
  const payments: PreparedPayment[] = []
  while (payments.length < count) {
    const payer = payers[payments.length % payers.length]
    if (!payer) throw new Error("nobody pays")
    const opening = openingOf(`0x${randomBytes(32).toString("hex")}`)
    const transfer = {
      payer: lowerAddress(payer.address),
      payTo,
      value: BigInt(accepted.amount),
      validAfter: 0n,
      validBefore,
      nonce: commitmentNonce(opening, { offerRef: accepted.extra?.offer ?? "", resource }),
    }
    const signature = await exactEip3009.sign(transfer, domainOf(network, asset), payer)
    const payload = { x402Version: 2, accepted, payload: exactEip3009.serialize({ ...transfer, signature }) }
    const headers = { [paymentSignatureHeader]: encodeHeader(payload), [commitmentHeader]: opening }
    payments.push({ payload, headers })
  }
  return payments
}
