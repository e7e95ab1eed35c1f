/** Decides a request to a gated route: takes the facts of any HTTP framework, returns pass or a whole answer. */
import type { Claims } from "../../shared/oauth/access-token.ts"
import { dpopNonceHeader } from "../../shared/oauth/dpop.ts"
import { needsPrice, type PlainAnswer } from "../../shared/oauth/gate-answer.ts"
import type { TokenHeader } from "../../shared/token-header.ts"
import type { Logger } from "../ports/runtime.ts"
import type { Charge } from "./account.ts"
import type { Challenges } from "./challenges.ts"
import type { Cors } from "./cors.ts"
import type { Gate, GateRequest } from "./gate.ts"
import type { Entry, PayAtRoutes, Payer } from "./pay-at-routes.ts"
import { type RawHeaders, readGateFields } from "./raw-headers.ts"

export type GateFacts = {
  readonly method: string
  /** Path and query of the request to the resource, as they were sent. */
  readonly target: string
  readonly rawHeaders: RawHeaders
  /** The scope that the route wants. */
  readonly scope: string
  /** The header that shows the token; `Authorization` when not given. */
  readonly tokenHeader?: TokenHeader | undefined
  /** The units that a call of the route costs a grant that counts them; 1 when not given. */
  readonly cost?: () => number
  /** The route as a 402 names it, such as `/movies/{id}`; asked for when the gate refuses. */
  readonly pattern?: () => string
  /** False while the advertised token endpoint is known to be out of reach: a price would lead a buyer nowhere. */
  readonly isSold?: () => boolean
  /** Asked for when a payment is taken at the route. */
  readonly payer?: () => Payer
  /** The route takes payments, whatever the configuration says of the others. */
  readonly takesPayments?: boolean
}

type Headers = Readonly<Record<string, string>>

export type GatePass = {
  readonly kind: "pass"
  readonly claims: Claims
  /** For the answer, from the start. */
  readonly headers: Headers
  readonly charge: Charge | null
}

export type GateAnswer = PlainAnswer & { readonly kind: "answer" }

/** Never rejects: a gate that fails stays shut. */
export type HandleGate = (facts: GateFacts) => Promise<GatePass | GateAnswer>

export type HandleGateParts = {
  readonly gate: Gate
  readonly challenges: Challenges
  readonly log: Logger
  /** Absent for a proxy that asks before it passes any method on: a service behind it may answer OPTIONS. */
  readonly cors?: Cors
  /** Absent where no route ever takes a payment. */
  readonly payAtRoutes?: PayAtRoutes | undefined
  /** Every route takes payments; otherwise those whose facts say so. */
  readonly paysEverywhere?: boolean
  readonly tally?: CallTally
}

/** Counts the calls of gated routes. It runs at every call, so it adds numbers and waits for nothing. */
export type CallTally = {
  passed(claims: Claims): void
  /** The gate answered with this status. */
  answered(status: number): void
}

/** RFC 9110 §15.5.6. A TRACE reaches a gate only on routes that take every method. */
const gatedMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

