/** A store in memory: for trying things out and for tests. It forgets everything when the process ends. */
import { topUpGrant, whyNoTopUp } from "../../core/credit.ts"
import { withinParent } from "../../core/derive.ts"
import type { Exposure } from "../../core/exposure.ts"
import { idempotencySeconds } from "../../core/grant.ts"
import { applyMove, isVoid, type Redemption } from "../../core/redemption.ts"
import { memberOf } from "../../core/whitelist.ts"
import type { PaymentOrder, RedeemOrder, RelayTransaction } from "../../ports/records.ts"
import { Fenced, type Store, StoreUnavailable } from "../../ports/store.ts"
import {
  admissionOf,
  derivationOf,
  derivedFacts,
  derivedSince,
  evidenceTaken,
  isAdmitted,
  issueOf,
  leaseFor,
  noSuch,
  notAccepted,
  notInFlight,
  redeemedFacts,
  rotationOf,
  rowsOf,
  topUpFacts,
  topUpRedemptionOf,
  usedKeysLimit,
  wrongNonce,
} from "../verbs/rules.ts"
import { perform, storeOf, type VerbOutput, type Verbs } from "../verbs/verb-list.ts"
import { createMemoryBooks } from "./books.ts"
import { createMemoryLedger } from "./ledger.ts"
import { createMemoryRevocations } from "./revocations.ts"
import { createMemoryTables } from "./tables.ts"
import { createMemoryUnits } from "./units.ts"
import { createMemoryWhitelist } from "./whitelist.ts"

export function createMemoryStore(): Store {
  const verbs = createMemoryVerbs()
  let closed = false
  return storeOf(
    async (verb, input) => {
      if (closed) throw new StoreUnavailable("the store is closed")
      return perform(verbs, verb, input) as VerbOutput<typeof verb>
    },
    async () => {
      closed = true
    },
  )
}

