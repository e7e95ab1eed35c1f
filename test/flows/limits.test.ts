import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { connect } from "node:net"
import { afterEach, describe, expect, it, vi } from "vitest"
import { encodeHeader } from "../../shared/values/codec.ts"
import { paymentSignatureHeader } from "../../shared/x402/messages.ts"
import { randomAccount } from "../support/payments.ts"
import { createProofKey, type ProofKey, proofOf, withProof } from "../support/proofs.ts"
import {
  openService,
  postToken,
  preparePurchase,
  retryHeaders,
  type TestService,
  watch,
} from "../support/service.ts"

let service: TestService
afterEach(() => service.close())

const limits = { perPayer: "1000", newPayer: 1000, total: "1000" }
const open = async (config: object, issuer = {}) => {
  service = await openService({ config, issuer })
}

/** A payment with a well-formed random signature; only the signature check can refuse it. */
async function junk(payer = randomAccount()): Promise<Record<string, string>> {
  const { payload } = await preparePurchase(service, payer)
  const signature = `0x${randomBytes(32).toString("hex")}1${randomBytes(32).toString("hex").slice(1)}1b`
  const inner = payload.payload as Record<string, unknown>
  return { [paymentSignatureHeader]: encodeHeader({ ...payload, payload: { ...inner, signature } }) }
}

const reasons = (answers: readonly { body: { reason?: string; error: string } }[]) =>
  answers.map(({ body }) => body.reason ?? body.error)

describe("request rates of the token endpoint", () => {
  it("refuse a peer's excess requests unread while routes stay open", async () => {
    await open({ limits: { ...limits, requestsPerPeer: 3 } })
    const answers = []
    for (let request = 0; request < 5; request++)
      answers.push(await postToken(service.url, { "content-type": "application/json" }, "{"))
    expect(reasons(answers)).toEqual(["malformed", "malformed", "malformed", "rate_limited", "rate_limited"])
    expect(answers[4]).toMatchObject({
      status: 429,
      body: { error: "temporarily_unavailable", next: { action: "retry", retryAfterSeconds: 10 } },
    })
    expect(answers[4]?.headers.get("retry-after")).toBe("10")
    expect((await watch(service.url)).status).toBe(402)
    expect((await fetch(`${service.url}/.well-known/jwks.json`)).status).toBe(200)
  })

  it("N-9700-5, WL-04: use X-Forwarded-For from trusted proxies only", async () => {
    await open({ limits: { ...limits, requestsPerPeer: 2 } })
    const from = (address: string) => postToken(service.url, { "x-forwarded-for": address })
    expect(reasons([await from("192.0.2.1"), await from("192.0.2.2"), await from("192.0.2.3")])).toEqual([
      "payment_missing",
      "payment_missing",
      "rate_limited",
    ])
    await service.close()
    await open({ limits: { ...limits, requestsPerPeer: 2 }, trustProxy: ["127.0.0.0/8", "::1"] })
    const answers = []
    for (const address of ["192.0.2.1", "192.0.2.2", "192.0.2.1", "203.0.113.9, 192.0.2.1", "192.0.2.2"])
      answers.push(await from(address))
    // The proxy's own entry counts, not the entries a client wrote before it.
    expect(reasons(answers)).toEqual([
      "payment_missing",
      "payment_missing",
      "payment_missing",
      "rate_limited",
      "payment_missing",
    ])
  })

  it("WL-04: count an address once, whatever port and brackets a proxy writes", async () => {
    await open({ limits: { ...limits, requestsPerPeer: 2 }, trustProxy: ["127.0.0.0/8", "10.0.0.0/8"] })
    const from = (addresses: string) => postToken(service.url, { "x-forwarded-for": addresses })
    const answers = []
    for (const addresses of [
      "192.0.2.1:1001",
      "192.0.2.1:1002, 10.0.0.7:5000",
      "192.0.2.1",
      "[2001:db8::1]:1001",
      "[2001:db8::1]",
      "2001:db8::2",
      // An entry that is no address hides the ones before it: these three are the proxy itself.
      "192.0.2.9, unknown",
      "192.0.2.10, _hidden",
      "192.0.2.11, unknown",
    ])
      answers.push(await from(addresses))
    const [free, over] = ["payment_missing", "rate_limited"]
    expect(reasons(answers)).toEqual([free, free, over, free, free, over, free, free, over])
  })

  it("DOS-09: refuse the excess proofs of one key, and none of another's", async () => {
    await open({ limits: { ...limits, requestsPerToken: 2 } })
    const [key, other] = [await createProofKey(), await createProofKey()]
    const buyWith = async (by: ProofKey) => {
      const { headers } = await preparePurchase(service, await service.customer())
      const at = Math.floor(Date.now() / 1000)
      return withProof(
        (dpop) => postToken(service.url, { ...headers, dpop }),
        (nonce) => proofOf(by, { method: "POST", url: `${service.url}/token`, at, nonce }),
      )
    }
    expect([(await buyWith(key)).status, (await buyWith(key)).status]).toEqual([200, 200])
    expect((await buyWith(key)).body.reason).toBe("rate_limited")
    expect((await buyWith(other)).status).toBe(200)
  })

  it("DOS-09: refuse the excess proofs of an unbound grant, each by another key", async () => {
    await open({ limits: { ...limits, requestsPerPeer: 1000, requestsPerToken: 2 } })
    const purchase = await preparePurchase(service, await service.customer())
    const { refresh_token } = (await postToken(service.url, purchase.headers)).body
    const form = { "content-type": "application/x-www-form-urlencoded" }
    const refreshBody = new URLSearchParams({ grant_type: "refresh_token", refresh_token }).toString()
    const withKey = async (headers: Record<string, string>, body?: string) => {
      const [key, at] = [await createProofKey(), Math.floor(Date.now() / 1000)]
      return withProof(
        (dpop) => postToken(service.url, { ...headers, dpop }, body),
        (nonce) => proofOf(key, { method: "POST", url: `${service.url}/token`, at, nonce }),
      )
    }
    const repeat = () => withKey(retryHeaders(purchase))
    expect([(await repeat()).status, (await withKey(form, refreshBody)).status]).toEqual([200, 200])
    expect((await repeat()).body.reason).toBe("rate_limited")
    expect((await withKey(form, refreshBody)).body.reason).toBe("rate_limited")
  })

  it("refuse a payer's excess payments before the chain is read", async () => {
    await open({ limits: { ...limits, requestsPerPeer: 1000, requestsPerPayer: 2 } })
    const payer = await service.customer()
    const buy = async () => postToken(service.url, (await preparePurchase(service, payer)).headers)
    expect([(await buy()).status, (await buy()).status]).toEqual([200, 200])
    expect((await buy()).body.reason).toBe("rate_limited")
    const other = await preparePurchase(service, await service.customer())
    expect((await postToken(service.url, other.headers)).status).toBe(200)
  })

  it("DOS-10: are not used up by payments without the payer's signature", async () => {
    await open({ limits: { ...limits, requestsPerPeer: 1000, requestsPerPayer: 2 } })
    const payer = await service.customer()
    for (let attempt = 0; attempt < 5; attempt++)
      expect((await postToken(service.url, await junk(payer))).body.reason).toBe("signature_invalid")
    expect((await postToken(service.url, (await preparePurchase(service, payer)).headers)).status).toBe(200)
  })
})

