/** Gives the opener of a nonce the grant of a payment that is on the chain already, once. */
import { Refusal } from "../../../shared/refusals.ts"
import { isUnclaimed } from "../../core/claim.ts"
import { nominalOf } from "../../core/payment.ts"
import type { TokenDeps, TokenOptions, TokenRequest } from "../grant-type.ts"
import type { OnChain } from "./chain.ts"
import { showsSecret } from "./match.ts"
import { type Repeated, recall } from "./recall.ts"
import { createGrant, type NewlyRedeemed } from "./redeem.ts"

/**
 * Throws a Refusal for a request without the secret: everybody can copy the payment from the chain, and the commitment
 * from the first request. A further payment for a grant is not accepted after the fact.
 */
export async function claim(
  onChain: OnChain,
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<NewlyRedeemed | Repeated> {
  const { payment, opening, target, chain, reading } = onChain
  // A copy of this request may have been redeemed, and even settled, since the first look.
  const meanwhile = await recall(payment.key, deps)
  if (meanwhile && !isUnclaimed(meanwhile)) return meanwhile
  if (opening === null || target) throw new Refusal("authorization_used")
  if (!showsSecret(onChain)) throw new Refusal("payment_on_chain", "Wanted Ticket402-Secret.")
  // The secret shows that the payer made the payment; no signature could after its use.
  if (!onChain.byKey) await deps.payers.take(payment.transfer.payer)
  const known = meanwhile?.redemption.evidence ?? undefined
  const { evidence, blockTime } = await deps.findTransfer({ chain, payment, reading, known })
  deps.onStep?.("payment-checked")
  await request.claimProof()
  const now = deps.now()
  const grant = createGrant(
    { ...onChain, free: undefined },
    request,
    { startsAt: blockTime, now, settled: true },
    deps,
    options,
  )
  const outcome = await deps.store.claim({
    key: payment.key,
    network: payment.network.id,
    scheme: payment.scheme.id,
    asset: payment.price.asset,
    transfer: payment.transfer,
    nominal: nominalOf(payment),
    payerCode: reading.payerCode,
    evidence,
    grant,
    now,
  })
  if (outcome.kind === "refused") throw new Refusal(outcome.reason)
  if (outcome.kind === "repeated") return { ...outcome, kind: "repeated" }
  deps.onStep?.("payment-redeemed")
  deps.log.info(
    {
      grant: grant.id,
      offer: grant.offer,
      network: payment.network.id,
      transaction: evidence.transactionHash,
    },
    "a payment that was on the chain before it came was claimed",
  )
  return { ...outcome, kind: "redeemed", retrySecret: undefined }
}
