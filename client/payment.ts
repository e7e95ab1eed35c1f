/** A signed payment: made once, and from then on only ever sent again as it is (CLI-14). */
import { encodeHeader } from "../shared/codec.ts"
import { commitmentNonce, openingOf } from "../shared/commitment.ts"
import { type Hex, lowerAddress, recoverSigner } from "../shared/evm.ts"
import { domainOf } from "../shared/network.ts"
import { commitmentHeader, secretHeader } from "../shared/oauth.ts"
import type { SignedTransfer, TypedDataSigner } from "../shared/scheme.ts"
import { paymentSignatureHeader } from "../shared/x402.ts"
import type { Reservation } from "./budget.ts"
import type { Prover } from "./dpop.ts"
import { TicketError } from "./errors.ts"
import type { Choice } from "./policy.ts"

export type Payment = {
  readonly choice: Choice
  readonly resource: URL
  readonly tokenEndpoint: URL
  readonly secret: Hex
  readonly opening: Hex
  /** The x402 payload as the header carries it. */
  readonly header: string
  /** Seconds; after it the chain refuses the transfer. */
  readonly validBefore: number
  readonly reservation: Reservation
  /** Has the key that what it buys is bound to, where it is. */
  readonly prover: Prover | undefined
  /** How often it was sent. */
  sends: number
  /** An answer was lost, so the service may have taken it. */
  uncertain: boolean
}

export type SigningTools = {
  readonly account: TypedDataSigner
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
}

/** Signs the choice for the audience `resourceText`, byte for byte as the 402 spelled it. */
export async function signPayment(
  choice: Choice,
  place: { readonly resource: URL; readonly resourceText: string; readonly tokenEndpoint: URL },
  { reservation, prover }: Pick<Payment, "reservation" | "prover">,
  { account, now, random }: SigningTools,
): Promise<Payment> {
  const secret = toHex(random(32))
  const opening = openingOf(secret)
  const validBefore = Math.floor(now()) + choice.windowSeconds
  const terms = {
    payer: lowerAddress(account.address),
    payTo: choice.payTo,
    value: choice.amount,
    validAfter: 0n,
    validBefore: BigInt(validBefore),
    nonce: commitmentNonce(opening, { offerRef: choice.offerRef, resource: place.resourceText }),
  }
  const domain = domainOf(choice.network, choice.asset)
  let transfer: SignedTransfer
  try {
    transfer = { ...terms, signature: await choice.scheme.sign(terms, domain, account) }
  } catch {
    // The account's own error is not passed on: whatever it holds is the account's business.
    throw new TicketError("signing_failed", "The account did not sign the payment.", { action: "stop" })
  }
  // An account that signs for another address, or in a spelling the chain refuses, would buy nothing.
  const verdict = await choice.scheme.verify(transfer, domain, recoverSigner)
  if (verdict !== "valid")
    throw new TicketError("signing_failed", "The account's signature does not pay.", {
      action: "stop",
      found: verdict,
    })
  const payload = {
    x402Version: 2,
    accepted: choice.entry,
    payload: choice.scheme.serialize(transfer),
  }
  return {
    choice,
    resource: place.resource,
    tokenEndpoint: place.tokenEndpoint,
    secret,
    opening,
    header: encodeHeader(payload),
    validBefore,
    reservation,
    prover,
    sends: 0,
    uncertain: false,
  }
}

/** The headers of the next sending. The secret never goes with the first, so that a log of it is worthless. */
export const paymentHeaders = (payment: Payment): Record<string, string> => ({
  [paymentSignatureHeader]: payment.header,
  [commitmentHeader]: payment.opening.slice(2),
  ...(payment.sends > 0 && { [secretHeader]: payment.secret.slice(2) }),
})

function toHex(bytes: Uint8Array): Hex {
  let hex = "0x"
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0")
  return hex as Hex
}