describe("floods", () => {
  it("DOS-01: gate calls do not wait for the signature checks of junk payments", async () => {
    await open({})
    const sold = await postToken(
      service.url,
      (await preparePurchase(service, await service.customer())).headers,
    )
    const posts = await Promise.all(Array.from({ length: 200 }, () => junk()))
    let flooding = true
    let checked = 0
    const flood = posts.map(async (headers) => {
      while (flooding) {
        // After the check, a bound on reads of the payer's code may answer `verification_busy`.
        expect(["signature_invalid", "verification_busy"]).toContain(
          (await postToken(service.url, headers)).body.reason,
        )
        checked += 1
      }
    })
    // Counted in checks, not in seconds, so that a slow machine changes nothing.
    const waits: number[] = []
    while (waits.length < 11) {
      const before = checked
      expect((await watch(service.url, sold.body.access_token)).status).toBe(200)
      waits.push(checked - before)
    }
    flooding = false
    await Promise.all(flood)
    expect(checked).toBeGreaterThan(posts.length)
    // In one queue with the payments, each call would wait for nearly all 200 that are always under way.
    expect(waits.toSorted((a, b) => a - b)[5]).toBeLessThan(posts.length / 2)
  }, 60_000)

  it("DOS-01: every junk payment of a flood is refused, and sales go on", async () => {
    await open({})
    const posts = await Promise.all(Array.from({ length: 900 }, () => junk()))
    const answers = reasons(await Promise.all(posts.map((headers) => postToken(service.url, headers))))
    const refused = answers.filter((reason) => reason === "signature_invalid").length
    const busy = answers.filter((reason) => reason === "verification_busy").length
    expect(refused + busy).toBe(900)
    expect(refused).toBeGreaterThan(100)
    const next = await preparePurchase(service, await service.customer())
    expect((await postToken(service.url, next.headers)).status).toBe(200)
  }, 60_000)

  it("DOS-04: tokens with an unknown key id are refused without a signature check", async () => {
    await open({})
    const sold = await postToken(
      service.url,
      (await preparePurchase(service, await service.customer())).headers,
    )
    const [, payload, signature] = sold.body.access_token.split(".")
    const verify = vi.spyOn(crypto.subtle, "verify")
    const header = Buffer.from('{"alg":"ES256","typ":"at+jwt","kid":"another"}').toString("base64url")
    for (let request = 0; request < 300; request++) {
      const token = `${header}.${payload}.${signature.slice(0, -6)}${randomBytes(3).toString("hex")}`
      expect((await watch(service.url, token)).status).toBe(401)
    }
    expect(verify).not.toHaveBeenCalled()
    expect((await watch(service.url, sold.body.access_token)).status).toBe(200)
    expect(verify).toHaveBeenCalledTimes(1)
    verify.mockRestore()
  })

  it("DOS-08: a body that never ends is answered with 408", async () => {
    await open({}, { bodySeconds: 0.2 })
    const socket = connect(Number(new URL(service.url).port), "127.0.0.1").setEncoding("utf8")
    let received = ""
    socket.on("data", (part: string) => {
      received += part
    })
    socket.write(
      "POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    )
    await once(socket, "data")
    expect(received).toMatch(/^HTTP\/1\.1 408/)
    expect(received).toContain("body_timeout")
    socket.destroy()
  })
})
