import { describe, expect, it } from "vitest"
import { reachable } from "../../../client/mcp/reach.ts"
import { initOf } from "../../../client/mcp/request.ts"

describe("a tool call", () => {
  it.each([
    ["credentials", { headers: { Authorization: "Bearer x" } }],
    ["a payment", { headers: { "payment-signature": "x" } }],
    ["cookies", { headers: { cookie: "a=1" } }],
    ["another host", { headers: { host: "internal" } }],
    ["a header inside a header", { headers: { accept: "a\r\nauthorization: Bearer x" } }],
  ])("CLI-04: cannot send %s", async (_name, headers) => {
    expect(() => initOf({ method: "GET", ...headers })).toThrow(/header/)
  })

  it("CLI-22: reaches listed origins or public https, and no private address", async () => {
    const resolve = async (host: string) => addresses[host] ?? [host]
    const addresses: Record<string, string[]> = {
      "api.example": ["93.184.216.34", "2606:2800:220:1::1"],
      "half.example": ["93.184.216.34", "10.0.0.1"],
      "none.example": [],
    }
    const outcome = (url: string, origins?: string[]) =>
      reachable(url, origins, resolve).then(
        () => "yes",
        ({ exit }) => exit,
      )
    expect(await outcome("https://api.example/x")).toBe("yes")
    expect(await outcome("https://none.example/x")).toBe("unreachable")
    const near = [
      "127.0.0.1",
      "2130706433",
      "0x7f.1",
      "10.1.2.3",
      "169.254.169.254",
      "192.168.0.1",
      "172.31.0.1",
    ]
    const near6 = [
      "[::1]",
      "[fe80::1]",
      "[fd00::1]",
      "[::ffff:127.0.0.1]",
      "[64:ff9b::7f00:1]",
      "[2002:7f00:1::]",
    ]
    for (const host of [...near, ...near6, "half.example", "0.0.0.0", "224.0.0.1"])
      expect([host, await outcome(`https://${host}/x`)]).toEqual([host, "rule"])
    expect(await outcome("http://api.example/x")).toBe("rule")
    expect(await outcome("file:///etc/passwd")).toBe("rule")
    expect(await outcome("https://me:secret@api.example/x")).toBe("settings")
    expect(await outcome("http://127.0.0.1:8402/x", ["http://127.0.0.1:8402"])).toBe("yes")
    expect(await outcome("https://api.example/x", ["http://127.0.0.1:8402"])).toBe("rule")
    expect(await outcome("https://api.example.evil/x", ["https://api.example"])).toBe("rule")
  })
})
