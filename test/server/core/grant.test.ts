import { describe, expect, it } from "vitest"
import { firstToken, type Grant, openGrant, provesOwner, rotate } from "../../../server/core/grant.ts"

const lives = { full: 300, pending: 60 }
const opening = `0x${"ab".repeat(32)}` as const
const grant: Grant = openGrant({
  id: "grant",
  offer: "hour@00000000",
  scope: "movies:read",
  subject: "eip155:1:0xabc",
  paid: true,
  startsAt: 1000,
  expiresAt: 4600,
  opening,
  idempotencyHash: null,
  meter: null,
  keyThumbprint: null,
  resource: null,
  token: { jti: "first", issuedAt: 1000, expiresAt: 1060, settled: false },
})
const at = (now: number, generation: number, shown: typeof opening | null = null) => ({
  generation,
  opening: shown,
  keyThumbprint: null,
  resources: ["https://shop.test"],
  peer: "peer",
  jti: `jti-${now}`,
  now,
  lives,
})

describe("a grant", () => {
  it("gets tokens of a minute before settlement and full tokens afterwards", () => {
    const pending = rotate(grant, "pending", at(1050, 0))
    expect(pending).toMatchObject({
      kind: "rotated",
      grant: { generation: 1, token: { expiresAt: 1110, settled: false } },
    })
    const settled = rotate(grant, "settled", at(1050, 0))
    expect(settled).toMatchObject({ kind: "rotated", grant: { token: { expiresAt: 1350, settled: true } } })
  })

  it("gets no token that outlives it", () => {
    expect(rotate(grant, "settled", at(4590, 0))).toMatchObject({ grant: { token: { expiresAt: 4600 } } })
    expect(rotate(grant, "settled", at(4600, 0))).toEqual({ kind: "refused", reason: "grant_over" })
  })

  it("gets no token after its settlement failed", () => {
    expect(rotate(grant, "failed", at(1050, 0))).toEqual({ kind: "refused", reason: "settlement_failed" })
  })

  it("TOK-30: ends when an old refresh token is used again", () => {
    const rotated = { ...grant, generation: 3 }
    expect(rotate(rotated, "settled", at(2005, 1, opening))).toMatchObject({
      kind: "refused",
      reason: "refresh_token_reused",
      grant: { ended: { reason: "refresh_token_reused", at: 2005 } },
    })
    const ended = { ...rotated, ended: { reason: "refresh_token_reused" as const, at: 2005 } }
    expect(rotate(ended, "settled", at(2006, 3))).toEqual({ kind: "refused", reason: "refresh_token_reused" })
  })

  it("repeats a lost refresh for the holder of the secret only, however late", () => {
    const rotated = { ...grant, generation: 3 }
    expect(rotate(rotated, "settled", at(1059, 2, opening))).toEqual({ kind: "repeated", grant: rotated })
    expect(rotate(rotated, "settled", at(4000, 2, opening))).toMatchObject({
      kind: "repeated",
      grant: { generation: 3, token: { jti: "jti-4000", expiresAt: 4300 } },
    })
    for (const shown of [null, `0x${"cd".repeat(32)}` as const])
      expect(rotate(rotated, "settled", at(1059, 2, shown))).toMatchObject({ reason: "refresh_token_reused" })
  })

  it("repeats a parallel refresh for ten seconds and 20 times, by whatever peer", () => {
    const { grant: rotated } = rotate(grant, "settled", at(1050, 0))
    if (!rotated) throw new Error("not rotated")
    expect(rotated.rotation).toEqual({ at: 1050, by: "peer", repeats: 0 })
    const again = rotate(rotated, "settled", { ...at(1059, 0), peer: "another" })
    expect(again).toEqual({
      kind: "repeated",
      grant: { ...rotated, rotation: { at: 1050, by: "peer", repeats: 1 } },
    })
    const reused = { kind: "refused", reason: "refresh_token_reused" }
    expect(rotate(again.grant as Grant, "settled", at(1060, 0))).toMatchObject(reused)
    const often = { ...rotated, rotation: { at: 1050, by: "peer", repeats: 20 } }
    expect(rotate(often, "settled", at(1051, 0))).toMatchObject(reused)
    const setBack = rotate(rotated, "settled", at(1049, 0))
    expect(setBack).toMatchObject(reused)
  })

  it("bound to a key refuses other keys and is not ended by their tries", () => {
    const bound = { ...grant, generation: 3, opening: null, keyThumbprint: "key" }
    const by = (keyThumbprint: string | null, generation: number) =>
      rotate(bound, "settled", { ...at(1059, generation, opening), keyThumbprint })
    for (const other of [null, "other"])
      for (const generation of [1, 2, 3])
        expect(by(other, generation)).toEqual({ kind: "refused", reason: "dpop_key_mismatch" })
    expect(by("key", 3)).toMatchObject({ kind: "rotated", grant: { generation: 4, keyThumbprint: "key" } })
    expect(by("key", 2)).toMatchObject({ kind: "repeated" })
    expect(by("key", 1)).toMatchObject({ reason: "refresh_token_reused" })
  })

  it("gives a plain client one token of at most ten minutes", () => {
    const endOf = (change: object) => firstToken({ ...grant, ...change }, "j", 1000, lives).expiresAt
    expect(endOf({ opening: null })).toBe(1600)
    expect(endOf({ opening: null, expiresAt: 1100 })).toBe(1100)
    expect(endOf({})).toBe(1060)
    expect(endOf({ opening: null, keyThumbprint: "key" })).toBe(1060)
  })

  it("is proven by its secret, its key, or for a day its idempotency key", () => {
    expect(provesOwner(grant, { opening, idempotencyHash: null, keyThumbprint: null }, 2000)).toBe(true)
    const otherSecret = {
      opening: `0x${"cd".repeat(32)}` as const,
      idempotencyHash: null,
      keyThumbprint: null,
    }
    expect(provesOwner(grant, otherSecret, 2000)).toBe(false)
    const bound = { ...grant, keyThumbprint: "key" }
    expect(provesOwner(bound, { ...otherSecret, keyThumbprint: "key" }, 2000)).toBe(true)
    expect(provesOwner(bound, { ...otherSecret, keyThumbprint: "other" }, 2000)).toBe(false)
    expect(provesOwner(grant, { opening: null, idempotencyHash: null, keyThumbprint: null }, 2000)).toBe(
      false,
    )
    const plain = { ...grant, opening: null, idempotencyHash: "k" }
    expect(
      provesOwner(plain, { opening: null, idempotencyHash: "k", keyThumbprint: null }, 1000 + 86_400),
    ).toBe(true)
    expect(
      provesOwner(plain, { opening: null, idempotencyHash: "k", keyThumbprint: null }, 1001 + 86_400),
    ).toBe(false)
    expect(provesOwner(plain, { opening, idempotencyHash: null, keyThumbprint: null }, 1000)).toBe(false)
  })
})
