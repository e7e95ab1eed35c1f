import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parseConfig } from "../../../server/config/config.ts"
import { canonicalPath, foldedPath } from "../../../server/core/proxy-path.ts"
import { createMatcher } from "../../../server/proxy/matcher.ts"
import { configInput } from "../../support/offers.ts"

type Routes = NonNullable<ReturnType<typeof configInput>["services"]>[string]["routes"]

function matcherOf(routes: Routes) {
  const services = { weather: { baseUrl: "https://upstream.example", routes } }
  const [service] = parseConfig(configInput({ services })).services
  const match = createMatcher(service?.routes ?? [])
  return (method: string, path: string) => {
    const canonical = canonicalPath(path)
    return canonical === undefined ? undefined : match(method, canonical)?.name
  }
}

const charge = { charge: "0.01" }

describe("canonicalPath", () => {
  it("HTP-02: returns one spelling for escapes of unreserved characters", () => {
    expect(canonicalPath("/%66ree/%c3%a9/a%20b")).toBe("/free/%C3%A9/a%20b")
  })

  it("HTP-06: refuses spellings that servers read in different ways", () => {
    const refused = ["", "a", "*", "//a", "/a//b", "/a/../b", "/a/..", "/./a", "/%2e%2E/a", "/a\\b", "/a;b/c"]
    refused.push(
      "/a%2Fb",
      "/a%5cb",
      "/a%3Bb",
      "/a%252Fb",
      "/a%00b",
      "/a%0d%0ab",
      "/a%",
      "/a%4",
      "/a%zz",
      "/a?b",
    )
    refused.push(
      "/a#b",
      "/a b",
      "/é",
      "/%C0%AE%C0%AE/a",
      "/%FF",
      "/%EF%BC%8E%EF%BC%8E/a",
      "/a%EF%BC%8F%EF%BC%8Fb",
    )
    refused.push("http://a/b", "/a\tb", "/a\u0000", "/a|b", "/%EF%BC%BCa")
    for (const path of refused) expect(canonicalPath(path), path).toBeUndefined()
  })

  it("HTP-01: is idempotent, and names the same resource as the path it was made of", () => {
    const piece = fc.oneof(
      fc.constantFrom("/", "/a", "%41", "%2f", "%2E", ".", "%25", "%C3%A9", ";", "~", "+", "%20", "B"),
      fc.string({ maxLength: 3 }),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const path = `/${pieces.join("")}`
        const canonical = canonicalPath(path)
        if (canonical === undefined) return
        expect(canonicalPath(canonical)).toBe(canonical)
        expect(decodeURIComponent(canonical)).toBe(decodeURIComponent(path))
        expect(new URL(canonical, "http://h").pathname).toBe(canonical)
      }),
    )
  })
})

describe("createMatcher", () => {
  it("lets the first route that matches decide, whatever is more specific", () => {
    const match = matcherOf({ "GET /:a/b": charge, "GET /a/:b": charge, "/*": "free" })
    expect(match("GET", "/a/b")).toBe("GET /:a/b")
    expect(match("GET", "/a/c")).toBe("GET /a/:b")
    expect(match("POST", "/a/c")).toBe("/*")
    expect(match("HEAD", "/a/c")).toBe("GET /a/:b")
    expect(match("GET", `/a/${"x".repeat(5000)}`)).toBe("GET /a/:b")
  })

  it("HTP-04: finds no route for methods that are not forwarded", () => {
    const match = matcherOf({ "/*": "free" })
    for (const method of ["OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", ""])
      expect(match(method, "/a"), method).toBeUndefined()
  })

  it("HTP-01: finds no route for a spelling that folds into a priced one", () => {
    const match = matcherOf({
      "GET /films/:id": charge,
      "GET /kiosk": charge,
      "GET /dir/*": charge,
      "/*": "free",
    })
    expect(match("GET", "/films/7")).toBe("GET /films/:id")
    expect(match("GET", "/other")).toBe("/*")
    expect(match("GET", "/dir/")).toBe("GET /dir/*")
    const lenient = ["/Films/7", "/films/7/", "/FILMS/7/", "/%46ilms/7", "/KIOSK", "/kiosk/"]
    lenient.push("/%E2%84%AAiosk", "/kio%C5%BFk", "/dir", "/DIR/a", "/%EF%BD%84ir/a")
    for (const path of lenient) expect(match("GET", path), path).toBeUndefined()
  })

  it("keeps a narrow free route beside a priced wildcard below it", () => {
    const match = matcherOf({ "GET /films/:id": "free", "GET /films/:id/*": charge })
    expect(match("GET", "/films/7")).toBe("GET /films/:id")
    expect(match("GET", "/films/7/video")).toBe("GET /films/:id/*")
  })

  it("HTP-24: refuses a priced route that a free one before it hides", () => {
    expect(() => matcherOf({ "/*": "free", "GET /films/:id": charge })).toThrow(
      'found "GET /films/:id", which no request reaches, after "/*"; wanted narrow routes first',
    )
    expect(() => matcherOf({ "GET /A": charge, "GET /a": charge })).toThrow("which no request reaches")
  })

  it("HTP-01: the route priced is the route forwarded, to an upstream that ignores case and slashes", () => {
    const routes: Routes = {
      "GET /free/*": "free",
      "GET /films/:id": charge,
      "GET /films/:id/*": charge,
      "/*": "free",
    }
    const match = matcherOf(routes)
    const piece = fc.constantFrom(
      "/",
      "films",
      "FILMS",
      "Films",
      "free",
      "7",
      "%46",
      "x",
      "%66",
      "ilms",
      "%C5%BF",
      "fi",
    )
    fc.assert(
      fc.property(fc.constantFrom("GET", "HEAD"), fc.array(piece, { maxLength: 7 }), (method, pieces) => {
        const path = `/${pieces.join("")}`
        const found = match(method, path)
        if (found === undefined || found.includes("films")) return
        const read = foldedPath(canonicalPath(path) ?? "") ?? ""
        expect(/^\/films\/[^/]+/.test(read), path).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })
})
