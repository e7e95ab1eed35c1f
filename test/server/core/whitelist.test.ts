import { describe, expect, it } from "vitest"
import { standsFor } from "../../../server/core/whitelist.ts"

const entry = {
  id: "billing",
  secretSha256: null,
  scope: "movies:read",
  by: "command",
  listedAt: 100,
} as const

describe("a whitelist entry", () => {
  it("WL-09: covers grants issued since it was listed and no earlier ones", () => {
    expect(standsFor(entry, 100)).toBe(true)
    expect(standsFor(entry, 99)).toBe(false)
  })

  it("WL-09: covers nothing once it is removed or was never listed", () => {
    expect(standsFor({ ...entry, removedAt: 200 }, 150)).toBe(false)
    expect(standsFor({ ...entry, removedAt: null }, 150)).toBe(true)
    expect(standsFor(undefined, 150)).toBe(false)
  })
})
