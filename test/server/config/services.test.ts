import { describe, expect, it } from "vitest"
import { ConfigError, parseConfig } from "../../../server/config/config.ts"
import { reservedNames } from "../../../server/config/services.ts"
import { endpointsOf } from "../../../server/http/metadata.ts"
import { configInput } from "../../support/offers.ts"

const service = { baseUrl: "https://api.example.com/v2", routes: { "GET /a": { charge: "0.01" } } }

function problems(services: unknown, more = {}): readonly string[] {
  try {
    parseConfig(configInput({ services, ...more } as never))
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe("services of a configuration", () => {
  it("become offers with scopes of their own", () => {
    const routes = {
      "GET /a": { charge: "0.01" },
      "POST /b": { session: { perCall: "0.0005", deposit: "0.10" } },
      "GET /c": { session: { perCall: "0.002", deposit: "0.1" } },
      "/d": "free" as const,
      "GET /e": { scope: "movies:read", units: 2 },
    }
    const config = parseConfig(
      configInput({
        offers: [],
        services: { weather: { ...service, routes: { ...routes, "GET /e": "free" } } },
      }),
    )
    expect(config.offers.map(({ id, scope, units, value }) => [id, scope, units, value])).toEqual([
      ["weather-session", "weather:session", 200, "0.10"],
      ["weather-f302dfbc", "weather:f302dfbc", 1, null],
    ])
    expect(config.offers[0]?.prices[0]).toMatchObject({ amount: 100_000n })
    const priced = parseConfig(configInput({ services: { weather: { ...service, routes } } })).services[0]
    expect(priced?.routes.map(({ price }) => [price?.scope, price?.cost, price?.takesPayments])).toEqual([
      ["weather:f302dfbc", 1, true],
      ["weather:session", 1, false],
      ["weather:session", 4, false],
      [undefined, undefined, undefined],
      ["movies:read", 2, false],
    ])
  })

  it("are refused with names that the service's own endpoints use", () => {
    for (const name of reservedNames)
      expect(problems({ [name]: service })[0], name).toMatch(/own endpoints use it/)
    for (const name of ["A", "-a", "a_b", "", "a".repeat(64), "a.b", "a/b"])
      expect(problems({ [name]: service }).length, name).toBeGreaterThan(0)
    const own = Object.values(endpointsOf("https://x", "https://x")).map(
      (url) => new URL(url).pathname.split("/")[1] ?? "",
    )
    for (const name of own) expect(reservedNames.has(name) || name.startsWith("."), name).toBe(true)
  })

  it("are refused with patterns, prices and upstreams that mean something else", () => {
    const routes = [
      "get /a",
      "GET a",
      "GET /a/*/b",
      "GET /:a-:b",
      "GET /a?b",
      "GET //a",
      "HEAD /a",
      "GET /(a)",
      "GET /%61",
    ]
    for (const route of [...routes, "GET /a:b", "GET  /a", "/a;b", "/:a?", "GET /a*"])
      expect(problems({ weather: { ...service, routes: { [route]: "free" } } }).length, route).toBe(1)
    for (const form of [
      "paid",
      { charge: "0" },
      { charge: "x" },
      { session: { perCall: "1", deposit: "0.1" } },
      {},
    ])
      expect(
        problems({ weather: { ...service, routes: { "GET /a": form } } }).length,
        JSON.stringify(form),
      ).toBe(1)
    for (const baseUrl of ["ftp://a", "https://u:p@a", "https://a?b", "https://a/%41", "https://a//b"])
      expect(problems({ weather: { ...service, baseUrl } }).length, baseUrl).toBe(1)
    expect(problems({ weather: { ...service, routes: { "GET /a": { scope: "movies:raed" } } } })).toEqual([
      'services.weather.routes.GET /a: found the scope "movies:raed", wanted one that an offer or the whitelist names, did you mean "movies:read"?',
    ])
    expect(problems({}, { offers: [] })[0]).toMatch(/^offers: found none/)
  })

  it("never show a credential that stands in place of its source", () => {
    const text = problems({
      weather: { ...service, bearer: "sk-hidden", headers: { "X-Key": "sk-hidden" } },
    }).join()
    expect(text).toMatch(/wanted \{ "file"/)
    expect(text).not.toContain("sk-hidden")
  })
})
