import { createHash } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { decodeJwt } from "jose"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type RevokeOptions, revoke as revokeCommand } from "../../server/commands/revoke.ts"
import { runCommand } from "../support/command.ts"
import { checkLedger } from "../support/invariants.ts"
import {
  type Answer,
  eventually,
  openService,
  postToken,
  preparePurchase,
  refresh,
  type TestService,
  watch,
} from "../support/service.ts"
import { spawnSecond } from "../support/spawn-service.ts"

const hash = (secret: string) => createHash("sha256").update(secret).digest("hex")
const introspector = { id: "library", secret: "b7Qm0tVx2LzY9rKd" }
const billing = { id: "billing", secret: "Ns2fD5mY0tWzq8Xc" }
let service: TestService
let other: Awaited<ReturnType<typeof spawnSecond>>
let file: string

beforeAll(async () => {
  service = await openService({
    config: {
      introspection: [{ clientId: introspector.id, secretSha256: hash(introspector.secret) }],
      whitelist: [{ clientId: billing.id, secretSha256: hash(billing.secret), scope: "movies:read" }],
    },
  })
  file = join(service.folder, "config.json")
  await writeFile(file, JSON.stringify(service.config))
  other = await spawnSecond(service.config)
})
afterAll(async () => {
  await other.kill("SIGTERM")
  await service.close()
})

async function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await fetch(`${service.url}${path}`, {
    method: "POST",
    headers,
    body: new URLSearchParams(form),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text ? JSON.parse(text) : undefined,
  }
}
const basic = ({ id, secret }: { id: string; secret: string }) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
})
const introspect = (token: string) => post("/introspect", { token }, basic(introspector))
const revoke = (token: string, headers: Record<string, string> = {}) => post("/revoke", { token }, headers)
const buy = async (customer?: Parameters<typeof preparePurchase>[1]) =>
  (
    await postToken(
      service.url,
      (
        await preparePurchase(service, customer ?? (await service.customer()))
      ).headers,
    )
  ).body
const clientToken = async () =>
  (await post("/token", { grant_type: "client_credentials" }, basic(billing))).body.access_token as string
/** Runs the command in this process, on a store handle of its own. */
async function command(options: Omit<RevokeOptions, "config">) {
  const [printed, warned]: [string[], string[]] = [[], []]
  const io = {
    environment: {},
    print: (line: string) => printed.push(line),
    warn: (line: string) => warned.push(line),
  }
  const code = await revokeCommand({ config: file, ...options }, io)
  return {
    code,
    stderr: warned.join("\n"),
    answer: printed[0] === undefined ? undefined : JSON.parse(printed[0]),
  }
}
/** Waits until both processes refuse; fails when that takes longer than 5 s. */
async function refusedEverywhere(token: string): Promise<Answer[]> {
  const from = performance.now()
  const ask = () => Promise.all([watch(service.url, token), watch(other.url, token)])
  const answers = await eventually(ask, (seen) => seen.every(({ status }) => status === 401))
  expect((performance.now() - from) / 1000).toBeLessThan(5)
  return answers
}

