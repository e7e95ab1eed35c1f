/** The verbs of a store without their promises, and how a store is made of them. */
import type { Store } from "../../ports/store.ts"

export type Verb = Exclude<keyof Store, "close">
export type VerbInput<V extends Verb> = Parameters<Store[V]>[0]
export type VerbOutput<V extends Verb> = Awaited<ReturnType<Store[V]>>

/** Each verb is one transaction: it returns, or throws and has changed nothing. */
export type Verbs = { readonly [V in Verb]: (input: VerbInput<V>) => VerbOutput<V> }

/** The verbs of the ticket office and of those who read the ledger. */
export type IntakeVerb =
  | "publishOffers"
  | "redeem"
  | "topUp"
  | "payments"
  | "recall"
  | "findGrant"
  | "issue"
  | "rotate"
  | "derive"
  | "entries"
  | "useOnce"
/** The verbs of grants that end with their use. */
export type UnitVerb = "takeUnits" | "reportUnits" | "creditUnits"
/** The verbs of what is taken back. */
export type RevocationVerb = "revoke" | "revocations"
/** The verbs of the whitelist. */
export type WhitelistVerb =
  | "publishWhitelist"
  | "addToWhitelist"
  | "removeFromWhitelist"
  | "whitelist"
  | "admit"
/** The verbs of those who look through the books, and mend them. */
export type BookVerb = "books" | "exposure" | "doubles" | "progress" | "unbooked" | "catchUp"

/** The verbs of the operator who looks into single redemptions. */
export type LedgerVerb = "redemptions" | "history" | "retry"

/** Verbs that write nothing. */
export const readingVerbs: ReadonlySet<string> = new Set<Verb>([
  "payments",
  "recall",
  "findGrant",
  "revocations",
  "entries",
  "whitelist",
  "redemptions",
  "history",
  "due",
  "inFlight",
  "transactionAt",
  "mined",
  "paidBlocks",
  "paidIn",
  "books",
  "exposure",
  "doubles",
  "progress",
  "unbooked",
])

/** Carries a verb out, wherever that happens. */
export type Call = <V extends Verb>(verb: V, input: VerbInput<V>) => Promise<VerbOutput<V>>

export const storeOf = (call: Call, close: () => Promise<void>): Store => ({
  publishOffers: (input) => call("publishOffers", input),
  redeem: (order) => call("redeem", order),
  topUp: (order) => call("topUp", order),
  payments: (input) => call("payments", input),
  recall: (input) => call("recall", input),
  findGrant: (input) => call("findGrant", input),
  issue: (input) => call("issue", input),
  rotate: (input) => call("rotate", input),
  derive: (input) => call("derive", input),
  takeUnits: (input) => call("takeUnits", input),
  reportUnits: (input) => call("reportUnits", input),
  creditUnits: (input) => call("creditUnits", input),
  revoke: (input) => call("revoke", input),
  revocations: (input) => call("revocations", input),
  entries: (input) => call("entries", input),
  useOnce: (input) => call("useOnce", input),
  publishWhitelist: (input) => call("publishWhitelist", input),
  addToWhitelist: (input) => call("addToWhitelist", input),
  removeFromWhitelist: (input) => call("removeFromWhitelist", input),
  whitelist: (input) => call("whitelist", input),
  admit: (input) => call("admit", input),
  redemptions: (input) => call("redemptions", input),
  history: (input) => call("history", input),
  retry: (input) => call("retry", input),
  lease: (input) => call("lease", input),
  release: (input) => call("release", input),
  due: (input) => call("due", input),
  nextNonce: (input) => call("nextNonce", input),
  prepare: (input) => call("prepare", input),
  replace: (input) => call("replace", input),
  broadcast: (input) => call("broadcast", input),
  inFlight: (input) => call("inFlight", input),
  transactionAt: (input) => call("transactionAt", input),
  mined: (input) => call("mined", input),
  paidBlocks: (input) => call("paidBlocks", input),
  paidIn: (input) => call("paidIn", input),
  conclude: (input) => call("conclude", input),
  books: (input) => call("books", input),
  exposure: () => call("exposure", undefined),
  doubles: () => call("doubles", undefined),
  progress: (input) => call("progress", input),
  unbooked: (input) => call("unbooked", input),
  catchUp: (input) => call("catchUp", input),
  close,
})

/** A verb by its name; the compiler cannot see that name and input belong together. */
export const perform = (verbs: Verbs, verb: Verb, input: unknown): unknown =>
  (verbs[verb] as (input: unknown) => unknown)(input)
