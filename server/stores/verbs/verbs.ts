/** Every verb of the store by its name; adding one is a function in its area, a line here and one in the port's type. */
import type { Store } from "../../ports/store.ts"
import type { Rows } from "../records/rows.ts"
import { books, doubles, exposure, standing } from "./books.ts"
import { catchUp, progress, unbooked } from "./catch-up.ts"
import { claim } from "./claim.ts"
import { paymentSums, population } from "./figures.ts"
import { derive, findGrant, issue, rotate } from "./grants.ts"
import { generation, identify, identity } from "./identity.ts"
import { beat, leave } from "./instances.ts"
import { keyRing, replaceKeyRing } from "./key-ring.ts"
import { lease, release } from "./lease.ts"
import { entries, history, redemptions, retry } from "./ledger.ts"
import { firstSince, ledger, newest, resume, sums } from "./ledger-pages.ts"
import { publishOffers } from "./offers.ts"
import { recover } from "./recover.ts"
import { recall, redeem } from "./redeem.ts"
import { revocations, revoke } from "./revocations.ts"
import {
  conclude,
  due,
  failedGas,
  mined,
  paidBlocks,
  paidIn,
  suspended,
  suspendedCount,
} from "./settlement.ts"
import { payments, topUp } from "./top-ups.ts"
import { broadcast, inFlight, nextNonce, prepare, replace, transactionAt } from "./transactions.ts"
import { creditUnits, reportUnits, takeUnits } from "./units.ts"
import { useOnce } from "./used-keys.ts"
import { addToWhitelist, admit, publishWhitelist, removeFromWhitelist, whitelist } from "./whitelist.ts"

export type Verb = Exclude<keyof Store, "close">
export type VerbInput<V extends Verb> = Parameters<Store[V]>[0]
export type VerbOutput<V extends Verb> = Awaited<ReturnType<Store[V]>>

/**
 * Runs inside one transaction, alone: it resolves, or rejects and the transaction is undone. It awaits one statement at a
 * time, so that no statement of it is left running.
 */
type VerbFunction<V extends Verb> = (rows: Rows, input: VerbInput<V>) => Promise<VerbOutput<V>>

/** Verbs that write nothing, so that no lock keeps them waiting. */
const readingVerbs = {
  payments,
  recall,
  findGrant,
  revocations,
  entries,
  whitelist,
  redemptions,
  history,
  due,
  failedGas,
  inFlight,
  transactionAt,
  mined,
  suspended,
  suspendedCount,
  paidBlocks,
  paidIn,
  books,
  exposure,
  doubles,
  standing,
  paymentSums,
  population,
  progress,
  unbooked,
  generation,
  identity,
  keyRing,
  newest,
  firstSince,
  resume,
  ledger,
  sums,
}

const verbs: { readonly [V in Verb]: VerbFunction<V> } = {
  ...readingVerbs,
  publishOffers,
  redeem,
  claim,
  topUp,
  issue,
  recover,
  rotate,
  derive,
  takeUnits,
  reportUnits,
  creditUnits,
  revoke,
  useOnce,
  publishWhitelist,
  addToWhitelist,
  removeFromWhitelist,
  admit,
  retry,
  lease,
  release,
  nextNonce,
  prepare,
  replace,
  broadcast,
  conclude,
  catchUp,
  identify,
  replaceKeyRing,
  beat,
  leave,
}

export const isReading = (verb: Verb): boolean => Object.hasOwn(readingVerbs, verb)

/** Runs a verb by its name; the compiler cannot see that name and input belong together. */
export const perform = (rows: Rows, verb: Verb, input: unknown): Promise<unknown> =>
  (verbs[verb] as (rows: Rows, input: unknown) => Promise<unknown>)(rows, input)

/** A store of these verbs, wherever `call` runs them. */
export function createStore(
  call: (verb: Verb, input: unknown) => Promise<unknown>,
  close: () => Promise<void>,
): Store {
  const names = Object.keys(verbs) as Verb[]
  const methods = names.map((verb) => [verb, (input: unknown) => call(verb, input)])
  return { ...Object.fromEntries(methods), close }
}
