import Sqlite from "better-sqlite3"
import fc from "fast-check"
import { expect, it } from "vitest"
import { importedPayment } from "../../server/core/imported.ts"
import { type Exposure, judgeExposure } from "../../server/core/invariants.ts"
import {
  type Evidence,
  isExposed,
  isQueued,
  isSettled,
  type Move,
  type Redemption,
  type RedemptionState,
} from "../../server/core/redemption.ts"
import type { PaidBlock } from "../../server/ports/records.ts"
import { openMemory } from "../../server/stores/sqlite/file.ts"
import { type Answer, createGroup } from "../../server/stores/sqlite/group.ts"
import type { Verb } from "../../server/stores/verbs/verbs.ts"
import { networks } from "../../shared/networks/index.ts"
import { createRevocationSet } from "../../shared/oauth/revocation.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { Hex } from "../../shared/values/evm.ts"
import {
  network,
  type OrderChanges,
  orderOf,
  preparation,
  relayer,
  start,
  topUpOf,
  versionOf,
} from "../support/orders.ts"

const hexOf = (number: number, bytes: number): Hex => `0x${number.toString(16).padStart(bytes * 2, "0")}`
const keyOf = (index: number) => `key-${index}`
const secretHash = (secret: number) => hexOf(secret, 32).slice(2)
const memberOf = (id: string, scope: string, secret: number) => ({
  id,
  scope,
  secretSha256: id === "billing" ? secretHash(secret) : null,
})
const upTo = (max: number) => fc.nat({ max })

// Small ranges, so that steps hit the same rows.
const key = upTo(5)
const evidence: fc.Arbitrary<Evidence> = fc
  .record({ hash: upTo(4), logIndex: upTo(2), block: upTo(3) })
  .map(({ hash, logIndex, block }) => ({
    transactionHash: hexOf(hash, 32),
    logIndex,
    blockNumber: 100n + BigInt(block),
    blockHash: hexOf(block, 32),
  }))