export function createMemoryVerbs(): Verbs {
  const tables = createMemoryTables()
  const { atomically, put, grants, redemptions, transactions, rides, nonces, offers, entries, singles } =
    tables

  function hold(fence: number): void {
    const lease = singles.get("lease")
    if (lease?.fence !== fence) throw new Fenced()
  }

  function exposureOf(order: PaymentOrder): Exposure {
    const { payer } = order.transfer
    const mine = tables.redemptionsOf(payer)
    const pending = mine
      .filter((row) => row.network === order.network && row.asset === order.asset)
      .filter((row) => !isVoid(row.state))
      .filter((row) => row.evidence === null || row.evidence.blockNumber > order.intake.blockNumber)
    tables.forgetLosses(order.now)
    return {
      ...tables.totals(),
      pending: sum(pending.map((row) => row.transfer.value)),
      payer: tables.payer(payer),
      breaker: tables.breaker(),
    }
  }

  const isHashTaken = (order: RedeemOrder): boolean =>
    order.grant.idempotencyHash !== null &&
    [...grants.values()].some(
      (grant) =>
        grant.idempotencyHash === order.grant.idempotencyHash &&
        order.now <= grant.startsAt + idempotencySeconds,
    )

  const rowFor = ({ subject }: { readonly subject: string }) => tables.whitelist.get(memberOf(subject))

  const riding = (id: number): readonly Redemption[] =>
    [...redemptions.values()].filter((row) => row.transactionId === id)

  const inNetwork = (network: string): readonly Redemption[] =>
    [...redemptions.values()].filter((row) => row.network === network)

  function transaction(id: number): RelayTransaction {
    const found = transactions.get(id)
    if (!found) throw noSuch("transaction", id)
    return found
  }

  const transactionOf = (network: string, relayer: string, nonce: number): RelayTransaction | undefined =>
    [...transactions.values()].find(
      (each) => each.network === network && each.relayer === relayer && each.nonce === nonce,
    )

  function transactionInFlight(id: number): RelayTransaction {
    const found = transaction(id)
    if (found.state === "done") throw notInFlight(id)
    return found
  }

  function redemption(key: string): Redemption {
    const found = redemptions.get(key)
    if (!found) throw noSuch("redemption", key)
    return found
  }

  const verbs: Verbs = {
    ...createMemoryUnits(tables),
    ...createMemoryRevocations(tables),
    ...createMemoryWhitelist(tables),
    ...createMemoryBooks(tables),
    ...createMemoryLedger(tables),

    publishOffers({ offers: onSale, now }) {
      const refs = new Set(onSale.map((offer) => offer.ref))
      for (const [ref, record] of offers)
        if (!refs.has(ref) && record.replacedAt === null) put(offers, ref, { ...record, replacedAt: now })
      for (const offer of onSale)
        put(offers, offer.ref, { offer: offers.get(offer.ref)?.offer ?? offer, replacedAt: null })
      return [...offers.values()]
    },

    redeem(order) {
      const known = verbs.recall({ key: order.key })
      if (known) return { kind: "repeated", ...known }
      if (isHashTaken(order)) return { kind: "refused", reason: "idempotency_conflict" }
      if (!order.settle && !isAdmitted(order.grant, rowFor(order.grant)))
        return { kind: "refused", reason: "access_denied" }
      const admission = order.settle ? admissionOf(order, exposureOf(order)) : null
      if (admission?.kind === "refused") return admission
      const { grant, redemption: row } = rowsOf(order, admission?.policy ?? "background")
      if (grants.has(grant.id)) throw new Error("this grant exists already")
      put(grants, grant.id, grant)
      tables.saveRedemption(undefined, row, order.now)
      if (admission?.breaker) tables.setBreaker(admission.breaker)
      tables.book("redeemed", row.grantId, row.key, redeemedFacts(order, row), order.now)
      return { kind: "redeemed", redemption: row, grant, limit: admission?.limit ?? null }
    },

    topUp(order) {
      const known = verbs.recall({ key: order.key })
      if (known) return { kind: "repeated", ...known }
      const grant = grants.get(order.grantId)
      if (!grant) return { kind: "refused", reason: "grant_lost" }
      const current = tables.redemptionFor(grant.id)
      const why = whyNoTopUp(
        grant,
        tables.paymentsFor(grant.id),
        current,
        topUpRedemptionOf(order, "background"),
        order,
      )
      if (why || !current) return { kind: "refused", reason: why ?? "top_up_refused" }
      const admission = admissionOf(order, exposureOf(order))
      if (admission.kind === "refused") return admission
      const bought = topUpRedemptionOf(order, admission.policy)
      tables.saveRedemption(undefined, bought, order.now)
      if (admission.breaker) tables.setBreaker(admission.breaker)
      tables.book("redeemed", grant.id, order.key, topUpFacts(bought), order.now)
      const { limit } = admission
      if (admission.policy === "first") return { kind: "redeemed", redemption: bought, grant, limit }
      const effect = topUpGrant(grant, current, bought, order.now)
      const row = tables.carryOut(bought, effect, order.now)
      return { kind: "redeemed", redemption: row, grant: effect.grant, limit }
    },

    payments: ({ grantId }) => tables.paymentsFor(grantId),

    recall({ key }) {
      const row = redemptions.get(key)
      const grant = row && grants.get(row.grantId)
      return row && grant ? { redemption: row, grant } : null
    },

    findGrant({ by, value }) {
      const grant = [...grants.values()].findLast((each) => each[by] === value)
      const further = grant
        ? undefined
        : [...redemptions.values()].findLast((row) => row.topUp?.opening === value)
      if (further && by === "opening") return verbs.recall({ key: further.key })
      if (!grant) return null
      const parent = grant.parent === null ? undefined : grants.get(grant.parent)
      return parent
        ? { grant: withinParent(grant, parent), redemption: tables.redemptionFor(parent.id) }
        : { grant, redemption: tables.redemptionFor(grant.id) }
    },

    issue({ key, ...request }) {
      const known = verbs.recall({ key })
      if (!known) return null
      const grant = issueOf(known, request)
      if (grant !== known.grant) tables.saveGrant(grant, key, request.now)
      return { ...known, grant }
    },

    rotate({ grantId, ...request }) {
      const grant = grants.get(grantId)
      if (!grant) return null
      const row = tables.redemptionFor(grantId)
      const decision = rotationOf(grant, row, rowFor(grant), request)
      if (decision.grant) tables.saveGrant(decision.grant, row?.key ?? null, request.now)
      return { decision, redemption: row }
    },

    derive({ grantId, shown, ...request }) {
      const parent = grants.get(grantId)
      if (!parent) return null
      const row = tables.redemptionFor(grantId)
      const recent = [...grants.values()].filter(
        ({ parent: of, token }) => of === grantId && (token?.issuedAt ?? 0) > derivedSince(request.now),
      ).length
      const isTakenBack = [...tables.revocations.values()].some(
        (each) =>
          (each.kind === "token" && each.jti === shown?.jti) ||
          (each.kind === "tokens" && each.grantId === grantId && shown && shown.issuedAt < each.before),
      )
      const decision = derivationOf(parent, row, rowFor(parent), { recent, isTakenBack }, request)
      if (decision.kind === "derived") {
        put(grants, decision.grant.id, decision.grant)
        tables.book("derived", decision.grant.id, null, derivedFacts(decision.grant), request.now)
      }
      return { decision, redemption: row }
    },

    useOnce({ key, until, now }) {
      for (const [each, end] of tables.usedKeys) {
        // The first that still counts: the others were used later and end, but for seconds, later.
        if (end >= now) break
        tables.drop(tables.usedKeys, each)
      }
      if ((tables.usedKeys.get(key) ?? 0) >= now) return "used"
      if (tables.usedKeys.size >= usedKeysLimit) return "full"
      put(tables.usedKeys, key, until)
      return "taken"
    },

    entries: ({ after, limit }) =>
      [...entries.values()].filter((entry) => entry.sequence > after).slice(0, limit),

    lease(request) {
      const lease = leaseFor(singles.get("lease"), request)
      if (lease) put(singles, "lease", lease)
      return lease && { fence: lease.fence }
    },

    release({ fence }) {
      hold(fence)
      put(singles, "lease", { holder: "", fence, grantedAt: 0, expiresAt: 0 })
    },

    due({ fence, network, now, limit }) {
      hold(fence)
      return inNetwork(network)
        .filter((row) => row.dueAt !== null && row.dueAt <= now)
        .sort((a, b) => Number(a.transfer.validBefore - b.transfer.validBefore))
        .slice(0, limit)
    },

    nextNonce({ fence, network, relayer, chainNonce }) {
      hold(fence)
      const before = nonces.get(`${network} ${relayer}`)
      const nonce = Math.max(before ?? 0, chainNonce)
      put(nonces, `${network} ${relayer}`, nonce)
      return { nonce, skipped: nonce - (before ?? nonce) }
    },

    prepare({ fence, network, relayer, nonce, to, data, gas, version, redemptions: keys, now }) {
      hold(fence)
      const next = nonces.get(`${network} ${relayer}`) ?? 0
      const fills = nonce < next && keys.length === 0 && !transactionOf(network, relayer, nonce)
      if (nonce !== next && !fills) throw wrongNonce(nonce, next)
      if (!fills) put(nonces, `${network} ${relayer}`, next + 1)
      const id = transactions.size + 1
      const stored: RelayTransaction = {
        id,
        network,
        relayer,
        nonce,
        state: "signed",
        to,
        data,
        gas,
        versions: [version],
        storedAt: now,
        sentAt: null,
      }
      put(transactions, id, stored)
      for (const key of keys) {
        const row = redemption(key)
        if (row.network !== network) throw noSuch(`redemption on ${network}`, key)
        if (row.state !== "accepted") throw notAccepted(row)
        tables.saveRedemption(row, { ...row, state: "sent", dueAt: null, transactionId: id }, now)
        put(rides, key, [...(rides.get(key) ?? []), id])
      }
      return stored
    },

    replace({ fence, transactionId, version, call, now }) {
      hold(fence)
      const found = transactionInFlight(transactionId)
      const versions = [...found.versions, version]
      put(transactions, found.id, { ...found, ...call, versions, storedAt: now })
    },

    broadcast({ fence, transactionId, now }) {
      hold(fence)
      const found = transactionInFlight(transactionId)
      put(transactions, found.id, { ...found, state: "broadcast", sentAt: now })
    },

    inFlight({ fence, network }) {
      hold(fence)
      return [...transactions.values()]
        .filter((each) => each.network === network && each.state !== "done")
        .sort((a, b) => a.nonce - b.nonce || a.id - b.id)
        .map((each) => ({ transaction: each, redemptions: riding(each.id) }))
    },

    transactionAt({ fence, network, relayer, nonce }) {
      hold(fence)
      return transactionOf(network, relayer, nonce) ?? null
    },

    mined({ fence, network }) {
      hold(fence)
      return inNetwork(network).filter((row) => row.state === "mined")
    },

    paidBlocks({ fence, network, limit }) {
      hold(fence)
      const blocks = new Map(
        inNetwork(network).flatMap(({ state, evidence }) =>
          state === "paid" && evidence ? [[`${evidence.blockNumber} ${evidence.blockHash}`, evidence]] : [],
        ),
      )
      return [...blocks.values()]
        .map(({ blockNumber, blockHash }) => ({ blockNumber, blockHash }))
        .sort((a, b) => Number(a.blockNumber - b.blockNumber) || (a.blockHash < b.blockHash ? -1 : 1))
        .slice(0, limit)
    },

    paidIn({ fence, network, blockNumber, blockHash }) {
      hold(fence)
      return inNetwork(network)
        .filter((row) => row.state === "paid")
        .filter(({ evidence }) => evidence?.blockNumber === blockNumber && evidence.blockHash === blockHash)
    },

    conclude({ fence, done, reopened, moves, now }) {
      hold(fence)
      if (done !== undefined) put(transactions, done, { ...transaction(done), state: "done" })
      if (reopened !== undefined)
        put(transactions, reopened, { ...transaction(reopened), state: "broadcast", storedAt: now })
      for (const { key, move } of moves) {
        const before = redemption(key)
        const effect = applyMove(before, move)
        if (effect.redemption.evidence && tables.isEvidenceOfOther(effect.redemption)) throw evidenceTaken()
        tables.saveRedemption(before, effect.redemption, now)
        tables.bookMove(before, effect, now)
      }
    },
  }

  return Object.fromEntries(
    Object.entries(verbs).map(([name, verb]) => [
      name,
      (input: unknown) => atomically(() => (verb as (input: unknown) => unknown)(input)),
    ]),
  ) as unknown as Verbs
}

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n)
