/** Carries a call that the gate let through to the upstream, and settles its cost by the outcome. */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { ProxiedRoute } from "../core/proxied-services.ts"
import { type CallOutcome, finalHeaders, type GatePass } from "../gate/handle-gate.ts"
import { rawHeadersOf } from "../gate/raw-headers.ts"
import type { Logger } from "../ports/runtime.ts"
import { answerHeaders, guardHeaders } from "./answer-headers.ts"
import { BodyTooLarge, type Failure, failureAnswer, isOurFault } from "./failures.ts"
import { hopByHop } from "./header-names.ts"
import type { OpenService } from "./open-service.ts"
import type { ProxyContext } from "./options.ts"
import { type Outgoing, type ReadHead, type Relayed, relay } from "./relay.ts"
import { openBody, readAll } from "./request-body.ts"
import { requestHeaders } from "./request-headers.ts"
import type { TakeReturn } from "./returns.ts"
import { sendAnswer } from "./send-answer.ts"

export type Call = {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly open: OpenService
  readonly route: ProxiedRoute
  /** Canonical, below the service, and the query with its question mark. */
  readonly path: string
  readonly query: string
  /** The path of the service at the issuer. */
  readonly mount: string
  readonly peer: string
  /** Of a priced route. */
  readonly pass: GatePass | undefined
  /** For every answer, from the start. */
  readonly headers: Readonly<Record<string, string>>
}

export type CallDeps = { readonly takeReturn: TakeReturn; readonly publicUrl: URL; readonly log: Logger }

export async function carry(call: Call, deps: CallDeps): Promise<void> {
  const { req, res, open, pass, headers } = call
  let outcome: CallOutcome = "kept"
  const decide = (costsNothing: boolean): Readonly<Record<string, string>> => {
    outcome = pass?.charge && costsNothing && deps.takeReturn(pass) ? "returned" : "kept"
    return pass ? finalHeaders(pass, outcome) : {}
  }
  try {
    const relayed = await send(call, deps, decide)
    if (relayed.kind !== "failed") return
    const { failure, error } = relayed
    deps.log.warn({ service: open.service.name, route: call.route.name, err: error }, failure)
    const answer = failureAnswer(failure)
    const final = decide(isOurFault(failure))
    sendAnswer(req, res, { ...answer, headers: { ...headers, ...answer.headers, ...final } })
  } finally {
    pass?.charge?.settle(outcome)
  }
}

async function send(
  call: Call,
  { publicUrl }: CallDeps,
  decide: (costsNothing: boolean) => Readonly<Record<string, string>>,
): Promise<Relayed> {
  const { req, res, open, mount, peer, headers } = call
  const { service, credentials, hooks, pool } = open
  const url = new URL(`${service.baseUrl}${call.path}${call.query}`)
  const context: ProxyContext = {
    service: service.name,
    route: call.route.name,
    grant: call.pass?.claims.grant,
  }

  const readHead: ReadHead = (status, upstream) => {
    const kept = answerHeaders(status, upstream, { service, credentials, url, mount })
    if (!kept) return "upstream_refused"
    const answer = hooks.rewriteResponse ? rewritten(status, kept, hooks.rewriteResponse, context) : kept
    const final = decide(status >= 500 || status === 429)
    return { status, headers: { ...answer, ...headers, ...guardHeaders(service), ...final } }
  }

  try {
    const outgoing = await prepare()
    const first = await relay(pool, outgoing, res, readHead)
    const mayRepeat = first.kind === "failed" && first.isStale && outgoing.body === null && isSafe(req.method)
    return mayRepeat ? await relay(pool, outgoing, res, readHead) : first
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return failedBefore(error)
  }

  async function prepare(): Promise<Outgoing> {
    const body = openBody(req, service.maxBodyBytes)
    const forwarded = { host: url.host, peer, publicUrl }
    const method = req.method ?? "GET"
    // As it was matched: `URL` may spell it in another way.
    const path = `${service.baseUrl.slice(url.origin.length)}${call.path}${call.query}`
    const raw = requestHeaders(rawHeadersOf(req), credentials, forwarded)
    if (!hooks.rewriteRequest) return { method, path, headers: raw, body }
    let whole: Promise<Uint8Array> | undefined
    const changed = new Headers()
    for (let at = 0; at < raw.length; at += 2) changed.append(raw[at] ?? "", raw[at + 1] ?? "")
    const read = () => {
      whole ??= readAll(body)
      return whole
    }
    await hooks.rewriteRequest({ method, url, headers: changed, body: read }, context)
    const sent = [...changed].filter(([name]) => !hopByHop.has(name) && !(whole && name === "content-length"))
    return { method, path, headers: sent.flat(), body: whole && body ? await whole : body }
  }
}

const isSafe = (method: string | undefined): boolean => method === "GET" || method === "HEAD"

const failedBefore = (error: Error): Relayed => {
  const failure: Failure = error instanceof BodyTooLarge ? "body_too_large" : "server_error"
  return { kind: "failed", failure, error, isStale: false }
}

function rewritten(
  status: number,
  kept: Readonly<Record<string, string | string[]>>,
  rewrite: NonNullable<OpenService["hooks"]["rewriteResponse"]>,
  context: ProxyContext,
): Record<string, string> {
  const headers = new Headers()
  for (const [name, value] of Object.entries(kept))
    for (const each of [value].flat()) headers.append(name, each)
  rewrite({ status, headers }, context)
  return Object.fromEntries([...headers].filter(([name]) => !hopByHop.has(name)))
}
