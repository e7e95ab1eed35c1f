/** Decides on a payment that was on the chain before it came to the service: how long it is accepted, and since when. */
import type { SignedTransfer } from "../../shared/schemes/scheme.ts"
import type { Grant } from "./grant.ts"
import { longestPaymentSeconds } from "./payment.ts"
import { isSettled, type Redemption } from "./redemption.ts"
import type { TransferReading } from "./verdict.ts"

/** How long after its end a payment on the chain is still accepted. */
const claimSeconds = 3600
/** Searched beyond the expected number of blocks, because blocks may come a little faster than usual. */
const marginBlocks = 100

type Window = Pick<SignedTransfer, "validAfter" | "validBefore">

/** Whether the payment may come now, if it is on the chain. */
export const isClaimOpen = ({ validBefore }: Window, now: number): boolean =>
  validBefore <= BigInt(now + longestPaymentSeconds) && BigInt(now) <= validBefore + BigInt(claimSeconds)

/** Whether a row was imported from the chain and belongs to nobody yet. */
export const isUnclaimed = ({
  grant,
  redemption,
}: {
  readonly grant: Grant
  readonly redemption: Redemption
}): boolean => grant.ended?.reason === "lost" && isSettled(redemption.state)

/** The first block that can hold the transfer: no payment is valid for longer than the longest one. */
export function firstBlockOf(
  { validBefore }: Window,
  { blockNumber, blockTime }: Pick<TransferReading, "blockNumber" | "blockTime">,
  blockSeconds: number,
): bigint {
  const seconds = blockTime - (Number(validBefore) - longestPaymentSeconds)
  const bounded = Math.min(Math.max(seconds, 0), longestPaymentSeconds + claimSeconds)
  const first = blockNumber - BigInt(Math.ceil(bounded / blockSeconds) + marginBlocks)
  return first > 0n ? first : 0n
}

/** Whether a block of this time can hold the transfer. The signature of a payer with code does not prove the window. */
export const isWithin = ({ validAfter, validBefore }: Window, blockTime: number): boolean =>
  validAfter < BigInt(blockTime) && BigInt(blockTime) < validBefore