describe("introspection", () => {
  it("N-7662-1: refuses callers without valid credentials", async () => {
    const { access_token: token } = await buy()
    const credentials = [
      {},
      basic({ ...introspector, secret: "wrong" }),
      basic({ ...introspector, id: "nobody" }),
      basic(billing),
      { authorization: `Bearer ${token}` },
    ]
    for (const headers of credentials) {
      const answer = await post("/introspect", { token }, headers)
      expect({ status: answer.status, error: answer.body.error }).toEqual({
        status: 401,
        error: "invalid_client",
      })
      expect(answer.headers.get("www-authenticate")).toMatch(/^Basic /)
    }
  })

  it("describes an active token and the state of its grant", async () => {
    const bought = await buy()
    const { headers, body } = await introspect(bought.access_token)
    const { grant, ...claims } = decodeJwt(bought.access_token)
    expect(headers.get("cache-control")).toBe("no-store")
    expect(body).toEqual({
      ...claims,
      active: true,
      token_type: "Bearer",
      grant: { ...bought.grant, settlement: expect.objectContaining({ network: "eip155:11155111" }) },
    })
    expect(body.grant.id).toBe(grant)
    const inBody = {
      token: bought.access_token,
      client_id: introspector.id,
      client_secret: introspector.secret,
    }
    expect((await post("/introspect", inBody)).body.active).toBe(true)
    const refreshing = await introspect(bought.refresh_token)
    expect(refreshing.body).toMatchObject({
      active: true,
      sub: claims.sub,
      exp: bought.grant.expires_at,
      scope: "movies:read",
    })
    expect(refreshing.body.token_type).toBeUndefined()
    expect((await introspect(await clientToken())).body).toMatchObject({
      active: true,
      sub: billing.id,
      paid: false,
    })
  })

  it('N-7662-2: answers only "active": false for any other token', async () => {
    const bought = await buy()
    const [header, payload, signature = ""] = (bought.access_token as string).split(".")
    const forged = `${header}.${payload}.${signature.slice(0, -4)}AAAA`
    const rotated = await refresh(service.url, bought.refresh_token)
    await revoke(bought.access_token)
    await refusedEverywhere(bought.access_token)
    const bad = [forged, "", "a.b.c", "x".repeat(9000), bought.refresh_token, bought.access_token]
    for (const token of bad) expect((await introspect(token)).text).toBe('{"active":false}')
    expect((await introspect(rotated.body.access_token)).body.active).toBe(true)
    await revoke(rotated.body.refresh_token)
    for (const token of [rotated.body.access_token, rotated.body.refresh_token])
      expect((await introspect(token)).text).toBe('{"active":false}')
  })
})

describe("revocation by the holder", () => {
  it("N-7009-1, MI-06: refuses an access token everywhere within 5 s, not its grant", async () => {
    const bought = await buy()
    expect((await watch(other.url, bought.access_token)).status).toBe(200)
    expect(await revoke(bought.access_token)).toMatchObject({ status: 200, text: "" })
    for (const answer of await refusedEverywhere(bought.access_token)) {
      expect(answer.body).toMatchObject({ error: "invalid_token", reason: "token_revoked" })
      expect(answer.headers.get("payment-required")).toBeNull()
    }
    const next = await refresh(other.url, bought.refresh_token)
    expect((await watch(service.url, next.body.access_token)).status).toBe(200)
  })

  it("N-7009-1: ends the grant and all its tokens with a refresh token", async () => {
    const bought = await buy()
    const hint = { token: bought.refresh_token, token_type_hint: "access_token", client_id: "anybody" }
    expect((await post("/revoke", hint)).status).toBe(200)
    await refusedEverywhere(bought.access_token)
    expect((await refresh(other.url, bought.refresh_token)).body).toMatchObject({
      error: "invalid_grant",
      reason: "grant_revoked",
      next: { action: "stop" },
    })
  })

  it("N-7009-1: answers unknown, foreign and revoked tokens alike", async () => {
    const { access_token: token } = await buy()
    for (const each of ["nonsense", "a.b.c", token, token]) expect((await revoke(each)).status).toBe(200)
    expect((await post("/revoke", {})).body.error).toBe("invalid_request")
  })

  it("requires the client's credentials for a client's token", async () => {
    const token = await clientToken()
    expect((await revoke(token)).body.error).toBe("invalid_client")
    expect((await revoke(token, basic({ ...billing, secret: "wrong" }))).status).toBe(401)
    expect((await watch(service.url, token)).status).toBe(200)
    expect((await revoke(token, basic(billing))).status).toBe(200)
    await refusedEverywhere(token)
  })
})

