/** The payment grant: a signed x402 payment for a token, claimed once, settled later (wire.md §2). */

import { domainOf } from "../../../shared/networks/network.ts"
import { paymentGrantType } from "../../../shared/oauth/messages.ts"
import { type Reason, Refusal } from "../../../shared/refusals.ts"
import { accountId, type Hex } from "../../../shared/values/evm.ts"
import { sha256Hex } from "../../access/credentials.ts"
import type { LimitName } from "../../core/exposure.ts"
import { firstToken } from "../../core/grant.ts"
import { opens } from "../../core/offers.ts"
import { locatePayment, matchPayment, nominalValue, type Payment } from "../../core/payment.ts"
import { openMeter } from "../../core/units.ts"
import type { TransferReading } from "../../core/verdict.ts"
import { includesScope, type WhitelistEntry } from "../../core/whitelist.ts"
import type { Chain } from "../../ports/chain.ts"
import type { Redeemed } from "../../ports/records.ts"
import type { Logger } from "../../ports/runtime.ts"
import { freshId } from "../answer.ts"
import type { TokenAnswer, TokenDeps, TokenOptions, TokenRequest } from "../grant-type.ts"
import { checkCommitment, checkOwner, readPresented } from "./buyer.ts"
import { answerRedeemed } from "./redeemed.ts"
import { readTarget, topUpOrder } from "./top-up.ts"

export const grantType = paymentGrantType
export const parameters = ["payment", "refresh_token"] as const

