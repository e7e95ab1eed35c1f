import { gzipSync } from "node:zlib"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { verifyProof } from "../../server/keys/index.ts"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { gateFacts } from "../support/gate-facts.ts"
import { sendRaw, statusesOf } from "../support/raw-http.ts"
import { openService, postToken, preparePurchase, refresh, type TestService } from "../support/service.ts"

let service: TestService
beforeAll(async () => {
  service = await openService()
})
afterAll(() => service.close())

const json = { "content-type": "application/json" }
const reason = async (headers: Record<string, string>, body?: string) => {
  const answer = await postToken(service.url, headers, body)
  return `${answer.status} ${answer.body.reason ?? answer.body.error}`
}

describe("malformed input at the token endpoint", () => {
  it("PRS-14: a body that is not an object of parameters is refused", async () => {
    for (const body of ["null", "[]", '"x"', "1", "{", "{}x", "\u0000", "{'a':1}"])
      expect(await reason(json, body), body).toBe("400 malformed")
    expect(await reason(json, "{}")).toBe("402 payment_missing")
    expect(await reason(json, "")).toBe("402 payment_missing")
  })

  it("PRS-13: a body is JSON or a form in UTF-8, otherwise 415", async () => {
    const types = [
      "text/plain",
      "application/json; charset=utf-7",
      "application/json;charset=utf-16",
      "multipart/form-data",
      "application/xml",
      "application/jsonx",
    ]
    for (const type of types)
      expect(await reason({ "content-type": type }, "{}"), type).toBe("415 media_type_unsupported")
    expect(await reason({ "content-type": 'Application/JSON; charset="UTF-8"' }, "{}")).toBe(
      "402 payment_missing",
    )
    expect(await reason({ "content-type": "text/plain" })).toBe("402 payment_missing")
  })

  it("PRS-01, PRS-02: a body too large or compressed is refused unread", async () => {
    expect(await reason(json, JSON.stringify({ a: "x".repeat(70_000) }))).toBe("413 body_too_large")
    const response = await fetch(`${service.url}/token`, {
      method: "POST",
      headers: { ...json, "content-encoding": "gzip" },
      body: gzipSync("{}"),
    })
    expect(response.status).toBe(415)
    // Without Content-Length the body is cut at the limit.
    const chunks = new Blob([" ".repeat(70_000)]).stream()
    const streamed = { method: "POST", headers: json, body: chunks, duplex: "half" } as RequestInit
    expect((await fetch(`${service.url}/token`, streamed)).status).toBe(413)
    const long = await fetch(`${service.url}/token`, {
      method: "POST",
      headers: { [paymentSignatureHeader]: "A".repeat(17_000) },
    })
    expect(long.status).toBe(431)
  })

  it("N-6749-2: a duplicate parameter is refused and an unknown one ignored", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded" }
    expect(await reason(form, "grant_type=refresh_token&grant_type=refresh_token")).toBe("400 malformed")
    expect(await reason(form, "grant_type=refresh_token&refresh_token=x&refresh_token=y")).toBe(
      "400 malformed",
    )
    expect(await reason(form, "hello=1")).toBe("402 payment_missing")
    expect(await reason(form, "grant_type=password")).toBe("400 grant_type_unsupported")
    expect(await reason(form, "grant_type=refresh_token")).toBe("400 malformed")
    expect(await reason(form, "grant_type=refresh_token&refresh_token=x")).toBe("400 refresh_token_invalid")
    expect(await reason(json, '{"grant_type":1}')).toBe("400 malformed")
  })

  it("PRS-04: keys named like prototype members are refused in header and body", async () => {
    const body =
      '{"grant_type":"urn:ticket402:payment","payment":{"x402Version":2,"accepted":{"__proto__":{}}}}'
    expect(await reason(json, body)).toBe("400 malformed")
    expect(
      await reason({ [paymentSignatureHeader]: Buffer.from('{"constructor":1}').toString("base64") }),
    ).toBe("400 payment_malformed")
  })

  it("an unreadable payment and two payments in one request are refused", async () => {
    for (const header of ["x", "e30", "e30=", "bnVsbA==", Buffer.from("[]").toString("base64"), "e30=, e30="])
      expect(await reason({ [paymentSignatureHeader]: header }), header).toBe("400 payment_malformed")
    const { headers, payload } = await preparePurchase(service, await service.customer())
    expect(await reason({ ...headers, ...json }, JSON.stringify({ grant_type: "refresh_token" }))).toBe(
      "400 malformed",
    )
    expect(await reason({ ...headers, ...json }, JSON.stringify({ payment: payload }))).toBe("400 malformed")
    expect(await reason({ ...headers, "Ticket402-Secret": "abc" })).toBe("400 malformed")
    expect(await reason({ ...headers, "Idempotency-Key": "short" })).toBe("400 malformed")
  })

  it("HTP-04, HTP-05: requests that the web API rejects are answered 400 or 405", async () => {
    const port = Number(new URL(service.url).port)
    const head = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    const statuses = async (line: string) => statusesOf(await sendRaw(port, `${line} ${head}`))
    expect(await statuses("TRACE /token")).toEqual([405])
    for (const target of ["http://127.0.0.1/token", "http://elsewhere:99999/token", "https://@/token"])
      expect(await statuses(`POST ${target}`), target).toEqual([400])
  })

  it("PRS-12: control characters in any string are refused and never cut", async () => {
    const { payload } = await preparePurchase(service, await service.customer())
    const inner = payload.payload as { signature: string; authorization: Record<string, string> }
    const broken = ["\u0000", "\r\nx", "\u2028", "\ud800", "\u202e", "a\u0000b"]
    for (const [text, key] of broken.flatMap((text) =>
      Object.keys(inner.authorization).map((key) => [text, key] as const),
    )) {
      const authorization = { ...inner.authorization, [key]: inner.authorization[key] + text }
      const payment = { ...payload, payload: { ...inner, authorization } }
      const body = JSON.stringify({ grant_type: "urn:ticket402:payment", payment })
      expect(await reason(json, body), key + JSON.stringify(text)).toMatch(/^400 /)
    }
    for (const text of broken) {
      const body = JSON.stringify({ grant_type: text, payment: text, refresh_token: text })
      expect(await reason(json, body)).toBe("400 grant_type_unsupported")
      const refresh = JSON.stringify({ grant_type: "refresh_token", refresh_token: text })
      expect(await reason(json, refresh)).toBe("400 refresh_token_invalid")
    }
  })

  it("PRS-20, DOS-13: no input makes a regular expression slow", async () => {
    const bombs = ["a", "=", ".", " ", "0", "0x", "a.", "-_", "bearer "].flatMap((part) => [
      part.repeat(15_000 / part.length),
      `${part.repeat(15_000 / part.length)}!`,
    ])
    const started = performance.now()
    for (const bomb of bombs) {
      const request = { method: bomb, path: bomb, scope: "x", dpop: [bomb] }
      for (const scheme of ["Bearer", "DPoP"]) {
        const facts = gateFacts({ ...request, authorization: [`${scheme} ${bomb}`] })
        expect(await service.issuer.handleGate(facts)).toMatchObject({ kind: "answer" })
      }
      expect(await verifyProof(bomb)).toBe(undefined)
      const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: bomb })
      const type = { "content-type": "application/x-www-form-urlencoded" }
      expect(await reason(type, form.toString())).toBe("400 refresh_token_invalid")
      for (const header of ["PAYMENT-SIGNATURE", "Ticket402-Secret", "Ticket402-Commitment"])
        expect(await reason({ [header]: bomb }), header).toMatch(/^400 /)
    }
    // 90 requests; a backtracking pattern would take minutes on one of them.
    expect(performance.now() - started).toBeLessThan(20_000)
  })

  it("PRS-01: an address of 20 kB is refused with 431", async () => {
    const before = (await fetch(`${service.url}/movies/1?${"x".repeat(20_000)}`)).status
    expect(before).toBe(431)
  })

  it("every refusal has the documented form and leaks nothing", async () => {
    const answers = [
      await postToken(service.url, json, "{"),
      await postToken(service.url, { [paymentSignatureHeader]: encodeHeader({ x402Version: 2 }) }),
      await refresh(service.url, "x".repeat(71)),
    ]
    for (const { status, headers, body } of answers) {
      expect(status).toBe(400)
      expect(Object.keys(body).sort()).toEqual(["error", "error_description", "next", "reason"])
      expect(body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,300}$/)
      expect(headers.get("cache-control")).toBe("no-store")
      expect(JSON.stringify(body)).not.toMatch(/\/|node_modules|at .*:\d+/)
    }
  })
})
