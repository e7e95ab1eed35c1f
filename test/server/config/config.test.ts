import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { ConfigError, parseConfig } from "../../../server/config/config.ts"
import { aggregators } from "../../../server/core/batch.ts"
import { networks } from "../../../shared/networks/index.ts"
import { lowerAddress } from "../../../shared/values/evm.ts"
import { configInput, payTo, sepoliaId } from "../../support/offers.ts"

const problems = (input: unknown): readonly string[] => {
  try {
    parseConfig(input)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}
const burned = [`0x${"0".repeat(39)}1`, `0x${"0".repeat(36)}dead`, `0x${"dead".repeat(10)}`] as const
const price = { network: sepoliaId, asset: "USDC", amount: "0.01" }
const offer = { id: "hour", scope: "movies:read", durationSeconds: 3600, prices: [price] }

describe("the configuration", () => {
  it("needs only issuer, payTo, networks and offers", () => {
    const config = parseConfig(configInput())
    expect(config.resource).toBe("http://127.0.0.1:8402")
    expect(config.payTo).toBe(payTo.toLowerCase())
    expect(config.offers[0]?.ref).toMatch(/^hour@[0-9a-f]{8}$/)
    expect(config.offers[0]?.prices[0]).toMatchObject({ amount: 10_000n, maxTimeoutSeconds: 600 })
    expect(config.limits).toMatchObject({ queue: 10_000, perPayer: 1_000_000n, total: 50_000_000n })
  })

  it("KEY-13: rejects keys named like prototype members and pollutes no object", () => {
    const text = JSON.stringify(configInput({ issuer: "http://cinema.example" }))
    for (const key of ["__proto__", "constructor", "prototype"]) {
      const input = JSON.parse(text.replace("{", `{"${key}":{"allowInsecureHttp":true,"polluted":true},`))
      expect(problems(input).join(), key).toMatch(/issuer: found http|unknown key/)
      expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    }
  })

  it("refuses a payTo from which nobody can move the money, in any spelling", () => {
    const assets = [...networks.values()].flatMap(({ assets }) => assets.map(({ address }) => address))
    const lost = [...assets, ...aggregators.map(({ address }) => address), ...burned]
    for (const address of lost)
      for (const spelling of [address, lowerAddress(address)])
        expect(problems(configInput({ payTo: spelling })), spelling).toEqual([
          expect.stringMatching(
            /^payTo: found (the|a) contract|^payTo: found an address that nobody controls/,
          ),
        ])
    expect(problems(configInput({ payTo: `0x${"1".repeat(40)}` }))).toEqual([])
  })

  it("accepts exact origins and proxies only, never a wildcard", () => {
    for (const origin of [
      "*",
      "null",
      "https://a.example/",
      "https://A.example",
      "https://a.example:443",
      "ftp://a",
    ])
      expect(problems(configInput({ cors: [origin] })), origin).toEqual([
        expect.stringContaining("cors: found"),
      ])
    expect(problems(configInput({ cors: ["https://a.example", "http://localhost:3000"] }))).toEqual([])
    for (const block of ["0.0.0.0/0", "::/0", "10.0.0.0/33", "loopback", "10.0.0", "10.0.0.0/8/8", "::1/129"])
      expect(problems(configInput({ trustProxy: [block] })), block).toEqual([
        expect.stringContaining("trustProxy: found"),
      ])
    expect(problems(configInput({ trustProxy: ["10.0.0.0/8", "::1", "fd00::/8", "192.0.2.7"] }))).toEqual([])
  })

  it("derives an offer's reference from its terms, so each change yields another", () => {
    const ref = (changes: object) =>
      parseConfig(configInput({ offers: [{ ...offer, ...changes }] })).offers[0]?.ref
    const refs = [
      ref({}),
      ref({ scope: "a" }),
      ref({ durationSeconds: 60 }),
      ref({ prices: [{ ...price, amount: "0.02" }] }),
    ]
    expect(new Set(refs).size).toBe(4)
    expect(ref({})).toBe(ref({}))
    const elsewhere = parseConfig(configInput({ payTo: `0x${"1".repeat(40)}` })).offers[0]?.ref
    expect(elsewhere).not.toBe(refs[0])
  })

  it("refuses an unknown key with the nearest known name", () => {
    expect(problems({ ...configInput(), pay_to: payTo })).toEqual([
      'pay_to: unknown key, did you mean "payTo"?',
    ])
    expect(problems(configInput({ limits: { que: 1 } as never }))).toEqual([
      'limits.que: unknown key, did you mean "queue"?',
    ])
    expect(problems({ ...configInput(), zzzzzzzz: 1 })).toEqual(["zzzzzzzz: unknown key"])
  })

  it("refuses the placeholder of the README as payTo and says what to write there", () => {
    expect(problems(configInput({ payTo: "0xYourAddress" }))).toEqual([
      'payTo: found "0xYourAddress", wanted an address of your own that receives the money: 0x and 40 hex digits',
    ])
  })

  it("names the key, the value found and the value wanted", () => {
    expect(problems(configInput({ payTo: "0x123" }))[0]).toMatch(/^payTo: found "0x123", wanted an address/)
    expect(
      problems(configInput({ offers: [{ ...offer, prices: [{ ...price, amount: "0.0000001" }] }] }))[0],
    ).toMatch(/^offers\.0: found 7 decimal places, the asset has 6/)
    expect(problems(configInput({ tokenLifeSeconds: 86_400 }))[0]).toMatch(/^tokenLifeSeconds: found 86400/)
    expect(
      problems(configInput({ networks: { "eip155:999": { rpcUrls: ["http://127.0.0.1:1"] } } })).join("\n"),
    ).toMatch(/networks: found "eip155:999", wanted one of/)
    expect(problems({}).length).toBeGreaterThan(3)
    for (const input of [null, [], "x", 1]) expect(problems(input)).toEqual(["wanted a JSON object"])
  })

  it("takes networks by name, and names each choice", () => {
    const prices = [{ ...price, network: "sepolia" }]
    const named = {
      networks: { sepolia: { rpcUrls: ["http://127.0.0.1:1"] } },
      offers: [{ ...offer, prices }],
    }
    const config = parseConfig(configInput(named))
    expect(Object.keys(config.networks)).toEqual([sepoliaId])
    expect(config.offers[0]).toEqual(
      parseConfig(configInput({ offers: [{ ...offer, prices: [price] }] })).offers[0],
    )
    const twice = {
      sepolia: { rpcUrls: ["http://127.0.0.1:1"] },
      [sepoliaId]: { rpcUrls: ["http://127.0.0.1:2"] },
    }
    expect(problems(configInput({ networks: twice }))).toEqual([
      `networks: found ${sepoliaId} twice, wanted each once`,
    ])
    expect(problems(configInput({ networks: { polygon: { rpcUrls: ["http://127.0.0.1:1"] } } }))).toContain(
      'networks: found "polygon", wanted one of ethereum (eip155:1), sepolia (eip155:11155111), base (eip155:8453), base-sepolia (eip155:84532)',
    )
  })

  it("names a list, a port and a URL that are wrong, and never the key in a URL", () => {
    const secret = "https://node.example/v2/0123456789abcdef"
    const nodes = (rpcUrls: unknown) => problems({ ...configInput(), networks: { [sepoliaId]: { rpcUrls } } })
    const key = `networks.${sepoliaId}.rpcUrls`
    expect(nodes(secret)).toEqual([
      `${key}: found 40 characters, wanted a list of URLs, such as ["https://node.example"]`,
    ])
    expect(nodes([secret.replace("https", "wss")])).toEqual([
      `${key}.0: found 38 characters, wanted an http(s) URL`,
    ])
    expect(nodes([[secret]])[0]).toContain(`${key}.0: found a list`)
    expect(nodes([secret, secret]).join()).not.toContain("0123")
    expect(problems(configInput({ listen: "127.0.0.1:99999" }))).toEqual([
      'listen: found "127.0.0.1:99999", wanted a port of at most 65535',
    ])
  })

  it("SET-29: refuses an agreement of two nodes when there is one, or one twice", () => {
    const networks = (...rpcUrls: string[]) => ({ [sepoliaId]: { rpcUrls } })
    const [one, two] = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    const limits = { agreementAbove: "5" }
    expect(problems(configInput({ networks: networks(one), limits }))).toEqual([
      `networks.${sepoliaId}.rpcUrls: found one, wanted two that can agree (limits.agreementAbove)`,
    ])
    expect(problems(configInput({ networks: networks(one, one) }))).toEqual([
      `networks.${sepoliaId}.rpcUrls: found one twice, wanted each once`,
    ])
    expect(parseConfig(configInput({ networks: networks(one, two), limits })).limits.agreementAbove).toBe(
      5_000_000n,
    )
    expect(parseConfig(configInput()).limits.agreementAbove).toBe(10_000_000n)
  })

  it("SET-24: accepts the native coin's price as a plain decimal above zero only", () => {
    const networks = (nativePrice: string) => ({
      [sepoliaId]: { rpcUrls: ["http://127.0.0.1:1"], nativePrice },
    })
    for (const nativePrice of ["0", "-1", "1e3", "", "0.0000001", "."])
      expect(problems(configInput({ networks: networks(nativePrice) })).join(), nativePrice).toContain(
        "nativePrice",
      )
    expect(parseConfig(configInput({ networks: networks("3000.5") })).networks[sepoliaId]?.nativePrice).toBe(
      3_000_500_000n,
    )
  })

  it("QTE-08: refuses a price of zero, below zero or not a plain decimal", () => {
    for (const amount of ["0", "0.000000", "-1", "1e3", " 1", "1,5", "", "0x1", "NaN"])
      expect(
        problems(configInput({ offers: [{ ...offer, prices: [{ ...price, amount }] }] })),
        amount,
      ).not.toEqual([])
  })

  it("N-6750-6: requires https except on loopback or with allowInsecureHttp", () => {
    for (const issuer of [
      "http://127.0.0.1:1",
      "http://localhost:1",
      "http://[::1]:1",
      "https://api.example.com",
      "https://api.example.com/v1",
    ])
      expect(problems(configInput({ issuer })), issuer).toEqual([])
    for (const issuer of [
      "http://api.example.com",
      "https://a.example/?q",
      "https://a.example/#f",
      "https://u:p@a.example",
      "https://a.example/",
      "HTTPS://a.example",
      "ftp://a.example",
      "a.example",
      "http://127.0.0.1.evil.example",
    ])
      expect(problems(configInput({ issuer })), issuer).not.toEqual([])
    expect(problems(configInput({ issuer: "http://api.example.com", allowInsecureHttp: true }))).toEqual([])
  })

  it("refuses values that are not JSON with a ConfigError", () => {
    const circular: Record<string, unknown> = {}
    circular.self = circular
    const throwing = {
      toJSON() {
        throw new Error("no")
      },
    }
    for (const value of [10n, circular, throwing, Symbol("x"), () => 1, Number.NaN])
      for (const key of ["issuer", "limits", "networks", "offers"])
        expect(() => parseConfig({ ...configInput(), [key]: value }), key).toThrow(ConfigError)
    expect(() => parseConfig({ ...configInput(), networks: { [Symbol("x")]: 1 } })).toThrow(ConfigError)
  })

  it("WL-02: compares whitelisted addresses by bytes and refuses a wrong checksum", () => {
    const mixed = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    const read = (address: string) =>
      parseConfig(configInput({ whitelist: [{ address, scope: "a b" }] })).whitelist
    for (const spelling of [mixed, mixed.toLowerCase(), `0x${mixed.slice(2).toUpperCase()}`])
      expect(read(spelling)).toEqual([{ id: mixed.toLowerCase(), secretSha256: null, scope: "a b" }])
    const wrong = mixed.replace("aA", "Aa")
    expect(problems(configInput({ whitelist: [{ address: wrong, scope: "a" }] }))).toEqual([
      `whitelist.0.address: found "${wrong}", wanted an address of 20 bytes in hex with a right checksum`,
    ])
  })

  it("WL-12: refuses invalid whitelist entries and has an empty whitelist by default", () => {
    expect(parseConfig(configInput()).whitelist).toEqual([])
    const address = `0x${"1".repeat(40)}`
    const secretSha256 = "0123456789abcdef".repeat(4)
    const of = (...whitelist: unknown[]) => problems(configInput({ whitelist } as never))
    for (const wrong of ["", "*", "0x", "0x0", `0x${"0".repeat(40)}`, "# nobody", `${address}\r`])
      expect(of({ address: wrong, scope: "a" })[0], wrong).toMatch(/^whitelist\.0\.address: found/)
    expect(of({ address: `\ufeff${address}`, scope: "a" })).toHaveLength(1)
    for (const clientId of ["", "*", "eip155:1:0xabc", address, "a b", "a\r\n", "x".repeat(65), "-a"])
      expect(of({ clientId, secretSha256, scope: "a" })[0], clientId).toMatch(
        /^whitelist\.0\.clientId: found/,
      )
    for (const scope of ["", " ", "a  b", "a\n", "ä"])
      expect(of({ address, scope })[0], scope).toMatch(/^whitelist\.0\.scope: found/)
    for (const entry of [
      {},
      { scope: "a" },
      { address },
      { address, clientId: "a", secretSha256, scope: "a" },
      { address, secretSha256, scope: "a" },
      { clientId: "a", scope: "a" },
      address,
      null,
    ])
      expect(of(entry), JSON.stringify(entry)).not.toEqual([])
    const caller = { address, scope: "a" }
    expect(of(caller, { ...caller, address: address.toUpperCase().replace("X", "x") })[0]).toMatch(
      /^whitelist\.1\.address: .*wanted each caller once$/,
    )
    const client = { clientId: "billing", secretSha256, scope: "a" }
    expect(of(client, client)[0]).toMatch(/wanted each caller once$/)
    expect(of(client, { ...client, clientId: "mail" })[0]).toMatch(/wanted a secret of its own/)
    expect(of({ ...caller, scopes: "a" })).toEqual(['whitelist.0.scopes: unknown key, did you mean "scope"?'])
  })

  it("WL-12: refuses hashes of guessable secrets and never prints a plain secret", () => {
    const of = (secretSha256: string) =>
      problems(configInput({ whitelist: [{ clientId: "billing", secretSha256, scope: "a" }] }))
    const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
    for (const guess of ["", "secret", "billing", "changeme"])
      expect(of(sha256(guess))[0], guess).toMatch(/wanted the hash of a long random secret$/)
    expect(of("0".repeat(64))[0]).toMatch(/wanted the hash of a long random secret$/)
    expect(of("hunter2-hunter2")).toEqual([
      "whitelist.0.secretSha256: found 15 characters, wanted the SHA-256 of the secret, 64 hex digits in lower case",
    ])
    expect(of(sha256("Ns2fD5mY0tWzq8Xc"))).toEqual([])
  })

  it("derives units from calls or from money and reads route costs", () => {
    const { offers, costs } = parseConfig(
      configInput({
        offers: [offer, { ...offer, id: "ten", calls: 10 }, { ...offer, id: "credit", value: "0.5" }],
        unitValue: "0.001",
        costs: { "POST /movies": 5, "GET /movies/{id}": "0.002" },
      }),
    )
    expect(offers.map(({ units, value }) => [units, value])).toEqual([
      [null, null],
      [10, null],
      [500, "0.5"],
    ])
    expect(costs).toEqual({ "POST /movies": 5, "GET /movies/{id}": 2 })
    const refs = [{}, { calls: 10 }, { calls: 11 }].map(
      (limit) => parseConfig(configInput({ offers: [{ ...offer, ...limit }] })).offers[0]?.ref,
    )
    expect(new Set(refs).size).toBe(3)
  })

  it("refuses invalid units, values and costs, and rounds none", () => {
    const of = (limit: object, more: object = {}) =>
      problems(configInput({ offers: [{ ...offer, ...limit }], ...more } as never))
    for (const calls of [0, -1, 1.5, "10", Number.NaN, 1e15])
      expect(of({ calls })[0]).toMatch(/^offers\.0\.calls/)
    expect(of({ value: "1" })[0]).toMatch(/^offers\.0\.value: found money, wanted "unitValue"/)
    expect(of({ value: "1", calls: 1 }, { unitValue: "1" })).toEqual([
      'offers.0: found "calls" and "value", wanted one of them',
    ])
    for (const value of ["0.0015", "0", "0.0000001", "x", "-1"])
      expect(of({ value }, { unitValue: "0.001" })[0], value).toMatch(/^offers\.0\.value: found/)
    for (const unitValue of ["0", "x", "0.0000001"])
      expect(of({ value: "1" }, { unitValue })[0], unitValue).toMatch(/^unitValue: found/)
    for (const costs of [{ "POST /a": 0 }, { "POST /a": -1 }, { "POST /a": "0.0001" }, { "POST /a": null }])
      expect(of({}, { costs, unitValue: "0.001" })[0], JSON.stringify(costs)).toMatch(/^costs\.POST \/a: /)
    for (const route of ["/a", "post /a", "POST a", "POST /a/:id", "POST /a?b"])
      expect(of({}, { costs: { [route]: 1 } }), route).toHaveLength(1)
  })

  it("takes scalars from the environment", () => {
    const config = parseConfig(configInput(), {
      TICKET402_ISSUER: "https://a.example",
      TICKET402_LISTEN: "0.0.0.0:80",
    })
    expect(config.issuer).toBe("https://a.example")
    expect(config.listen).toBe("0.0.0.0:80")
  })
})