export async function handle(
  request: TokenRequest,
  deps: TokenDeps,
  options: TokenOptions,
): Promise<TokenAnswer> {
  const located = locatePayment(request.parameters.get("payment"))
  const shown = readPresented(request, located)
  const { signal } = request
  const repeat = (known: Redeemed) => {
    checkOwner(known, located, shown.proof, deps)
    return answerRedeemed(known, { replayed: true, signal }, deps, options)
  }

  // Before offers and windows are judged: a retry may come when the offer is gone or the payment nearly expired.
  const known = await deps.store.recall({ key: located.key })
  if (known) return repeat(known)

  // Whoever brings no proof could not come back for a token that was paid for and not signed.
  deps.keys.check()
  const payment = matchPayment(located, deps.board, deps.now())
  if (request.gatedRoute && !opens(payment.offer, request.gatedRoute)) throw new Refusal("offer_elsewhere")
  if (payment.offer.dpop === "required" && request.keyThumbprint === null) throw new Refusal("dpop_required")
  const target = readTarget(request, deps)
  checkCommitment(payment, shown.opening, { resource: options.resource, grant: target?.grantId })
  const { payer } = payment.transfer
  // A grant that was paid for is not added to for nothing.
  const entry = target ? undefined : findFree(payment, shown.opening, deps)
  // What costs more to bank than it brings is refused before it costs anything else (security.md SET-24).
  if (!entry) await deps.funding.get(payment.network.id)?.requireWorth(nominalOf(payment))
  // Counted only once the signature is known to be his: otherwise anybody could use up another payer's budget.
  await deps.payers.check(payer)
  const byKey = await isSignedByKey(payment, deps)
  if (byKey) await deps.payers.take(payer)
  // The word of a contract lets nobody in free (security.md WL-08).
  const free = byKey ? entry : undefined
  const reading = await readChain(payment, !free, byKey ? deps.chains : deps.contracts, deps)
  const refused = whyNot(payment, !free, reading)
  if (refused) {
    // Another copy of this request may have been redeemed, and even settled, since the first look.
    const meanwhile = await deps.store.recall({ key: payment.key })
    if (meanwhile) return repeat(meanwhile)
    throw new Refusal(refused)
  }
  if (!byKey) await deps.payers.take(payer)
  deps.onStep?.("payment-checked")

  const now = deps.now()
  const order = {
    key: payment.key,
    network: payment.network.id,
    scheme: payment.scheme.name,
    asset: payment.price.asset,
    transfer: payment.transfer,
    nominal: nominalOf(payment),
    // What signs by code can change its mind until the money has moved.
    policy: reading.payerHasCode ? ("first" as const) : payment.offer.settle,
    intake: { blockNumber: reading.blockNumber, balance: reading.balance },
    blockSeconds: payment.network.blockSeconds,
    limits: options.limits,
    now,
  }
  const expiresAt = now + payment.offer.durationSeconds
  const paid = !free
  const hasProof = shown.opening !== null || shown.proof.idempotencyHash !== null
  const retrySecret = hasProof ? undefined : Buffer.from(deps.random(32)).toString("base64url")
  const terms = {
    offer: payment.offer.ref,
    paid,
    expiresAt,
    opening: shown.opening,
    keyThumbprint: request.keyThumbprint,
  }
  const grant = {
    ...terms,
    id: freshId(deps.random),
    scope: free?.scope ?? payment.offer.scope,
    subject: accountId(payment.network.id, payer),
    startsAt: now,
    idempotencyHash: shown.proof.idempotencyHash,
    // Who need not pay need not count either.
    meter: paid ? openMeter(payment.offer.units) : null,
    token: firstToken(terms, freshId(deps.random), now, options.lives),
  }
  const outcome = target
    ? await deps.store.topUp(
        await topUpOrder(order, { target, payment, opening: shown.opening }, request, deps, options),
      )
    : await deps.store.redeem({
        ...order,
        grant,
        settle: paid,
        retryHash: retrySecret === undefined ? null : sha256Hex(retrySecret),
      })
  switch (outcome.kind) {
    case "refused":
      throw new Refusal(outcome.reason)
    case "repeated":
      return repeat(outcome)
    case "redeemed": {
      deps.onStep?.("payment-redeemed")
      if (paid) deps.onRedeemed()
      logRedeemed(outcome, deps.log)
      return answerRedeemed(outcome, { replayed: false, retrySecret, signal }, deps, options)
    }
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

/**
 * False for a payer with code, of whose signature only the chain can tell; throws for everybody else whose signature is
 * not his. Nonsense costs a look for code at the most, out of a budget of its own.
 */
async function isSignedByKey(payment: Payment, deps: TokenDeps): Promise<boolean> {
  const domain = domainOf(payment.network, payment.asset)
  const verdict = await payment.scheme.verify(payment.transfer, domain, deps.recover)
  if (verdict === "valid") return true
  const chain = connected(deps.contracts, payment.network.id)
  await chain.ready()
  if (!(await chain.hasCode(payment.transfer.payer))) throw new Refusal(verdict)
  return false
}

/**
 * The payer's whitelist entry, if it lets this payment pass unpaid. Without a commitment nothing says that the payment was
 * made for this service, so one made public elsewhere would be a free token; and what the entry does not cover is bought.
 */
function findFree(payment: Payment, opening: Hex | null, deps: TokenDeps): WhitelistEntry | undefined {
  if (opening === null) return undefined
  const entry = deps.whitelist.find(accountId(payment.network.id, payment.transfer.payer), deps.now())
  return entry && includesScope(entry.scope, payment.offer.scope) ? entry : undefined
}

const nominalOf = (payment: Payment): bigint => nominalValue(payment.transfer.value, payment.asset)

/** 65 zero bytes: a node is not shown a signature that nobody is to submit. */
const noSignature: Hex = `0x${"00".repeat(65)}`

async function readChain(
  payment: Payment,
  paid: boolean,
  chains: ReadonlyMap<string, Chain>,
  deps: TokenDeps,
): Promise<TransferReading> {
  const chain = connected(chains, payment.network.id)
  await chain.ready()
  if (paid) await deps.funding.get(payment.network.id)?.check()
  const transfer = paid ? payment.transfer : { ...payment.transfer, signature: noSignature }
  const source = chain.agreed(nominalOf(payment)) ?? chain
  return source.readTransfer({
    asset: payment.price.asset,
    transfer,
    call: payment.scheme.settlementCall(transfer),
  })
}

function connected(chains: ReadonlyMap<string, Chain>, network: string): Chain {
  const chain = chains.get(network)
  if (!chain) throw new Refusal("network_mismatch", "The network is not served here.")
  return chain
}

/**
 * A used nonce and an empty purse have reasons of their own; the rest is the asset's refusal, which asks the code of a payer
 * that has some (ERC-1271, EIP-7702), whatever his key has signed.
 */
function whyNot(payment: Payment, paid: boolean, reading: TransferReading): Reason | undefined {
  if (reading.used) return "authorization_used"
  if (!paid) return reading.payerHasCode ? "payer_unacceptable" : undefined
  if (reading.balance < payment.transfer.value) return "insufficient_funds"
  const arrives = reading.transferred && reading.received === payment.transfer.value
  return arrives ? undefined : "simulation_failed"
}
