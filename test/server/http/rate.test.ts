import { describe, expect, it } from "vitest"
import { createRate, peerKey } from "../../../server/http/rate.ts"

const outcome = (asked: Promise<void>): Promise<string> =>
  asked.then(
    () => "in",
    (error: unknown) => (error as Error).message,
  )

describe("request rates", () => {
  it("allow the set number of requests per key and refuse the next", async () => {
    const rate = createRate(3)
    const take = (key: string) => outcome(rate.take(key))
    expect(await Promise.all([take("a"), take("a"), take("a"), take("a"), take("b")])).toEqual([
      "in",
      "in",
      "in",
      "rate_limited",
      "in",
    ])
  })

  it("are not counted by check()", async () => {
    const rate = createRate(1)
    for (let look = 0; look < 5; look++) expect(await outcome(rate.check("a"))).toBe("in")
    expect(await outcome(rate.take("a"))).toBe("in")
    expect(await outcome(rate.check("a"))).toBe("rate_limited")
  })

  it("group IPv6 peers by /64 and IPv4 peers by either spelling", () => {
    expect(peerKey("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64")
    expect(peerKey("2001:0DB8:0001:0002:ffff::1")).toBe("2001:db8:1:2::/64")
    expect(peerKey("2001:db8::1")).toBe("2001:db8:0:0::/64")
    expect(peerKey("::1")).toBe("0:0:0:0::/64")
    expect(peerKey("fe80::1%eth0")).toBe("fe80:0:0:0::/64")
    expect(peerKey("64:ff9b::192.0.2.1")).toBe("64:ff9b:0:0::/64")
    expect(peerKey("1:2:3:4:5:6:192.0.2.1")).toBe("1:2:3:4::/64")
    expect(peerKey("::ffff:192.0.2.1")).toBe("192.0.2.1")
    expect(peerKey("192.0.2.1")).toBe("192.0.2.1")
  })

  it("DOS-09: keep memory flat over hundreds of thousands of keys", async () => {
    const rate = createRate(1000)
    const fill = async (from: number, to: number) => {
      for (let key = from; key < to; key++) await rate.take(`10.0.0.${key}`)
      return process.memoryUsage().heapUsed / 2 ** 20
    }
    const heapBefore = await fill(0, 150_000)
    const heapAfter = await fill(150_000, 450_000)
    // A map of 300,000 more keys with timers would take over 85 MB.
    expect(heapAfter - heapBefore).toBeLessThan(40)
  }, 120_000)
})
