import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { decodeHeader, encodeHeader } from "../../shared/values/codec.ts"
import { parseJson } from "../../shared/values/json.ts"

const safeKey = fc.string().filter((key) => !["__proto__", "constructor", "prototype"].includes(key))

describe("the header codec", () => {
  it("decodes any encoded JSON to the same value", () => {
    const value = fc.dictionary(
      safeKey,
      fc.oneof(fc.string({ unit: "grapheme" }), fc.integer(), fc.boolean()),
    )
    fc.assert(
      fc.property(value, (object) => {
        expect(decodeHeader(encodeHeader(object))).toEqual(JSON.parse(JSON.stringify(object)))
      }),
    )
  })

  it("refuses base64url, missing padding, stray bits and white space", () => {
    const good = encodeHeader({ a: "??>>" })
    expect(decodeHeader(good)).toEqual({ a: "??>>" })
    const spellings = [
      good.replaceAll("+", "-").replaceAll("/", "_"),
      good.replace(/=+$/, ""),
      ` ${good}`,
      `${good}\n`,
    ]
    for (const spelling of spellings.filter((text) => text !== good))
      expect(() => decodeHeader(spelling)).toThrow()
    expect(() => decodeHeader("e30")).toThrow()
    expect(() => decodeHeader("e31=")).toThrow(/stray bits|JSON/)
    expect(() => decodeHeader("")).toThrow()
    expect(() => decodeHeader("/////w==")).toThrow(/UTF-8/)
  })

  it("PRS-04: refuses keys named like prototype members at any depth", () => {
    for (const key of ["__proto__", "constructor", "prototype"]) {
      expect(() => parseJson(`{"${key}":{}}`)).toThrow(/forbidden key/)
      expect(() => parseJson(`[{"a":{"${key}":1}}]`)).toThrow(/forbidden key/)
    }
    expect(parseJson('{"toString":"1","hasOwnProperty":2}')).toEqual({ toString: "1", hasOwnProperty: 2 })
  })

  it("PRS-05, N-8725-7: refuses a duplicate key at any depth and in any spelling", () => {
    for (const text of [
      '{"value":"1","value":"10000"}',
      '{"a":[{"b":{"c":1,"c" : 2}}]}',
      '{"value":1,"\\u0076alue":2}',
      '{"a":"","a":{}}',
    ])
      expect(() => parseJson(text), text).toThrow(/twice/)
    for (const value of [
      { a: '":"', b: { a: '\\":' }, c: [{ a: 1 }, { a: 2 }], '":': "\\" },
      ['"a":1', "\u2028:"],
      [[1, { "": { "": null } }]],
    ])
      expect(parseJson(JSON.stringify(value))).toEqual(value)
  })

  it("PRS-05: parses text full of quotes and backslashes in linear time", () => {
    const text = JSON.stringify('"\\'.repeat(100_000))
    const startedAt = performance.now()
    parseJson(text)
    expect(performance.now() - startedAt).toBeLessThan(500)
  })

  it("refuses deeply nested JSON of any size", () => {
    expect(() => parseJson("[".repeat(17) + "]".repeat(17))).toThrow(/too deep/)
    expect(() => parseJson("[".repeat(100_000) + "]".repeat(100_000))).toThrow()
    expect(parseJson("[".repeat(16) + "]".repeat(16))).toBeDefined()
  })
})
