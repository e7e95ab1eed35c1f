import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type QuoteSubject, readQuote, sealedText, writeQuote } from "../../../server/core/price-quote.ts"

const of = (alphabet: string, length: number) =>
  fc
    .array(fc.constantFrom(...alphabet), { minLength: length, maxLength: length })
    .map((characters) => characters.join(""))
const hex = "0123456789abcdef"
const quotes = fc.record({
  kid: of(hex, 16),
  expiresAt: fc.integer({ min: 1, max: 99_999_999_999 }),
  amount: fc.bigInt({ min: 1n, max: 2n ** 256n - 1n }),
  seal: of(`${hex}GHIJKLMNOPQRSTUVWXYZghijklmnopqrstuvwxyz-_`, 22),
})
const subjects: fc.Arbitrary<QuoteSubject> = fc.record({
  issuer: fc.webUrl(),
  offer: fc.string(),
  network: fc.string(),
  scheme: fc.string(),
  asset: of(hex, 40).map((text) => `0x${text}` as const),
})

describe("a price quote", () => {
  it("survives writing and reading, in at most 200 header-safe characters", () => {
    fc.assert(
      fc.property(quotes, (quote) => {
        const text = writeQuote(quote)
        expect(readQuote(text)).toEqual(quote)
        expect(text.length).toBeLessThanOrEqual(200)
        expect(text).toMatch(/^[A-Za-z0-9._-]+$/)
      }),
      { numRuns: 100 },
    )
    expect(
      writeQuote({ kid: "1f0c2a71d3e4b5a6", expiresAt: 1_800_000_900, amount: 20_000n, seal: "s".repeat(22) })
        .length,
    ).toBe(56)
  })

  it("QTE-05: has one spelling: any text that is read is written back unchanged", () => {
    const edited = fc
      .tuple(
        quotes.map(writeQuote),
        fc.nat(90),
        fc.constantFrom("", "0", ".", "+", " ", "-", "A", "\n", "e3"),
      )
      .map(
        ([text, at, edit]) =>
          text.slice(0, at % text.length) + edit + text.slice((at % text.length) + (edit === "" ? 1 : 0)),
      )
    fc.assert(
      fc.property(fc.oneof(edited, fc.string()), (text) => {
        const read = readQuote(text)
        if (read) expect(writeQuote(read)).toBe(text)
      }),
      { numRuns: 100 },
    )
    const good = { kid: "1f0c2a71d3e4b5a6", seal: "s".repeat(22) }
    for (const middle of ["01.5", "1.05", "0.5", "1.0", "-1.5", "1.-5", "1.5.5", "1e3.5", "١.5", " 1.5"])
      expect(readQuote(`${good.kid}.${middle}.${good.seal}`), middle).toBeUndefined()
  })

  it("QTE-05: is sealed over a text that is unique to subject, amount and expiry", () => {
    const amounts = fc.record({ amount: fc.bigInt({ min: 1n, max: 10n ** 12n }), expiresAt: fc.nat() })
    fc.assert(
      fc.property(fc.tuple(subjects, amounts), fc.tuple(subjects, amounts), ([a, terms], [b, other]) => {
        const same = JSON.stringify(a) === JSON.stringify(b) && terms.amount === other.amount
        expect(sealedText(a, terms) === sealedText(b, other)).toBe(
          same && terms.expiresAt === other.expiresAt,
        )
      }),
      { numRuns: 100 },
    )
    const [subject] = fc.sample(subjects, 1) as [QuoteSubject]
    const terms = { amount: 20_000n, expiresAt: 1_800_000_900 }
    for (const member of Object.keys(subject) as (keyof QuoteSubject)[])
      expect(sealedText({ ...subject, [member]: "other" }, terms), member).not.toBe(
        sealedText(subject, terms),
      )
  })
})
