import { once } from "node:events"
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { createServer, request as httpRequest } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import express from "express"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { adminAddress } from "../../server/adapters/express.ts"
import { admin as adminCommand } from "../../server/commands/admin.ts"
import { parseConfig } from "../../server/config/config.ts"
import { openAdminTokens } from "../../server/keys/index.ts"
import { adminIn, askAdmin, type Role, tokenOf } from "../support/admin.ts"
import { configInput } from "../support/offers.ts"
import {
  eventually,
  openService,
  postToken,
  preparePurchase,
  type TestService,
  watch,
} from "../support/service.ts"

let service: TestService
let folder: string
let key: string
let token: string
let grant: string
const lines: string[] = []
const log = {
  debug: () => {},
  info: (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message })),
  warn: () => {},
  error: () => {},
}

const ask = (path: string, init: RequestInit & { role?: Role } = {}) =>
  askAdmin(service, path, { folder, ...init })
const post = (path: string, body: object, init: RequestInit & { role?: Role } = {}) =>
  ask(path, { method: "POST", body: JSON.stringify(body), ...init })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "admin-"))
  const offers = configInput().offers.map((offer) => ({ ...offer, calls: 5 }))
  service = await openService({ config: { admin: adminIn(folder), offers }, issuer: { log } })
  const purchase = await preparePurchase(service, await service.customer())
  const { body } = await postToken(service.url, purchase.headers)
  token = body.access_token
  const { body: page } = await eventually(
    () => ask("/api/payments"),
    (answer) => ["paid", "final"].includes(answer.body.payments[0]?.state),
  )
  ;({ key, grant } = page.payments[0])
})
afterAll(async () => {
  await service.close()
  await rm(folder, { recursive: true })
})

