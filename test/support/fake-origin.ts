/**
 * A seller for tests of the client: gate and token endpoint over real HTTP, with answers that a test can
 * replace.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { domainOf } from "../../shared/networks/network.ts"
import { sepolia } from "../../shared/networks/sepolia.ts"
import { parseHex32 } from "../../shared/oauth/messages.ts"
import { errorBody, type GateReason, gateRefusals, type Reason, refusals } from "../../shared/refusals.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { SignedTransfer } from "../../shared/schemes/scheme.ts"
import { decodeHeader, encodeHeader } from "../../shared/values/codec.ts"
import { recoverSigner } from "../../shared/values/evm.ts"
import { commitmentNonce, committedOffer, openingOf } from "../../shared/x402/commitment.ts"
import { type OfferTerms, paymentPayloadSchema } from "../../shared/x402/messages.ts"

export type Recorded = {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
export type Handler = (
  request: Recorded,
  response: ServerResponse,
  socket: IncomingMessage["socket"],
) => void | Promise<void>
export type FakeOffer = {
  scope: string
  durationSeconds: number
  amount: string
  ref: string
  /** Seconds for which a quote is valid; absent for a fixed price. */
  quoteSeconds?: number
  /** Further terms of the offer in the 402. */
  terms?: Partial<OfferTerms>
}
type FakeGrant = {
  id: string
  scope: string
  endsAt: number
  tokens: Map<string, number>
  generation: number
  opening: string
  state: "pending" | "settled" | "failed" | "none"
}
export type FakeOrigin = Awaited<ReturnType<typeof createFakeOrigin>>

const payTo = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
/** Another payTo of the seller. */
export const otherPayTo = "0x857b06519E91e3A54538791bDbb0E22373e36b66"
export const [usdc] = sepolia.assets
export const hour: FakeOffer = { ref: "hour@9f3c2a71", scope: "read", durationSeconds: 3600, amount: "10000" }

export const json = (response: ServerResponse, status: number, body: unknown, headers = {}): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
}
/** Cuts the connection without an answer. */
export const cutConnection: Handler = (_request, _response, socket) => void socket.destroy()
/** A refusal of the token endpoint, from its table of refusals. */
export const refuse =
  (reason: Reason, headers = {}): Handler =>
  (_request, response) =>
    json(response, refusals[reason].status, errorBody(reason), headers)
export const redirect =
  (location: string, status = 302): Handler =>
  (_request, response) =>
    void response.writeHead(status, { location }).end()