describe("revocation by the operator", () => {
  it("ends one grant by its id or by one of its tokens", async () => {
    const [first, second, third] = [await buy(), await buy(), await buy()]
    // In a process of its own, as an operator runs it.
    const args = ["revoke", "-c", file, "--grant", first.grant.id, "--reason", "shared on a forum"]
    expect(await runCommand("scripts/ticket402.ts", args).ended).toMatchObject({
      code: 0,
      stdout: '{"revoked":1}\n',
    })
    expect((await command({ token: second.access_token })).answer).toEqual({ revoked: 1 })
    expect((await command({ token: third.refresh_token })).answer).toEqual({ revoked: 1 })
    for (const { access_token } of [first, second, third]) await refusedEverywhere(access_token)
    const again = await command({ grant: first.grant.id })
    expect(again).toMatchObject({ code: 0, answer: { revoked: 0 } })
    expect(again.stderr).toContain("nothing changed")
  }, 30_000)

  it("ends the grants of a payer or client and admits both again", async () => {
    const customer = await service.customer()
    const [first, second, client] = [await buy(customer), await buy(customer), await clientToken()]
    expect((await command({ payer: customer.address })).answer).toEqual({ revoked: 2 })
    expect((await command({ client: billing.id })).answer.revoked).toBeGreaterThan(0)
    for (const token of [first.access_token, second.access_token, client]) await refusedEverywhere(token)
    // Grants issued within the second of the command have ended too.
    const again = await eventually(
      async () => (await buy(customer)).access_token,
      (token) => decodeJwt(token).iat !== decodeJwt(second.access_token).iat,
    )
    expect((await watch(other.url, again)).status).toBe(200)
  }, 30_000)

  it("ends an offer's grants, and all grants before an instant, by a rule", async () => {
    const before = await buy()
    expect((await command({ offer: "studio" })).answer).toEqual({ revoked: 0 })
    expect((await command({ offer: "hour" })).answer.revoked).toBeGreaterThan(0)
    await refusedEverywhere(before.access_token)
    expect((await refresh(service.url, before.refresh_token)).body.reason).toBe("grant_revoked")
    expect((await introspect(before.access_token)).text).toBe('{"active":false}')
    const after = await eventually(buy, ({ grant }) => grant.expires_at > before.grant.expires_at)
    const time = new Date((decodeJwt(after.access_token).granted_at as number) * 1000 + 1000)
    await eventually(async () => Date.now() >= time.getTime(), Boolean)
    expect(
      (await command({ issuedBefore: time.toISOString().replace(".000Z", "Z") })).answer.revoked,
    ).toBeGreaterThan(0)
    await refusedEverywhere(after.access_token)
    expect(await checkLedger(join(service.folder, "ticket402.db"))).toEqual([])
  }, 30_000)

  it("exits with 78 and changes nothing when the target is invalid", async () => {
    const cases: [Omit<RevokeOptions, "config">, RegExp][] = [
      [{}, /found 0 of --token/],
      [{ grant: "a", offer: "hour" }, /found 2 of --token/],
      [{ grant: "a", issuedBefore: "1" }, /--issued-before: found with --grant/],
      [{ grant: "seat" }, /--grant: wanted the id of a grant/],
      [{ token: "a.b.c" }, /--token: wanted an access token or a refresh token/],
      [{ payer: "0x12" }, /--payer: wanted an address/],
      [{ client: "a:b" }, /--client: wanted a client id/],
      [{ offer: "*" }, /--offer: wanted/],
      [{ issuedBefore: "2099-01-01T00:00:00Z" }, /that is past/],
      [{ issuedBefore: "yesterday" }, /that is past/],
      [{ offer: "hour", reason: "a\nb" }, /--reason: wanted/],
    ]
    for (const [options, problem] of cases) {
      const { code, stderr, answer } = await command(options)
      expect({ code, answer }, JSON.stringify(options)).toEqual({ code: 78, answer: undefined })
      expect(stderr).toMatch(problem)
    }
  })
})

// Runs last, because it closes the service.
it("N-7009-2: revocation answers 503 while the store is closed; the token lives on", async () => {
  const { access_token: token } = await buy()
  await service.issuer.close()
  const answer = await revoke(token)
  expect(answer).toMatchObject({
    status: 503,
    body: { reason: "revocation_unrecorded", next: { action: "retry", retryAfterSeconds: 1 } },
  })
  expect(answer.headers.get("retry-after")).toBe("1")
  expect((await watch(other.url, token)).status).toBe(200)
})
