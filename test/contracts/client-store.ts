/** Contract suite for client stores: locks, budget reservations, unanswered payments and grants. */
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import type { Limits, Spending } from "../../client/core/budget-rules.ts"
import type { ClientStore, Grant, Payment } from "../../client/wallet/store.ts"
import type { Address } from "../../shared/values/evm.ts"

const start = 1_800_000_000
const day = 86_400
const addressOf = (digit: number): Address => `0x${String(digit).repeat(40)}`
const [account, other, payTo, elsewhere] = [1, 2, 3, 4].map(addressOf) as [Address, Address, Address, Address]
const origin = "https://api.example"
const lock = { name: "buy", holder: "a", until: start + 60 }
const limits: Limits = {
  perPurchase: 50n,
  perDay: 200n,
  perOriginPerDay: undefined,
  perOrigin: undefined,
  perOffer: undefined,
  total: undefined,
}

let ids = 0
const spending = (changes: Partial<Spending> = {}): Spending => ({
  id: `spending-${++ids}`,
  lock,
  micros: 50n,
  origin,
  offer: "hour",
  payTo,
  recipients: [payTo],
  isApproved: false,
  ...changes,
})
const paymentFor = (reservation: string, changes: Partial<Payment> = {}): Payment => ({
  account,
  resource: `${origin}/`,
  network: "eip155:11155111",
  scope: "read",
  tokenEndpoint: `${origin}/token`,
  secret: "0x01",
  opening: "0x02",
  headerName: "PAYMENT-SIGNATURE",
  header: `header of ${reservation}`,
  grant: undefined,
  validBefore: start + 600,
  reservation,
  proofKey: undefined,
  lock,
  sends: 1,
  uncertain: true,
  ...changes,
})
const grant = (id: string, changes: Partial<Grant> = {}): Grant => ({
  id,
  account,
  resource: `${origin}/`,
  network: "eip155:11155111",
  tokenEndpoint: `${origin}/token`,
  secret: "0x01",
  proofKey: undefined,
  scope: "read",
  accessToken: `token of ${id}`,
  tokenIssuedAt: start,
  tokenExpiresAt: start + 60,
  refreshToken: `refresh of ${id}`,
  refreshSends: 0,
  expiresAt: start + 3600,
  callsRemaining: null,
  settlement: "pending",
  ...changes,
})