export async function createFakeOrigin(clock: { now: number }) {
  const requests: Recorded[] = []
  const scripts = new Map<string, Handler[]>()
  const routes = new Map<string, Handler>()
  const grants: FakeGrant[] = []
  const redeemed = new Map<string, FakeGrant>()
  const transfers: SignedTransfer[] = []
  const handled: Recorded[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("error", () => {})
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request
      const recorded = { method, path, headers, body: Buffer.concat(chunks).toString("utf8") }
      requests.push(recorded)
      const key = `${method} ${path.split("?")[0]}`
      const handler = scripts.get(key)?.shift() ?? routes.get(key) ?? builtIn
      void Promise.resolve(handler(recorded, response, request.socket)).catch(() => response.destroy())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const self = {
    url,
    requests,
    /** Every distinct valid payment that the token endpoint received, accepted or not. */
    transfers,
    /** Requests that reached the handler behind the gate. */
    handled,
    grants,
    resource: url,
    tokenEndpoint: `${url}/token`,
    offers: [hour] as FakeOffer[],
    payTo,
    /** The number of calls that one request uses up. */
    cost: undefined as number | undefined,
    tokenLifeSeconds: 300,
    /** The settlement state of a new grant. */
    settlement: "pending" as FakeGrant["state"],
    /** Changes an entry of `accepts` before it is sent. */
    changeEntry: (entry: Record<string, unknown>): unknown => entry,
    /** The scope that a path requires. */
    scopeOf: (path: string): string => (path.startsWith("/write") ? "write" : "read"),
    /** Sets the next answers to a route such as `"POST /token"`, in place of the built-in ones. */
    script: (key: string, ...handlers: Handler[]) =>
      scripts.set(key, [...(scripts.get(key) ?? []), ...handlers]),
    always: (key: string, handler: Handler) => routes.set(key, handler),
    requestsTo: (key: string) => requests.filter((r) => `${r.method} ${r.path.split("?")[0]}` === key),
    challenge,
    gate,
    router,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return self

  function challenge(error: string, scope: string | undefined) {
    const offers = self.offers.filter(
      (offer) => scope === undefined || offer.scope.split(" ").includes(scope),
    )
    return {
      x402Version: 2,
      error,
      resource: { url: `${self.resource}/` },
      accepts: offers.map((offer) =>
        self.changeEntry({
          scheme: "exact",
          network: sepolia.id,
          amount: offer.amount,
          asset: usdc.address,
          payTo: self.payTo,
          maxTimeoutSeconds: 600,
          extra: {
            ...usdc.eip712,
            offer: offer.ref,
            ...(offer.quoteSeconds !== undefined && { quote: `until-${quotedUntil(offer)}` }),
            paymentFlow: "access-token",
          },
        }),
      ),
      extensions: {
        "access-token": {
          info: {
            tokenEndpoint: self.tokenEndpoint,
            resource: self.resource,
            cost: self.cost,
            offers: Object.fromEntries(
              offers.map((offer) => [
                offer.ref,
                {
                  scope: offer.scope,
                  durationSeconds: offer.durationSeconds,
                  settle: "background",
                  ...(offer.quoteSeconds !== undefined && { priceExpiresAt: quotedUntil(offer) }),
                  ...offer.terms,
                },
              ]),
            ),
          },
        },
      },
    }
  }

  function quotedUntil({ quoteSeconds = 0 }: FakeOffer): number {
    return Math.floor(clock.now) + quoteSeconds
  }

  function builtIn(request: Recorded, response: ServerResponse): void | Promise<void> {
    return request.path.split("?")[0] === "/token" ? router(request, response) : gate(request, response)
  }

  function gate(request: Recorded, response: ServerResponse): void {
    const scope = self.scopeOf(request.path)
    const reason = reasonToRefuse(request, scope)
    if (reason === undefined) {
      handled.push(request)
      json(response, 200, { path: request.path, method: request.method, body: request.body })
    } else if (gateRefusals[reason].status === 402) {
      const body = challenge(reason, scope)
      json(response, 402, body, { "payment-required": encodeHeader(body) })
    } else json(response, gateRefusals[reason].status, { error: reason })
  }

  function reasonToRefuse(request: Recorded, scope: string): GateReason | undefined {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]
    if (token === undefined) return "token_missing"
    const grant = grants.find((candidate) => candidate.tokens.has(token))
    if (!grant) return "token_invalid"
    if (grant.state === "failed") return "settlement_failed"
    if ((grant.tokens.get(token) ?? 0) <= clock.now) return "token_expired"
    return grant.scope.split(" ").includes(scope) ? undefined : "insufficient_scope"
  }

  async function router(request: Recorded, response: ServerResponse): Promise<void> {
    const secret = parseHex32(String(request.headers["ticket402-secret"] ?? ""))
    const payment = request.headers["payment-signature"]
    const refuseWith = (reason: Reason) => json(response, refusals[reason].status, errorBody(reason))
    if (payment === undefined) {
      const form = new URLSearchParams(request.body)
      const [id, generation] = (form.get("refresh_token") ?? "").split(".")
      const grant = grants.find((candidate) => candidate.id === id)
      if (!grant) return refuseWith("refresh_token_invalid")
      if (grant.state === "failed") return refuseWith("settlement_failed")
      if (grant.endsAt <= clock.now) return refuseWith("grant_over")
      const proven = secret !== undefined && openingOf(secret) === grant.opening
      const current = Number(generation) === grant.generation
      if (!current && !(Number(generation) === grant.generation - 1 && proven))
        return refuseWith("refresh_token_reused")
      if (current) grant.generation++
      return answer(grant, response)
    }

    const payload = paymentPayloadSchema.parse(decodeHeader(String(payment)))
    const transfer = exactEip3009.parse(payload.payload)
    const domain = domainOf(sepolia, usdc)
    if ((await exactEip3009.verify(transfer, domain, recoverSigner)) !== "valid")
      return refuseWith("signature_invalid")
    const key = exactEip3009.redemptionKey(sepolia.chainId, usdc.address, transfer)
    if (!transfers.some((other) => other.nonce === transfer.nonce)) transfers.push(transfer)
    const opening = parseHex32(String(request.headers["ticket402-commitment"] ?? "")) ?? openingOf(secret!)
    const known = redeemed.get(key)
    if (known)
      return secret !== undefined && openingOf(secret) === known.opening
        ? answer(known, response)
        : refuseWith("authorization_conflict")
    const offer = self.offers.find((candidate) => candidate.ref === payload.accepted.extra?.offer)
    if (!offer) return refuseWith("offer_unknown")
    const { quote } = payload.accepted.extra ?? {}
    const isQuoted = offer.quoteSeconds !== undefined
    if (isQuoted !== (quote !== undefined)) return refuseWith("quote_invalid")
    if (isQuoted && Number(transfer.validBefore) - 600 > Number(quote?.slice(6)))
      return refuseWith("quote_expired")
    const offerRef = committedOffer(offer.ref, quote)
    if (commitmentNonce(opening, { offerRef, resource: self.resource }) !== transfer.nonce)
      return refuseWith("commitment_mismatch")
    if (transfer.value !== BigInt(offer.amount)) return refuseWith("amount_mismatch")
    if (transfer.payTo !== self.payTo.toLowerCase()) return refuseWith("recipient_mismatch")
    const grant: FakeGrant = {
      id: `grant${grants.length}x${url.slice(-5).replace(":", "")}`,
      scope: offer.scope,
      endsAt: Math.floor(clock.now) + offer.durationSeconds,
      tokens: new Map(),
      generation: 0,
      opening,
      state: self.settlement,
    }
    grants.push(grant)
    redeemed.set(key, grant)
    answer(grant, response)
  }

  function answer(grant: FakeGrant, response: ServerResponse): void {
    const token = `token.${grant.id}.${grant.tokens.size}`
    grant.tokens.set(token, clock.now + self.tokenLifeSeconds)
    json(response, 200, {
      access_token: token,
      token_type: "Bearer",
      expires_in: self.tokenLifeSeconds,
      scope: grant.scope,
      refresh_token: `${grant.id}.${grant.generation}`,
      grant: {
        id: grant.id,
        expires_at: grant.endsAt,
        calls_remaining: null,
        settlement: { state: grant.state, network: sepolia.id },
      },
    })
  }
}
