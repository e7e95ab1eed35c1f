/** Sells access to upstreams: finds the service and route of a request, asks the gate, and forwards. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Refusal } from "../../shared/refusals.ts"
import { closeSignal } from "../adapters/close-signal.ts"
import { createPeerOf } from "../adapters/peer.ts"
import type { Issuer } from "../app/issuer.ts"
import type { ProxiedRoute } from "../core/proxied-services.ts"
import { canonicalPath, isQuery } from "../core/proxy-path.ts"
import { createCors } from "../gate/cors.ts"
import { requireIssuer } from "../gate/gate-options.ts"
import type { GateAnswer, GatePass } from "../gate/handle-gate.ts"
import { fieldsOf, rawHeadersOf } from "../gate/raw-headers.ts"
import { peerKey } from "../http/rate.ts"
import { carry } from "./call.ts"
import { type Failure, failureAnswer } from "./failures.ts"
import { type OpenService, openService } from "./open-service.ts"
import { type ProxyOptions, requireProxyOptions } from "./options.ts"
import { isTooLong } from "./request-body.ts"
import { createReturns } from "./returns.ts"
import { sendAnswer } from "./send-answer.ts"

/** A request listener. With `next`, as express gives it, requests of no service go on to it. */
export type ProxyListener = ((req: IncomingMessage, res: ServerResponse, next?: () => void) => void) & {
  /** Closes the connections to upstreams, after the calls under way. */
  close(): Promise<void>
}

type HostRequest = IncomingMessage & { readonly originalUrl?: string; readonly baseUrl?: string }

/** A request that belongs to a service. */
type Found = {
  readonly open: OpenService
  readonly route: ProxiedRoute
  readonly path: string
  readonly query: string
}

/**
 * Serves `/<service>/<path>` for each of `services` of the configuration, on the issuer's tokens. Mount it before any body
 * parser. Throws ConfigError for services that cannot be opened, and TypeError or RangeError for unknown options.
 */
export async function createProxy(issuer: Issuer, options: ProxyOptions = {}): Promise<ProxyListener> {
  requireIssuer(issuer, "createProxy()")
  const { config, log } = issuer
  requireProxyOptions(options, config.services)
  const services = new Map<string, OpenService>()
  for (const service of config.services) services.set(service.name, await openService(service, options))
  const cors = createCors(config)
  const peerOf = createPeerOf(config.trustProxy)
  const deps = { takeReturn: createReturns(), publicUrl: new URL(config.issuer), log }

  async function handle(
    req: HostRequest,
    res: ServerResponse,
    open: OpenService,
    rest: string,
  ): Promise<void> {
    const rawHeaders = rawHeadersOf(req)
    const { method = "GET" } = req
    const headers = cors.headersFor(method, rawHeaders)
    const fail = (failure: Failure): void => {
      const answer = failureAnswer(failure)
      sendAnswer(req, res, { ...answer, headers: { ...headers, ...answer.headers } })
    }
    if (cors.isPreflight(method, rawHeaders)) {
      sendAnswer(req, res, { status: 204, headers: { ...headers, "content-length": "0" }, body: "" })
      return
    }
    const found = findRoute(open, method, rest)
    if (!found) return fail("no_such_route")
    const isScript = fieldsOf(rawHeaders, "service-worker").length > 0
    if (isScript && !open.service.browser) return fail("service_worker_refused")
    if (isTooLong(req, open.service.maxBodyBytes)) return fail("body_too_large")
    const peer = peerOf(req)
    const entry = await enter(req, res, found, peer)
    if (entry === "too_many_requests") return fail(entry)
    if (entry?.kind === "answer") return sendAnswer(req, res, entry)
    const mount = `${req.baseUrl ?? ""}/${open.service.name}`
    await carry(
      { ...{ req, res, mount, peer }, ...found, pass: entry, headers: entry?.headers ?? headers },
      deps,
    )
  }

  /** Undefined for a free route. */
  async function enter(
    req: HostRequest,
    res: ServerResponse,
    { open, route }: Found,
    peer: string,
  ): Promise<GatePass | GateAnswer | "too_many_requests" | undefined> {
    const { price } = route
    if (price === null) return (await isCrowded(open, peer)) ? "too_many_requests" : undefined
    return issuer.handleGate({
      method: req.method ?? "GET",
      target: req.originalUrl ?? req.url ?? "",
      rawHeaders: rawHeadersOf(req),
      scope: price.scope,
      cost: () => price.cost,
      takesPayments: price.takesPayments,
      pattern: () => `/${open.service.name}${route.pattern.replace(/:([A-Za-z0-9_]+)/g, "{$1}")}`,
      payer: () => ({ peer, signal: closeSignal(res) }),
    })
  }

  function proxy(req: HostRequest, res: ServerResponse, next?: () => void): void {
    const [, name = "", rest] = /^\/([a-z0-9-]+)(\/.*)$/s.exec(req.url ?? "") ?? []
    const open = services.get(name)
    if (!open || rest === undefined) {
      if (next) next()
      else sendAnswer(req, res, failureAnswer("no_such_route"))
      return
    }
    handle(req, res, open, rest).catch((error: unknown) => {
      log.error({ err: error, service: name }, "a proxied request failed")
      if (res.headersSent) res.destroy()
      else sendAnswer(req, res, failureAnswer("server_error"))
    })
  }

  return Object.assign(proxy, {
    async close() {
      await Promise.all([...services.values()].map(({ pool }) => pool.close()))
    },
  })
}

function findRoute(open: OpenService, method: string, rest: string): Found | undefined {
  const at = rest.indexOf("?")
  const path = canonicalPath(at < 0 ? rest : rest.slice(0, at))
  const query = at < 0 ? "" : rest.slice(at)
  const route = path === undefined || !isQuery(query) ? undefined : open.match(method, path)
  return route && path !== undefined ? { open, route, path, query } : undefined
}

async function isCrowded({ freeCalls }: OpenService, peer: string): Promise<boolean> {
  try {
    await freeCalls.take(peerKey(peer))
    return false
  } catch (error) {
    if (error instanceof Refusal) return true
    throw error
  }
}