const dueAt = upTo(200).map((seconds) => start + seconds)
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ to: fc.constant("mined" as const), evidence }),
  fc.record({ to: fc.constant("paid" as const), evidence }),
  fc.record({
    to: fc.constant("failed" as const),
    failure: fc.constantFrom("expired" as const, "short" as const),
    dueAt: fc.option(dueAt),
  }),
  fc.record({ to: fc.constant("accepted" as const), dueAt }),
  fc.record({
    to: fc.constant("suspended" as const),
    failure: fc.constantFrom("insufficient_funds" as const, "refused_by_asset", null),
    dueAt,
  }),
  fc.record({ to: fc.constantFrom("sent" as const, "final", "dead") }),
)
const transactionId = upTo(1).map((id) => id + 1)
const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      verb: fc.constant("redeem" as const),
      key,
      value: upTo(4),
      balance: upTo(14),
      block: upTo(4),
      hash: fc.option(upTo(1), { freq: 2 }),
      settle: fc.nat({ max: 4 }).map((chance) => chance > 0),
      policy: fc.constantFrom("background" as const, "background", "first"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("issue" as const), key }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("rotate" as const), key, generation: upTo(2) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      verb: fc.constant("topUp" as const),
      key,
      moves: fc.boolean(),
      value: fc.integer({ min: 1, max: 4 }),
      policy: fc.constantFrom("background" as const, "background", "first"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ verb: fc.constant("derive" as const), key, shown: fc.option(upTo(1)) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      verb: fc.constantFrom("addToWhitelist" as const, "removeFromWhitelist", "admit"),
      id: fc.constantFrom(hexOf(0, 20), hexOf(1, 20), "billing"),
      secret: upTo(1),
      scope: fc.constantFrom("a", "b"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      verb: fc.constant("publishWhitelist" as const),
      ids: fc.uniqueArray(fc.constantFrom(hexOf(0, 20), "billing")),
      scope: fc.constantFrom("a", "b"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ verb: fc.constant("lease" as const), holder: fc.constantFrom("a", "b") }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant("release" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      verb: fc.constant("prepare" as const),
      ahead: fc.constantFrom(0, 0, 0, 1, -1),
      chainNonce: upTo(2),
      keys: fc.array(key, { maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ verb: fc.constantFrom("replace" as const, "broadcast"), transactionId }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant("retry" as const), key }) },
  {
    weight: 5,
    arbitrary: fc.record({
      verb: fc.constant("conclude" as const),
      done: rarely(transactionId),
      reopened: rarely(transactionId),
      moves: fc.array(fc.record({ key, move }), { maxLength: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ verb: fc.constant("catchUp" as const), key, evidence, next: upTo(3) }),
  },
)
/** Steps of a walk: the verb, the seconds before it, and a number that is 0 for a stale fence. */
/** Pauses are sometimes long enough for the breaker to half-open or for losses to be forgotten. */
const pause = fc.oneof(
  { weight: 30, arbitrary: upTo(20) },
  { weight: 1, arbitrary: fc.constantFrom(3700, 90_000) },
)
const steps = fc.array(fc.tuple(step, pause, upTo(9)), { minLength: 5, maxLength: 60, size: "max" })

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

type State = {
  readonly now: number
  readonly fence: number
  readonly next: number
  /** Keys that are due, so that most prepared transactions are valid. */
  readonly due: readonly string[]
  readonly known: readonly string[]
}

/** A payment found on chain under one of the few keys. */
function importedOf(index: number, evidence: Evidence, now: number) {
  const info = networks.get(network)
  const asset = info?.assets[0]
  if (!info || !asset) throw new Error("the network has no asset")
  const account = hexOf(index % 2, 20)
  const payment = { payer: account, payTo: account, value: 1000n, nonce: hexOf(index, 32), logIndex: 0 }
  const found = { network: info, asset, scheme: exactEip3009, payment, evidence, now }
  const { grant, redemption } = importedPayment({ ...found, grantId: `found-${now}-${index}` })
  return { grant, redemption: { ...redemption, key: keyOf(index) } }
}

/** The verb and input of a step, completed from the state of the walk. */
function requestOf(each: Step, at: State): [Verb, unknown] {
  const { now, fence } = at
  const named = (keyed: { key: number; move: Move }) => ({
    move: keyed.move,
    key: at.known[keyed.key % (at.known.length + 1)] ?? keyOf(keyed.key),
  })
  switch (each.verb) {
    case "redeem": {
      const changes: OrderChanges = {
        key: keyOf(each.key),
        payer: hexOf(each.key % 2, 20),
        now,
        settle: each.settle,
        policy: each.policy,
        retryHash: `retry-${each.key}`,
        grant: {
          paid: each.settle,
          id: `grant-${each.key}`,
          opening: null,
          expiresAt: now + 300,
          idempotencyHash: each.hash === null ? null : `hash-${each.hash}`,
        },
        transfer: { value: BigInt(each.value) * 1000n, validBefore: BigInt(10 * start + each.block * 7) },
        intake: { balance: BigInt(each.balance) * 1000n, blockNumber: 99n + BigInt(each.block) },
        limits: {
          queue: 4,
          perPayment: 3000n,
          perPayer: 7000n,
          newPayer: 2,
          total: 11_000n,
          dailyLoss: 2000n,
          failedGas: 3_000_000,
        },
      }
      return ["redeem", orderOf(changes)]
    }
    case "rotate": {
      const lives = { full: 300, pending: 60 }
      const grantId = `grant-${each.key}`
      return [
        "rotate",
        {
          grantId,
          generation: each.generation,
          opening: null,
          keyThumbprint: null,
          resources: ["https://shop.test"],
          peer: "peer",
          jti: `jti-${now}`,
          now,
          lives,
        },
      ]
    }
    case "issue":
      return ["issue", { key: keyOf(each.key), jti: `jti-${now}`, now, lives: { full: 300, pending: 60 } }]
    case "topUp": {
      const order = topUpOf(`grant-${each.key}`, {
        kind: each.moves ? "moves" : "extends",
        nominal: BigInt(each.value) * 1000n,
        policy: each.policy,
        opening: hexOf(each.key + 100, 32),
        jti: `topped-${now}`,
        now,
        request: { from: each.moves ? "hour@00000000" : "month@00000000" },
        offer: { ref: "month@00000000", units: each.moves ? 7 : null },
      })
      return ["topUp", { ...order, key: keyOf((each.key + 3) % 6) }]
    }
    case "derive":
      return [
        "derive",
        {
          grantId: `grant-${each.key}`,
          shown: null,
          generation: each.shown,
          shownUntil: now + 30,
          resources: ["https://shop.test"],
          keyThumbprint: null,
          id: `child-${now}-${each.key}`,
          jti: `child-jti-${now}`,
          scope: null,
          units: null,
          lifeSeconds: 300,
          boundTo: null,
          now,
        },
      ]
    case "addToWhitelist":
      return ["addToWhitelist", { member: memberOf(each.id, each.scope, each.secret), now }]
    case "removeFromWhitelist":
      return ["removeFromWhitelist", { id: each.id, now }]
    case "publishWhitelist":
      return ["publishWhitelist", { members: each.ids.map((id) => memberOf(id, each.scope, 0)), now }]
    case "admit": {
      const { grant } = orderOf({ now, grant: { id: `admitted-${now}`, subject: each.id, paid: false } })
      return ["admit", { grant, secretSha256: secretHash(each.secret), now }]
    }
    case "lease":
      return ["lease", { holder: each.holder, seconds: 30, now }]
    case "release":
      return ["release", { fence }]
    case "prepare": {
      const keys = each.keys.map((index) => at.due[index] ?? keyOf(index))
      return ["prepare", { fence, nonce: Math.max(0, at.next + each.ahead), ...preparation(keys, now) }]
    }
    case "retry":
      return ["retry", { key: keyOf(each.key), now }]
    case "replace": {
      const call = now % 2 === 0 ? { call: { to: relayer, data: "0x", gas: 21_000n } } : {}
      return ["replace", { fence, transactionId: each.transactionId, version: versionOf(), ...call, now }]
    }
    case "broadcast":
      return ["broadcast", { fence, transactionId: each.transactionId, now }]
    case "catchUp": {
      const { blockNumber } = each.evidence
      const payment = importedOf(each.key, each.evidence, now)
      const nonces = [{ relayer, next: each.next }]
      return ["catchUp", { network, since: blockNumber, done: blockNumber, nonces, payments: [payment], now }]
    }
    case "conclude":
      return ["conclude", { ...each, fence, moves: each.moves.map(named), now }]
  }
}

/** Opens books in memory; every request is kept with its answer. */
function openBooks() {
  const db = openMemory(Sqlite)
  const group = createGroup(db)
  const asked: { readonly verb: Verb; readonly input: unknown; readonly answer: Answer }[] = []

  async function ask(
    verb: Verb,
    input: unknown,
  ): Promise<{ readonly value?: unknown; readonly ok: boolean }> {
    const [answer] = await group([{ id: 1, verb, input }])
    if (typeof answer === "string" || !answer) throw new Error("the database is busy")
    asked.push({ verb, input, answer })
    return "value" in answer ? { value: answer.value, ok: true } : { ok: false }
  }
  return { db, group, asked, ask }
}

const groupSize = 7

/** Repeats the requests in groups. Equal answers show that a failing verb undoes nothing but its own writes. */
async function replayInGroups({ asked }: ReturnType<typeof openBooks>): Promise<void> {
  const { db, group } = openBooks()
  for (let at = 0; at < asked.length; at += groupSize) {
    const together = asked.slice(at, at + groupSize)
    expect(await group(together.map(({ verb, input }) => ({ id: 1, verb, input })))).toEqual(
      together.map(({ answer }) => answer),
    )
  }
  db.close()
}

/** Recomputes I1, I3, I4 and I5 of the security design from the rows. */
type Row = Record<string, string | bigint | null>

function checkInvariants(db: Sqlite.Database): void {
  const rows = db.prepare<[], Row>("SELECT * FROM redemptions").all()
  const claims = db
    .prepare("SELECT redemption_key FROM entries WHERE kind IN ('redeemed', 'imported')")
    .pluck()
    .all()
  expect(new Set(claims).size).toBe(claims.length)
  expect(new Set(claims)).toEqual(new Set(rows.map((row) => row.key)))

  const unsettled = rows.filter(
    (row) => row.policy === "background" && isExposed(row.state as RedemptionState),
  )
  const queued = rows.filter((row) => isQueued(row.state as RedemptionState))
  const sum = unsettled.reduce((total, row) => total + BigInt(row.nominal ?? 0), 0n)
  const lost = db.prepare<[], Record<string, string>>("SELECT nominal FROM losses").all()
  expect(db.prepare("SELECT unsettled, lost, queued FROM totals").get()).toEqual({
    unsettled: sum.toString(),
    lost: lost.reduce((total, row) => total + BigInt(row.nominal ?? 0), 0n).toString(),
    queued: BigInt(queued.length),
  })
  const kept = db.prepare<[], Record<string, string | bigint>>(
    "SELECT * FROM payers WHERE open + settled + failed > 0",
  )
  for (const payer of kept.all()) {
    const mine = rows.filter((row) => row.payer === payer.address)
    const owed = mine.filter((row) => unsettled.includes(row))
    expect(payer).toEqual({
      address: payer.address,
      unsettled: owed.reduce((total, row) => total + BigInt(row.nominal ?? 0), 0n).toString(),
      open: BigInt(owed.length),
      settled: BigInt(mine.filter((row) => isSettled(row.state as RedemptionState)).length),
      failed: BigInt(mine.filter((row) => row.policy === "background" && isStopped(row)).length),
    })
  }

  checkGates(db, rows)
  const paid = rows.filter((row) => isSettled(row.state as RedemptionState))
  const proofs = paid.map((row) => `${row.network} ${row.transaction_hash} ${row.log_index}`)
  expect(new Set(proofs).size).toBe(paid.length)

  const sent = db.prepare("SELECT network, relayer, nonce FROM transactions").raw().all()
  expect(new Set(sent.map(String)).size).toBe(sent.length)
  const unstored = "SELECT 1 FROM transactions WHERE id NOT IN (SELECT transaction_id FROM versions)"
  expect(db.prepare(unstored).all()).toEqual([])
}

const isStopped = ({ state }: Row): boolean => state === "suspended" || state === "failed"

/** A gate that read the whole list refuses the tokens of a grant for exactly as long as a payment behind it is suspended. */
function checkGates(db: Sqlite.Database, rows: readonly Row[]): void {
  const set = createRevocationSet()
  const published = db.prepare("SELECT content FROM revocations ORDER BY sequence").pluck().all()
  set.add(published.map((content) => JSON.parse(String(content))))
  const suspended = new Set(
    rows.filter((row) => row.state === "suspended" && row.stands === 1n).map((row) => row.grant_id),
  )
  const grants = db.prepare<[], Row>("SELECT * FROM grants WHERE parent IS NULL").all()
  for (const { id, end_reason, starts_at, offer } of grants) {
    const claims = { grant: String(id), jti: "j", iat: 10 * start, offer: offer as string | null }
    const reason = set.reasonFor({ ...claims, granted_at: Number(starts_at) })
    if (end_reason === null) expect(reason).toBe(suspended.has(id ?? null) ? "suspended" : undefined)
    // Those that ended long ago have no token left, and are not on the list any more.
    else if (reason !== undefined) expect(reason).not.toBe("suspended")
  }
}

const opening: readonly [Step, number, number] = [{ verb: "lease", holder: "a" }, 0, 1]

async function walk(
  sequence: readonly (readonly [Step, number, number])[],
  successes: Map<string, number>,
): Promise<void> {
  const books = openBooks()
  const { db, ask } = books
  let now = start
  let fence = 0
  let next = 0
  let due: readonly string[] = []
  let known: readonly string[] = []
  for (const [each, seconds, late] of [opening, ...sequence]) {
    now += seconds
    if (each.verb === "prepare") {
      const { value } = await ask("nextNonce", { fence, network, relayer, chainNonce: each.chainNonce })
      if (value) next = (value as { nonce: number }).nonce
    }
    // A late number of 0 uses the previous fence.
    const [verb, input] = requestOf(each, { now, next, due, known, fence: late === 0 ? fence - 1 : fence })
    const { value, ok } = await ask(verb, input)
    if (ok) successes.set(verb, (successes.get(verb) ?? 0) + 1)
    if (verb === "lease" && value) fence = (value as { fence: number }).fence

    known = []
    for (const name of [0, 1, 2, 3, 4, 5].map(keyOf))
      if ((await ask("recall", { key: name })).value) known = [...known, name]
    await ask("entries", { after: 0, limit: 1000 })
    await ask("whitelist", { version: -1 })
    await ask("revocations", { cursor: 0, limit: 1000, now })
    const waiting = (await ask("due", { fence, network, now, limit: 4 })).value
    const again = (await ask("suspended", { fence, network, now, limit: 4 })).value
    due = [waiting, again].flatMap((rows) => ((rows ?? []) as Redemption[]).map((row) => row.key))
    const exposure = (await ask("exposure", undefined)).value
    expect(judgeExposure(exposure as Exposure)).toEqual([])
    await ask("inFlight", { fence, network })
    await ask("mined", { fence, network })
    await ask("redemptions", { state: null, after: 0, limit: 3 })
    for (const name of known) await ask("history", { key: name })
    const blocks = (await ask("paidBlocks", { fence, network, limit: 2 })).value as PaidBlock[] | undefined
    for (const block of blocks ?? []) await ask("paidIn", { fence, network, ...block })
    checkInvariants(db)
  }
  await ask("books", { after: "", limit: 100 })
  await ask("doubles", undefined)
  await ask("progress", { network })
  db.close()
  await replayInGroups(books)
}

it("groups answer like single verbs, and exposure equals the sum of unsettled rows", async () => {
  const successes = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(steps, (sequence) => walk(sequence, successes)),
    { numRuns: 200 },
  )
  // A walk on which no verb succeeds would prove nothing.
  for (const verb of [
    "redeem",
    "issue",
    "rotate",
    "lease",
    "release",
    "prepare",
    "replace",
    "broadcast",
    "conclude",
  ].concat([
    "topUp",
    "derive",
    "addToWhitelist",
    "removeFromWhitelist",
    "publishWhitelist",
    "admit",
    "catchUp",
  ]))
    expect(successes.get(verb) ?? 0, verb).toBeGreaterThan(5)
}, 120_000)
