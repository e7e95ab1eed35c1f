/** Redeems a checked payment in one transaction of the store: for a new grant, or for the one that a top-up names. */
import { Refusal } from "../../../shared/refusals.ts"
import { accountId } from "../../../shared/values/evm.ts"
import { sha256Hex } from "../../access/credentials.ts"
import type { LimitName } from "../../core/exposure.ts"
import { firstToken, type NewGrant } from "../../core/grant.ts"
import { nominalOf } from "../../core/payment.ts"
import { openMeter } from "../../core/units.ts"
import type { PaymentOrder, Redeemed } from "../../ports/records.ts"
import type { Logger } from "../../ports/runtime.ts"
import { freshId } from "../answer.ts"
import { audienceOf } from "../audience.ts"
import type { TokenDeps, TokenOptions, TokenRequest } from "../grant-type.ts"
import { claimProofFor } from "../proof-claim.ts"
import type { Checked } from "./chain.ts"
import type { Repeated } from "./recall.ts"
import type { Signed } from "./signature.ts"
import { createTopUpOrder } from "./top-up.ts"

export type NewlyRedeemed = Redeemed & {
  readonly kind: "redeemed"
  /** Sent to a buyer who has to wait and brought no proof to return with. */
  readonly retrySecret: string | undefined
}

export async function redeem(
  checked: Checked,
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<NewlyRedeemed | Repeated> {
  const { target, opening, proof, free } = checked
  const order = orderOf(checked, deps.now(), options)
  const hasProof = opening !== null || proof.idempotencyHash !== null
  const retrySecret = hasProof ? undefined : Buffer.from(deps.random(32)).toString("base64url")
  await (target ? claimProofFor(target.grantId, request, deps) : request.claimProof())
  const outcome = target
    ? await deps.store.topUp(await createTopUpOrder(order, { ...checked, target }, request, deps, options))
    : await deps.store.redeem({
        ...order,
        grant: createGrant(checked, request, { startsAt: order.now, now: order.now }, deps, options),
        settle: !free,
        retryHash: retrySecret === undefined ? null : sha256Hex(retrySecret),
      })
  if (outcome.kind === "refused") throw new Refusal(outcome.reason)
  if (outcome.kind === "repeated") return outcome
  deps.onStep?.("payment-redeemed")
  if (!free) deps.onRedeemed()
  logRedeemed(outcome, deps.log)
  return { ...outcome, retrySecret }
}

const orderOf = ({ payment, reading }: Checked, now: number, { limits }: TokenOptions): PaymentOrder => ({
  key: payment.key,
  network: payment.network.id,
  scheme: payment.scheme.id,
  asset: payment.price.asset,
  transfer: payment.transfer,
  nominal: nominalOf(payment),
  policy: mustSettleFirst({ payment, reading }, now) ? "first" : payment.offer.settle,
  intake: { blockNumber: reading.blockNumber, balance: reading.balance, payerCode: reading.payerCode },
  blockSeconds: payment.network.blockSeconds,
  limits,
  now,
})

/** Seconds beyond the offer's window that clocks and the way of a payment explain. */
const windowSlackSeconds = 60

/**
 * A contract can revoke its signature before settlement. A payment may be suspended for as long as it is valid, so one that
 * is valid for longer than the offer asks could keep its grant suspended for longer.
 */
const mustSettleFirst = ({ payment, reading }: Pick<Checked, "payment" | "reading">, now: number): boolean =>
  reading.payerCode !== null ||
  Number(payment.transfer.validBefore) > now + payment.price.maxTimeoutSeconds + windowSlackSeconds

/** `settled`: given when the money is in. */
export function createGrant(
  { payment, opening, proof, free }: Signed,
  request: TokenRequest,
  { startsAt, now, settled }: { readonly startsAt: number; readonly now: number; readonly settled?: true },
  { random }: Pick<TokenDeps, "random">,
  options: TokenOptions,
): NewGrant {
  const paid = !free
  const { offer } = payment
  const { keyThumbprint } = request
  const terms = {
    offer: offer.ref,
    paid,
    expiresAt: startsAt + offer.durationSeconds,
    opening,
    keyThumbprint,
  }
  return {
    ...terms,
    resource: audienceOf(request, options),
    id: freshId(random),
    scope: free?.scope ?? offer.scope,
    subject: accountId(payment.network.id, payment.transfer.payer),
    startsAt,
    idempotencyHash: proof.idempotencyHash,
    // Whitelisted grants are not metered.
    meter: paid ? openMeter(offer.units) : null,
    token: firstToken(terms, freshId(random), now, options.lives, settled),
  }
}

function logRedeemed(
  { grant, redemption, limit }: Redeemed & { limit: LimitName | null },
  log: Logger,
): void {
  const { network, policy, transfer } = redemption
  const fields = {
    grant: grant.id,
    offer: grant.offer,
    further: redemption.topUp !== null,
    payer: transfer.payer,
    network,
  }
  if (limit) log.warn({ ...fields, limit }, "payment redeemed, to be settled first: a limit is reached")
  else log.info({ ...fields, policy }, grant.paid ? "payment redeemed" : "payer admitted")
}
