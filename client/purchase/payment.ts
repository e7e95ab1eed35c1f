/** A signed payment: made once, and from then on only ever sent again as it is (CLI-14). */

import { domainOf } from "../../shared/networks/network.ts"
import { commitmentHeader, secretHeader } from "../../shared/oauth/messages.ts"
import type { SignedTransfer, TypedDataSigner } from "../../shared/schemes/scheme.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { bytesToHex, lowerAddress, recoverSigner } from "../../shared/values/evm.ts"
import { commitmentNonce, openingOf } from "../../shared/x402/commitment.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import type { Show } from "../core/challenge.ts"
import { Ticket402Error } from "../core/errors.ts"
import type { Choice } from "../core/policy.ts"
import type { Payment } from "../wallet/store.ts"

/** A payment is not sent in its last seconds: the service could not settle it in time. */
const lastSecondsUnused = 5
/** How long after its end a payment may still be mined by a chain whose clock is behind ours. */
const chainClockSlackSeconds = 60

export type SigningTools = {
  readonly account: TypedDataSigner
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
}

/** Signs the choice for the audience `resourceText`, byte for byte as the 402 spelled it. */
export async function signPayment(
  choice: Choice,
  place: { readonly resource: URL; readonly resourceText: string; readonly tokenEndpoint: URL },
  record: Pick<Payment, "reservation" | "lock" | "proofKey" | "grant">,
  { account, now, random }: SigningTools,
  show: Show = atTokenEndpoint,
): Promise<Payment> {
  const secret = bytesToHex(random(32))
  const opening = openingOf(secret)
  const validBefore = Math.floor(now()) + choice.windowSeconds
  const terms = {
    payer: lowerAddress(account.address),
    payTo: choice.payTo,
    value: choice.amount,
    validAfter: 0n,
    validBefore: BigInt(validBefore),
    nonce: commitmentNonce(opening, {
      offerRef: choice.offerRef,
      resource: place.resourceText,
      grant: record.grant,
    }),
  }
  const domain = domainOf(choice.network, choice.asset)
  let transfer: SignedTransfer
  try {
    transfer = { ...terms, signature: await choice.scheme.sign(terms, domain, account) }
  } catch (error) {
    // An error of our own signers is safe to pass on. Any other could hold a key, so only its kind is reported.
    if (error instanceof Ticket402Error) throw error
    throw new Ticket402Error("signing_failed", "The account did not sign the payment.", { action: "stop" })
  }
  // A signature of another address, or in a spelling the chain refuses, buys nothing and still counts.
  const verdict = await choice.scheme.verify(transfer, domain, recoverSigner)
  if (verdict !== "valid")
    throw new Ticket402Error("signing_failed", "The account's signature does not pay.", {
      action: "stop",
      found: verdict,
    })
  return {
    ...record,
    ...show(choice.entry, choice.scheme.serialize(transfer, lowerAddress(choice.asset.address))),
    account: terms.payer,
    resource: place.resource.href,
    network: choice.network.id,
    scope: choice.terms.scope,
    tokenEndpoint: place.tokenEndpoint.href,
    secret,
    opening,
    validBefore,
    sends: 0,
    uncertain: false,
  }
}

const atTokenEndpoint: Show = (accepted, payload) => ({
  headerName: paymentSignatureHeader,
  header: encodeHeader({ x402Version: 2, accepted, payload }),
})

/** Whether the chain may take the payment yet. As long as it may, no other is signed in its place (CLI-14). */
export const mayStillPay = ({ validBefore }: Payment, now: number): boolean =>
  now <= validBefore + chainClockSlackSeconds

/** The last instant at which it may be sent. */
export const lastSendingAt = ({ validBefore }: Payment): number => validBefore - lastSecondsUnused

/** The headers of the next sending to a token endpoint. The first has no secret, so that a log of it is worthless. */
export const paymentHeaders = (payment: Payment): Record<string, string> => ({
  [payment.headerName]: payment.header,
  [commitmentHeader]: payment.opening.slice(2),
  ...(payment.sends > 0 && { [secretHeader]: payment.secret.slice(2) }),
})