describe("the admin address", () => {
  it("shows a payment with its entries and transactions, without its signature", async () => {
    const { status, body } = await ask(`/api/payments/${encodeURIComponent(key)}`, { role: "read" })
    expect(status).toBe(200)
    expect(body).toMatchObject({ key, network: "eip155:11155111", value: "10000" })
    expect(body.entries.map((entry: { kind: string }) => entry.kind)).toEqual(["redeemed", "settled"])
    expect(body.transactions).toHaveLength(1)
    expect(JSON.stringify(body)).not.toContain("signature")
    expect((await ask("/api/payments/unknown")).status).toBe(404)
  })

  it("ADM-01: refuses a request without a token, with a wrong one and with one of a buyer", async () => {
    for (const authorization of [
      "",
      "Bearer wrong",
      `Bearer ${token}`,
      `Basic ${await tokenOf(folder, "read")}`,
    ]) {
      const { status, body, headers } = await ask("/api/payments", { headers: { authorization } })
      expect([status, body.error, body.payments]).toEqual([401, "token_wanted", undefined])
      expect(headers.get("www-authenticate")).toBe('Bearer realm="admin"')
    }
    expect((await ask("/nowhere", { headers: { authorization: "" } })).status).toBe(401)
    expect((await ask("/nowhere")).status).toBe(404)
    expect((await ask("/api/payments", { method: "DELETE" })).status).toBe(405)
  })

  it("ADM-02: a token of role read cannot act", async () => {
    const paths = [`/api/grants/${grant}/revoke`, `/api/grants/${grant}/credit`, `/api/payments/${key}/retry`]
    for (const path of paths)
      expect(await post(path, {}, { role: "read" })).toMatchObject({
        status: 403,
        body: { error: "role_missing", found: "found read, wanted operate" },
      })
    expect((await watch(service.url, token)).status).toBe(200)
  })

  it("ADM-03: a page of another origin or port can neither read nor act, whatever it sends", async () => {
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "http://127.0.0.1:3000" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site", cookie: "session=1" },
    ])
      for (const answer of [
        await ask("/api/payments", { headers: { ...headers } as HeadersInit }),
        await post(`/api/grants/${grant}/revoke`, {}, { headers: { ...headers } as HeadersInit }),
        await ask("/api/payments", { method: "OPTIONS", headers: { ...headers } as HeadersInit }),
      ]) {
        expect([answer.status, answer.body.error]).toEqual([403, "foreign_origin"])
        expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([])
      }
    const own = { origin: "http://127.0.0.1:8403", "sec-fetch-site": "same-origin" }
    expect((await ask("/api/payments", { headers: own })).status).toBe(200)
  })

  it("ADM-04: a foreign Host is refused with 421, those of loopback are not", async () => {
    for (const host of ["evil.example", "evil.example:8403", "127.0.0.1.evil.example", "10.0.0.1:8403"])
      expect((await ask("/api/payments", { headers: { host } })).status).toBe(421)
    for (const host of ["localhost:8403", "127.0.0.1", "[::1]:8403", "LOCALHOST:1"])
      expect((await ask("/api/payments", { headers: { host } })).status).toBe(200)
  })

  it("ADM-05: a body that is not JSON is refused with 415", async () => {
    for (const type of ["application/x-www-form-urlencoded", "text/plain", ""])
      expect(
        (await post(`/api/grants/${grant}/revoke`, {}, { headers: { "content-type": type } })).status,
      ).toBe(415)
    expect((await watch(service.url, token)).status).toBe(200)
  })

  it("refuses unknown, repeated and malformed parameters by name", async () => {
    const found = async (path: string) => (await ask(path)).body.found
    expect(await found("/api/payments?colour=red")).toBe('found "colour", wanted only state, after, limit')
    expect(await found("/api/payments?limit=1&limit=2")).toBe('found "limit" twice')
    expect(await found("/api/payments?limit=0")).toBe("limit: wanted a whole number from 1 to 1000")
    expect((await post(`/api/grants/${grant}/credit`, { units: 1.5 })).status).toBe(400)
    expect((await post(`/api/grants/${grant}/revoke`, { reason: "?" })).body.found).toBe(
      'found "reason", wanted only note',
    )
    expect((await post("/api/grants/unknown/revoke", {})).body.error).toBe("grant_unknown")
    expect((await post(`/api/payments/${key}/retry`, {})).body).toMatchObject({ error: "payment_not_dead" })
  })

  it("ADM-06: every action is in the ledger with the name of the token", async () => {
    expect(await post(`/api/grants/${grant}/credit`, { units: 3, note: "lost in a crash" })).toMatchObject({
      status: 200,
      body: { credited: 3 },
    })
    expect(await post(`/api/grants/${grant}/revoke`, {}, { role: "refund" })).toMatchObject({
      body: { revoked: 1 },
    })
    await eventually(
      () => watch(service.url, token),
      ({ status }) => status === 402,
    )
    const { body } = await ask(`/api/payments/${encodeURIComponent(key)}`)
    expect(body.entries.slice(2)).toMatchObject([
      { kind: "credited", facts: { units: "3", admin: "operate", note: "lost in a crash" } },
      { kind: "ended", facts: { reason: "revoked", by: "operator", admin: "refund" } },
    ])
    expect((await post(`/api/grants/${grant}/revoke`, {})).body).toEqual({ revoked: 0 })
  })

  it("ADM-06: a rotated token is refused and the new one works", async () => {
    const file = join(folder, "rotation.json")
    await writeFile(file, JSON.stringify(service.config))
    const before = await tokenOf(folder, "read")
    const printed: string[] = []
    const io = { environment: {}, print: (line: string) => void printed.push(line), warn: () => {} }
    expect(await adminCommand("rotate", { config: file, name: "read" }, io)).toBe(0)
    expect(await adminCommand("rotate", { config: file, name: "nobody" }, io)).toBe(78)
    const after = await tokenOf(folder, "read")
    expect(after).not.toBe(before)
    expect(printed.join()).not.toContain(after)
    const status = async (text: string) =>
      (await ask("/api/payments", { headers: { authorization: `Bearer ${text}` } })).status
    await eventually(
      () => status(before),
      (found) => found === 401,
      5,
    )
    expect(await status(after)).toBe(200)
  })

  it("ADM-08: wrong tokens are throttled, and a valid one still works", async () => {
    const wrong = { headers: { authorization: "Bearer wrong" } }
    const statuses = []
    for (let tries = 0; tries < 110; tries++) statuses.push((await ask("/api/payments", wrong)).status)
    expect(statuses.at(-1)).toBe(429)
    expect((await ask("/api/payments")).status).toBe(200)
  })

  it("mounts below a path of an express application", async () => {
    const app = express().use("/books", adminAddress(service.issuer))
    const server = createServer(app).listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    const headers = { authorization: `Bearer ${await tokenOf(folder, "operate")}` }
    const answer = await fetch(`http://127.0.0.1:${port}/books/api/payments`, { headers })
    expect([answer.status, ((await answer.json()) as { payments: object[] }).payments.length]).toEqual([
      200, 1,
    ])
    const status = await new Promise((resolve) => {
      httpRequest(
        { port, path: "/books/api/payments", headers: { ...headers, host: "evil.example" } },
        (res) => {
          res.resume()
          resolve(res.statusCode)
        },
      ).end()
    })
    expect(status).toBe(421)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
})

