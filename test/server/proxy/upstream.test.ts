import { describe, expect, it } from "vitest"
import { ConfigError, parseConfig } from "../../../server/config/config.ts"
import { addressRule, openUpstream } from "../../../server/proxy/upstream.ts"
import { configInput } from "../../support/offers.ts"

const privateOnes = [
  "10.0.0.1",
  "192.168.1.1",
  "100.64.0.1",
  "fd00::1",
  "::ffff:10.0.0.1",
  "127.0.0.1",
  "0.0.0.0",
]

describe("addressRule", () => {
  it("HTP-18: lets a name lead to public addresses only", () => {
    const isAllowed = addressRule("api.example.com", false)
    for (const address of ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
      expect(isAllowed(address), address).toBe(true)
    for (const address of [...privateOnes, "::1", ""]) expect(isAllowed(address), address).toBe(false)
  })

  it("HTP-18: takes allowPrivate, an address and localhost as permissions, never for link-local ones", () => {
    for (const address of privateOnes)
      expect(addressRule("api.example.com", true)(address), address).toBe(true)
    expect(addressRule("10.0.0.1", false)("10.0.0.1")).toBe(true)
    expect(addressRule("[::1]", false)("::1")).toBe(true)
    expect(addressRule("localhost", false)("127.0.0.1")).toBe(true)
    expect(addressRule("localhost", false)("10.0.0.1")).toBe(false)
    for (const address of ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
      expect(addressRule("api.example.com", true)(address), address).toBe(false)
  })

  it("HTP-18: a link-local base URL is refused at the start", async () => {
    const services = { meta: { baseUrl: "http://169.254.169.254", routes: { "/*": "free" as const } } }
    const [service] = parseConfig(configInput({ services })).services
    if (!service) throw new Error("no service was read")
    await expect(openUpstream(service)).rejects.toThrow(ConfigError)
  })
})