export function createHandleGate(parts: HandleGateParts): HandleGate {
  const { gate, challenges, log, cors, tally, paysEverywhere = false } = parts

  const salesAt = ({ takesPayments = false }: GateFacts): PayAtRoutes | undefined =>
    paysEverywhere || takesPayments ? parts.payAtRoutes : undefined

  /** Redeems a payment at the route. A token that is shown decides alone. */
  function enter(facts: GateFacts, request: GateRequest): Promise<Entry> | undefined {
    const { authorization, payment, queryToken, scope, cost } = request
    const payAtRoutes = salesAt(facts)
    if (!payAtRoutes || !facts.payer || !payment || authorization.length > 0 || queryToken) return undefined
    return payAtRoutes.enter({
      rawHeaders: facts.rawHeaders,
      payer: facts.payer(),
      gatedRoute: { scope, cost },
    })
  }

  /** Adds to the headers of the answer, which are sent even when something fails later. */
  async function decide(facts: GateFacts, headers: Record<string, string>): Promise<GatePass | PlainAnswer> {
    const { method, target, scope, tokenHeader } = facts
    // Frameworks answer OPTIONS in ways of their own, and some pass it to the handler.
    if (cors && method === "OPTIONS") return { status: 204, headers: { "content-length": "0" }, body: "" }
    // A TRACE would send the token back to the page or proxy that made it.
    if (method === "TRACE")
      return { status: 405, headers: { "cache-control": "no-store", allow: gatedMethods }, body: "" }
    const { hosts, authorization, dpop, payment, mpp } = readGateFields(facts.rawHeaders, tokenHeader)
    if (hosts > 1) return challenges("host_ambiguous", { scope, pattern: "", tokenHeader })
    const cost = facts.cost?.() ?? 1
    const [path, query] = splitTarget(target)
    const queryToken = hasToken(query)
    const request = { authorization, dpop, payment, queryToken, method, path, scope, cost }
    const entering = enter(facts, request)
    const entry = entering && (await entering)
    if (entry?.kind === "answer") return entry.answer
    // Before the gate decides: the bought token is the buyer's, however the call ends.
    if (entry) Object.assign(headers, entry.headers)
    const verdict = await gate(entry ? { ...request, authorization: [entry.credential] } : request)
    if (verdict.dpopNonce !== undefined) headers[dpopNonceHeader] = verdict.dpopNonce
    if (verdict.kind === "pass")
      return { kind: "pass", claims: verdict.claims, headers, charge: verdict.charge }
    const { reason } = verdict
    const payAtRoutes = salesAt(facts)
    const paid = entry && (await payAtRoutes?.refuse(reason))
    const pattern = facts.pattern?.() ?? ""
    if (!paid && needsPrice(reason) && facts.isSold?.() === false)
      return challenges("token_endpoint_unserved", { scope, pattern, tokenHeader })
    const route = { scope, pattern, cost, tokenHeader, payAtRoutes: payAtRoutes !== undefined, mpp }
    return paid ?? challenges(reason, route)
  }

  return async function handleGate(facts) {
    const headers = { ...cors?.headersFor(facts.method, facts.rawHeaders) }
    try {
      const outcome = await decide(facts, headers)
      if ("kind" in outcome) {
        tally?.passed(outcome.claims)
        return outcome
      }
      tally?.answered(outcome.status)
      return answer(outcome, headers)
    } catch (error) {
      log.error({ err: error }, "the gate failed")
      const { scope, tokenHeader } = facts
      const closed = challenges("gate_unavailable", { scope, pattern: "", tokenHeader })
      tally?.answered(closed.status)
      return answer(closed, headers)
    }
  }
}

const answer = (plain: PlainAnswer, headers: Headers): GateAnswer => ({
  kind: "answer",
  ...plain,
  headers: { ...headers, ...plain.headers },
})

function splitTarget(target: string): readonly [path: string, query: string] {
  const at = target.indexOf("?")
  return at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)]
}

const hasToken = (query: string): boolean => query !== "" && new URLSearchParams(query).has("access_token")

/** `returned`: the call costs nothing. */
export type CallOutcome = "kept" | "returned"

/** A call that the service failed to answer costs nothing. `status` is undefined when nothing was sent. */
export const outcomeOf = (status: number | undefined): CallOutcome =>
  status !== undefined && status >= 500 ? "returned" : "kept"

/**
 * The headers that replace a handler's own once its status is known: no shared cache may keep a paid answer (HTP-20), and
 * a caller sees the rest of its grant (draft-ietf-httpapi-ratelimit-headers-10).
 */
export const finalHeaders = ({ charge }: Pick<GatePass, "charge">, outcome: CallOutcome): Headers =>
  charge ? { ...paidHeaders, ...rateLimitHeaders(charge, outcome) } : paidHeaders

const paidHeaders: Headers = { "cache-control": "private, no-store" }

/** There is no window, so no reset: a grant that is used up is bought anew. */
export const rateLimitHeaders = ({ quota, remaining, cost }: Charge, outcome: CallOutcome): Headers => ({
  "ratelimit-policy": `"grant";q=${quota}`,
  ratelimit: `"grant";r=${remaining + (outcome === "returned" ? cost : 0)}`,
})