describe("the files of admin tokens", () => {
  it("ADM-07: hold 256 bits with mode 0600, and only their paths are logged", async () => {
    for (const role of ["read", "operate", "refund"] as const) {
      const text = await readFile(join(folder, `${role}.token`), "utf8")
      expect(Buffer.from(text.trim(), "base64url")).toHaveLength(32)
      expect((await stat(join(folder, `${role}.token`))).mode & 0o777).toBe(0o600)
      expect(lines.join("\n")).not.toContain(text.trim())
    }
    expect(lines.filter((line) => line.includes("an admin token was created"))).toHaveLength(3)
  })

  it("ADM-07: are refused when others can read them, when they are short, and when two are the same", async () => {
    const file = join(folder, "bad.token")
    const open = (...names: string[]) =>
      openAdminTokens(
        names.map((name) => ({ name, role: "read" as const, file: join(folder, `${name}.token`) })),
        { log },
      )
    for (const text of ["short", "a".repeat(43), `${"ab".repeat(30)}`, ""]) {
      await writeFile(file, text, { mode: 0o600 })
      await expect(open("bad"), text).rejects.toThrow("bad.token: wanted 32 random bytes in base64url")
    }
    await writeFile(file, await tokenOf(folder, "operate"))
    await expect(open("operate", "bad")).rejects.toThrow("found the token of another file")
    await chmod(file, 0o644)
    await expect(open("bad")).rejects.toThrow("found mode 0644")
  })

  it("a token whose file is removed is refused after the next reading", async () => {
    const gone = join(folder, "gone.token")
    const tokens = await openAdminTokens([{ name: "gone", role: "read", file: gone }], { log })
    const text = (await readFile(gone, "utf8")).trim()
    expect(tokens.find(text)).toEqual({ name: "gone", role: "read" })
    await rm(gone)
    await tokens.refresh()
    expect(tokens.find(text)).toBeUndefined()
  })
})

describe("the configuration of the admin address", () => {
  const problem = (admin: object) => {
    try {
      parseConfig(configInput({ admin } as object))
      return ""
    } catch (error) {
      return (error as Error).message
    }
  }
  const tokens = [{ name: "a", file: "a", role: "read" }]

  it("ADM-09: http on a public interface needs allowInsecureHttp", () => {
    expect(problem({ listen: "0.0.0.0:8403", tokens })).toBe(
      'admin: found http on 0.0.0.0, wanted a loopback address (or "allowInsecureHttp": true)',
    )
    for (const listen of ["127.0.0.1:8403", "localhost:8403", "[::1]:8403"])
      expect(problem({ listen, tokens })).toBe("")
    expect(() =>
      parseConfig({ ...configInput(), allowInsecureHttp: true, admin: { listen: "0.0.0.0:1", tokens } }),
    ).not.toThrow()
  })

  it("an address without tokens, a name twice, an unknown role and an unknown key are refused", () => {
    expect(problem({ listen: "127.0.0.1:8403" })).toContain("found listen without tokens")
    expect(problem({ tokens: [...tokens, { ...tokens[0], file: "b" }] })).toContain(
      'found the name "a" of two',
    )
    expect(problem({ tokens: [{ ...tokens[0], role: "root" }] })).toContain("admin.tokens.0.role")
    expect(problem({ tokens: [{ ...tokens[0], fil: "b" }] })).toContain(
      'fil: unknown key, did you mean "file"?',
    )
  })
})
