import { beforeEach, describe, expect, it } from "vitest"
import { createChallenges } from "../../../server/gate/challenges.ts"
import { createCors } from "../../../server/gate/cors.ts"
import type { Gate, GateRequest } from "../../../server/gate/gate.ts"
import { createHandleGate, finalHeaders, type HandleGateParts } from "../../../server/gate/handle-gate.ts"
import type { PayAtRoutes } from "../../../server/gate/pay-at-routes.ts"
import { endpointsOf } from "../../../server/http/metadata.ts"
import type { Logger } from "../../../server/ports/runtime.ts"
import type { Claims } from "../../../shared/oauth/access-token.ts"
import { gateFacts, reasonIn } from "../../support/gate-facts.ts"

const issuer = "https://cinema.example"
const page = "https://app.example"
const claims = { sub: "eip155:1:0xabc" } as Claims
/** The requests that reached the gate. */
let asked: GateRequest[] = []
let logged: string[] = []
beforeEach(() => {
  asked = []
  logged = []
})
const log: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (_fields, message) => void logged.push(message),
}
const gate: Gate = async (request) => {
  asked.push(request)
  return request.authorization.length > 0
    ? { kind: "pass", claims, charge: null }
    : { kind: "refuse", reason: "token_missing" }
}
const challenges = createChallenges({
  issuer,
  resource: issuer,
  endpoints: endpointsOf(issuer, issuer),
  prices: { offers: [], current: () => [] },
  x402v1: false,
})
const open = (parts: Partial<HandleGateParts> = {}) => createHandleGate({ gate, challenges, log, ...parts })
const authorization = ["Bearer a.b.c"]
const corsLists = { methods: [], allowHeaders: [], exposeHeaders: [] }

describe("handleGate", () => {
  it("HTP-04: OPTIONS at a route is answered with 204 and reaches no gate", async () => {
    const facts = gateFacts({ method: "OPTIONS", authorization })
    expect(await open({ cors: createCors({ cors: [], corsLists }) })(facts)).toMatchObject({
      kind: "answer",
      status: 204,
      body: "",
    })
    expect(asked).toEqual([])
  })

  it("HTP-04: OPTIONS behind a proxy needs a token like any method", async () => {
    expect(await open()(gateFacts({ method: "OPTIONS" }))).toMatchObject({ status: 402 })
    expect(await open()(gateFacts({ method: "OPTIONS", authorization }))).toMatchObject({ kind: "pass" })
  })

  it("HTP-04: TRACE is answered with 405 and never passes", async () => {
    const answer = await open()(gateFacts({ method: "TRACE", authorization }))
    expect(answer).toMatchObject({ status: 405, headers: { "cache-control": "no-store" }, body: "" })
    expect(answer).toMatchObject({ headers: { allow: "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT" } })
    expect(asked).toEqual([])
  })

  it("HTP-08: two Host fields are refused with 400, whatever their case", async () => {
    const { rawHeaders } = gateFacts({ authorization })
    const answer = await open()(gateFacts({ rawHeaders: ["Host", "a", "hOST", "a", ...rawHeaders] }))
    expect(answer).toMatchObject({ kind: "answer", status: 400 })
    expect(asked).toEqual([])
  })

  it("HTP-08: the gate gets every value of a doubled header, in order", async () => {
    await open()(gateFacts({ authorization: ["Bearer a", "Bearer b"], dpop: ["x", "y"] }))
    expect(asked).toMatchObject([
      { authorization: ["Bearer a", "Bearer b"], dpop: ["x", "y"], payment: false },
    ])
  })

  it("N-6750-1: every spelling of access_token in a query counts, and nothing else", async () => {
    for (const query of ["access_token=x", "a=1&access_token=", "%61ccess_token=x", "access_token"])
      await open()(gateFacts({ authorization, target: `/movies/1?${query}` }))
    expect(asked.map(({ queryToken, path }) => [queryToken, path])).toEqual(
      Array.from({ length: 4 }, () => [true, "/movies/1"]),
    )
    asked = []
    for (const target of ["/access_token=x", "/a?xaccess_token=x", "/a?b=access_token", "/a?"])
      await open()(gateFacts({ authorization, target }))
    expect(asked.map(({ queryToken }) => queryToken)).toEqual([false, false, false, false])
  })

  it("HTP-20: a paid answer is private, for any headers of the handler", async () => {
    const outcome = await open()(gateFacts({ authorization }))
    if (outcome.kind !== "pass") throw new Error("refused")
    expect(finalHeaders(outcome, "kept")).toEqual({ "cache-control": "private, no-store" })
  })

  it("HTP-25, CLI-14: a failing gate answers 503 and still delivers a bought token", async () => {
    const payAtRoutes: PayAtRoutes = {
      enter: async () => ({
        kind: "token",
        credential: "Bearer bought",
        headers: { "ticket402-token": "bought" },
      }),
      refuse: () => undefined,
    }
    const broken: Gate = () => Promise.reject(new Error("the gate is broken"))
    const payer = () => ({ peer: "", signal: new AbortController().signal })
    const answer = await open({ gate: broken, payAtRoutes, paysEverywhere: true })(
      gateFacts({ payment: true, payer }),
    )
    if (answer.kind !== "answer") throw new Error("passed")
    expect([answer.status, reasonIn(answer)]).toEqual([503, "gate_unavailable"])
    expect(answer.headers).toMatchObject({ "ticket402-token": "bought", "retry-after": "1" })
    expect(logged).toEqual(["the gate failed"])
  })

  it("HTP-04: every answer names the listed page that may read it", async () => {
    const rawHeaders = ["Origin", page]
    const handleGate = open({ cors: createCors({ cors: [page], corsLists }) })
    for (const method of ["GET", "OPTIONS", "TRACE"])
      expect(await handleGate(gateFacts({ method, rawHeaders })), method).toMatchObject({
        headers: { "access-control-allow-origin": page, vary: "Origin" },
      })
    const twice = await handleGate(gateFacts({ rawHeaders: [...rawHeaders, ...rawHeaders] }))
    expect(twice.headers["access-control-allow-origin"]).toBeUndefined()
  })
})