export function clientStoreContract(
  name: string,
  /** Opens two handles of one store, as two processes would. */
  open: () => Promise<{ one: ClientStore; two: ClientStore; close(): Promise<void> }>,
): void {
  describe(`the client store in ${name}`, () => {
    const opened: { close(): Promise<void> }[] = []
    afterEach(async () => {
      for (const { close } of opened.splice(0)) await close()
    })
    async function setup() {
      const stores = await open()
      opened.push(stores)
      await stores.one.lock(lock, start)
      return stores
    }
    const counted = (store: ClientStore, now = start) => store.sumSpending({ origin, offer: "hour" }, now)
    const buy = async (store: ClientStore, changes: Partial<Spending> = {}, now = start) => {
      const order = spending(changes)
      const { kind } = await store.reserve(order, limits, now)
      if (kind === "reserved") await store.keep(paymentFor(order.id))
      return { kind, id: order.id }
    }

    it("gives the lock to one holder, and to the next after release or expiry", async () => {
      const { one, two } = await setup()
      expect(await two.lock({ ...lock, holder: "b" }, start + 59)).toBe(false)
      expect(await one.lock({ ...lock, until: start + 120 }, start + 59)).toBe(true)
      expect(await two.lock({ ...lock, holder: "b" }, start + 119)).toBe(false)
      expect(await two.lock({ ...lock, holder: "b", until: start + 240 }, start + 120)).toBe(true)
      await one.unlock(lock)
      expect(await one.lock({ ...lock, holder: "c" }, start + 121)).toBe(false)
      await two.unlock({ ...lock, holder: "b" })
      expect(await one.lock({ ...lock, holder: "c" }, start + 121)).toBe(true)
    })

    it("CLI-02: refuses a reservation over a limit, names the figures, stores nothing", async () => {
      const { one, two } = await setup()
      for (let i = 0; i < 3; i++) expect(await buy(i % 2 ? two : one)).toMatchObject({ kind: "reserved" })
      const refused = async (changes: Partial<Limits>, order: Partial<Spending> = {}) =>
        two.reserve(spending({ origin: "https://b.example", ...order }), { ...limits, ...changes }, start)
      const over = (rule: string, counted: bigint, limit: bigint) => ({ kind: "over", rule, counted, limit })
      expect(await refused({ perPurchase: 49n })).toEqual(over("amount_over_limit", 0n, 49n))
      expect(await refused({ perDay: 199n })).toEqual(over("day_budget_spent", 150n, 199n))
      expect(await refused({ perOriginPerDay: 199n }, { origin })).toEqual(
        over("origin_budget_spent", 150n, 199n),
      )
      expect(await refused({ perOrigin: 199n }, { origin })).toEqual(over("origin_total_spent", 150n, 199n))
      expect(await refused({ perOffer: 199n }, { origin })).toEqual(over("offer_total_spent", 150n, 199n))
      expect(await refused({ total: 199n })).toEqual(over("total_spent", 150n, 199n))
      expect(await counted(one)).toMatchObject({ day: 150n, originDay: 150n, origin: 150n, offer: 150n })
      // Control: spending at another origin or for another offer does not count against these limits.
      expect(await refused({ perOriginPerDay: 50n, perOrigin: 50n })).toEqual({ kind: "reserved" })
      expect(await refused({ perOffer: 50n, perDay: 250n }, { origin, offer: "day" })).toEqual({
        kind: "reserved",
      })
    })

    it("CLI-02: frees daily limits after a day and keeps counting the lifetime limits", async () => {
      const { one } = await setup()
      await buy(one)
      expect(await counted(one, start + day - 1)).toMatchObject({ day: 50n, originDay: 50n })
      expect(await counted(one, start + day)).toEqual({
        day: 0n,
        originDay: 0n,
        origin: 50n,
        offer: 50n,
        total: 50n,
        refusals: 0,
        recipients: [payTo],
      })
    })

    it("cancels an unsigned reservation and keeps a signed one", async () => {
      const { one, two } = await setup()
      const order = spending()
      await one.reserve(order, limits, start)
      await two.cancel(order.id)
      expect(await counted(one)).toMatchObject({ day: 0n, total: 0n })
      const { id } = await buy(one)
      await one.cancel(id)
      expect(await counted(one)).toMatchObject({ day: 50n, total: 50n })
    })

    it("CLI-14: refuses reserve and keep after losing the lock, voids the reservation", async () => {
      const { one, two } = await setup()
      const order = spending()
      await one.reserve(order, limits, start)
      expect(await two.lock({ ...lock, holder: "b", until: start + 120 }, start + 60)).toBe(true)
      expect(await counted(two)).toMatchObject({ day: 0n })
      expect(await one.keep(paymentFor(order.id))).toBe(false)
      expect(await one.reserve(spending(), limits, start + 61)).toEqual({ kind: "lock_lost" })
      expect(await two.findUnanswered(account, `${origin}/`)).toBeUndefined()
      // The reservation stays void even after the second holder has released the lock.
      await two.unlock({ ...lock, holder: "b" })
      await one.lock(lock, start + 62)
      expect(await one.keep(paymentFor(order.id))).toBe(false)
    })

    it("counts a signed payment across lock holders until it is dropped or granted", async () => {
      const { one, two } = await setup()
      const { id } = await buy(one)
      await two.lock({ ...lock, holder: "b", until: start + 120 }, start + 60)
      expect(await counted(two)).toMatchObject({ day: 50n })
      // The former holder cannot restore a payment that the next holder has resolved.
      expect(await one.keep(paymentFor(id))).toBe(false)
      const found = await two.findUnanswered(account, `${origin}/`)
      expect(found).toEqual(paymentFor(id))
      expect(await two.findUnanswered(other, `${origin}/`)).toBeUndefined()
      expect(await two.findUnanswered(account, `${origin}/tenant`)).toBeUndefined()
      expect(await two.keep({ ...paymentFor(id), lock: { ...lock, holder: "b" }, uncertain: false })).toBe(
        true,
      )
      expect(await one.findUnanswered(account, `${origin}/`)).toMatchObject({ uncertain: false })
      await one.drop(paymentFor("another"))
      expect(await one.findUnanswered(account, `${origin}/`)).toBeDefined()
      await two.add(grant("g"), paymentFor(id))
      expect(await one.findUnanswered(account, `${origin}/`)).toBeUndefined()
      expect(await one.listGrants(account)).toEqual([grant("g")])
    })

    it("accepts an origin's first recipients and refuses a new one until it is approved", async () => {
      const { one, two } = await setup()
      const first = { recipients: [payTo, other] }
      expect(await buy(one, first)).toMatchObject({ kind: "reserved" })
      expect(await buy(one, { payTo: other, recipients: [elsewhere] })).toMatchObject({ kind: "reserved" })
      const changed = (): Spending => spending({ payTo: elsewhere, recipients: [elsewhere] })
      expect(await two.reserve(changed(), limits, start)).toEqual({
        kind: "recipient_changed",
        recipients: [payTo, other],
      })
      expect(await two.reserve({ ...changed(), origin: "https://b.example" }, limits, start)).toEqual({
        kind: "reserved",
      })
      await one.approveRecipient(origin, elsewhere)
      expect(await two.reserve(changed(), limits, start)).toEqual({ kind: "reserved" })
      const approved = spending({ payTo: account, recipients: [account], isApproved: true })
      await two.lock(lock, start + day)
      expect(await two.reserve(approved, limits, start + day)).toEqual({ kind: "reserved" })
      expect((await counted(one)).recipients).toEqual([payTo, other, elsewhere, account])
    })

    it("keys grants by account, resource and id, most recently used first", async () => {
      const { one, two } = await setup()
      const tenant = grant("b", { resource: `${origin}/tenant` })
      for (const each of [grant("a"), grant("b"), tenant, grant("a", { account: other })]) await one.add(each)
      expect(await two.listGrants(account)).toEqual([tenant, grant("b"), grant("a")])
      await two.prefer(grant("a"))
      expect((await one.listGrants(account)).map(({ id }) => id)).toEqual(["a", "b", "b"])
      await one.change(tenant, { accessToken: "newer", refreshSends: 1 })
      expect((await two.listGrants(account))[1]).toEqual({ ...tenant, accessToken: "newer", refreshSends: 1 })
      await two.forget(grant("b"))
      await two.change(grant("b"), { accessToken: "ghost" })
      expect((await one.listGrants(account)).map(({ resource }) => resource)).toEqual([
        `${origin}/`,
        `${origin}/tenant`,
      ])
      expect(await one.listGrants(other)).toHaveLength(1)
    })

    it("CLI-02: keeps a sliding day within its budget plus one purchase", async () => {
      const step = fc.record({
        wait: fc.integer({ min: 0, max: 5_000 }),
        micros: fc.bigInt({ min: 1n, max: 60n }),
        end: fc.constantFrom("accepted", "refused", "cancelled"),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const { one: store, close } = await open()
          let now = start
          const signed: { at: number; micros: bigint; end: string }[] = []
          for (const { wait, micros, end } of steps) {
            now += wait
            await store.lock({ ...lock, until: now + 60 }, now)
            const before = await counted(store, now)
            const order = spending({ micros })
            if ((await store.reserve(order, limits, now)).kind !== "reserved") {
              // A refusal must be justified by one of the two limits.
              expect(micros > limits.perPurchase || before.day + micros > limits.perDay).toBe(true)
              continue
            }
            expect(micros <= limits.perPurchase).toBe(true)
            expect((await counted(store, now)).day <= limits.perDay).toBe(true)
            if (end === "cancelled") {
              await store.cancel(order.id)
              continue
            }
            await store.keep(paymentFor(order.id))
            signed.push({ at: now, micros, end })
            const terms = { countsUntil: now + 600, most: limits.perPurchase, now }
            if (end === "refused")
              for (let twice = 0; twice < 2; twice++) await store.giveBack(order.id, terms)
            const total = (of: typeof signed) => of.reduce((sum, entry) => sum + entry.micros, 0n)
            const inDay = signed.filter((entry) => entry.at > now - day)
            expect(total(inDay.filter((entry) => entry.end === "accepted")) <= limits.perDay).toBe(true)
            expect(total(inDay) <= limits.perDay + limits.perPurchase).toBe(true)
            expect((await counted(store, now)).total).toBe(total(signed))
          }
          await close()
        }),
        { numRuns: name === "memory" ? 100 : 8 },
      )
    })
  })
}
