import { decodeJwt } from "jose"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { gate } from "../../server/adapters/express.ts"
import { decodeHeader } from "../../shared/values/codec.ts"
import { paymentRequiredHeader, paymentRequiredSchema } from "../../shared/x402/messages.ts"
import { gateFacts } from "../support/gate-facts.ts"
import { sendRaw, statusesOf } from "../support/raw-http.ts"
import { openService, postToken, preparePurchase, type TestService, watch } from "../support/service.ts"

let service: TestService
let port: number
beforeAll(async () => {
  service = await openService()
  port = Number(new URL(service.url).port)
})
afterAll(() => service.close())

describe("the payment-required answer", () => {
  it("QTE-13: names the configured service for any Host header", async () => {
    const lines = ["Host: evil.example", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: ftp"]
    for (const path of ["/movies/7", "/token"]) {
      const method = path === "/token" ? "POST" : "GET"
      const answer = await sendRaw(port, `${method} ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`)
      expect(statusesOf(answer)).toEqual([402])
      expect(answer).not.toContain("evil")
      const header = /^payment-required: (.+)\r$/im.exec(answer)?.[1]
      expect(JSON.stringify(decodeHeader(header!))).not.toContain("evil")
    }
  })

  it("N-9728-1: names a route once, whether or not a proxy strips the resource's path", async () => {
    const resource = "https://api.example/cinema"
    const other = await openService({ chain: service.chain, config: { resource } })
    other.app.get("/cinema/films/:id", gate(other.issuer, "movies:read"))
    try {
      for (const [path, name] of [
        ["/movies/7", `${resource}/movies/{id}`],
        ["/cinema/films/7", `${resource}/films/{id}`],
      ])
        expect((await watch(other.url, undefined, path)).body.resource.url).toBe(name)
    } finally {
      await other.close()
    }
  })

  it("QTE-12: carries a route's name as data and never as a header", async () => {
    const pattern = 'films "noir"\r\nSet-Cookie: a=b, 🎬'
    const outcome = await service.issuer.handleGate(gateFacts({ pattern: () => pattern }))
    if (outcome.kind !== "answer") throw new Error("the gate accepted the request")
    const { headers, body } = outcome
    for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]+$/)
    const quote = paymentRequiredSchema.parse(decodeHeader(headers[paymentRequiredHeader]!))
    expect(quote.resource?.url).toBe(`${service.url}${pattern}`)
    expect(JSON.parse(body).resource.url).toBe(quote.resource?.url)
  })
})

describe("the gate", () => {
  it("TOK-28: refuses a token of any size before the handler", async () => {
    let reached = 0
    service.app.get("/reached", gate(service.issuer, "movies:read"), (_req, res) => {
      reached += 1
      res.end()
    })
    const bought = await postToken(
      service.url,
      (await preparePurchase(service, await service.customer())).headers,
    )
    const [header, , signature] = bought.body.access_token.split(".")
    const statusOf = async (size: number) => {
      const claims = { ...decodeJwt(bought.body.access_token), more: "x".repeat(size) }
      const token = `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.${signature}`
      return (await watch(service.url, token, "/reached").catch(() => ({ status: 431 }))).status
    }
    expect(await statusOf(7_000)).toBe(401)
    expect(await statusOf(100_000)).toBe(431)
    expect(reached).toBe(0)
  })
})
