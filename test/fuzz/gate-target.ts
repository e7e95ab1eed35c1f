/** The gate as a fuzz target: only an issued token passes, whatever the Authorization header holds. */
import fc from "fast-check"
import { gateFacts, reasonIn } from "../support/gate-facts.ts"
import type { TestService } from "../support/service.ts"
import { mutated, scratched, textOf } from "./mutate.ts"
import type { Target } from "./run.ts"

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value) ?? "").toString("base64url")

function partsOf(token: string): { header: unknown; payload: unknown; signature: string } {
  const [header = "", payload = "", signature = ""] = token.split(".")
  const decode = (text: string): unknown => JSON.parse(Buffer.from(text, "base64url").toString())
  return { header: decode(header), payload: decode(payload), signature }
}

/** Values of an Authorization header, made of valid tokens. */
export function authorizations(tokens: readonly string[]): fc.Arbitrary<string> {
  const token = fc.constantFrom(...tokens)
  const parts = tokens.map(partsOf)
  const edited = mutated(parts).map((value) => {
    const { header, payload, signature } = (value ?? {}) as Partial<ReturnType<typeof partsOf>>
    return `${encode(header)}.${encode(payload)}.${textOf(signature)}`
  })
  const noise = fc.oneof(
    fc.string({ unit: "binary", maxLength: 80 }),
    fc.base64String({ maxLength: 400 }),
    fc.nat(100_000).map((length) => "a".repeat(length)),
    fc.nat(9000).map((length) => " ".repeat(length)),
    fc.nat(4000).map((length) => ".".repeat(length)),
  )
  const text = fc.oneof(
    { weight: 4, arbitrary: edited },
    { weight: 4, arbitrary: scratched(token) },
    { weight: 1, arbitrary: token },
    { weight: 2, arbitrary: noise },
  )
  const scheme = fc.constantFrom("Bearer ", "Bearer ", "bearer ", "Bearer  ", "DPoP ", "Basic ", "Bearer", "")
  return fc.tuple(scheme, text).map(([name, value]) => name + value)
}

type GateInput = {
  readonly authorization: readonly string[]
  readonly payment: boolean
  readonly queryToken: boolean
  readonly dpop: readonly string[]
  readonly method: string
  readonly path: string
  readonly scope: string
}

export function gateTarget(service: TestService, tokens: readonly string[]): Target<GateInput> {
  const good = new Set(tokens)
  return {
    name: "gate",
    inputs: fc.record({
      authorization: fc.oneof(
        { weight: 9, arbitrary: authorizations(tokens).map((value) => [value]) },
        { weight: 1, arbitrary: fc.array(authorizations(tokens), { maxLength: 3 }) },
      ),
      payment: fc.boolean(),
      queryToken: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.boolean()),
      dpop: fc.array(authorizations(tokens), { maxLength: 2 }),
      method: fc.constantFrom("GET", "POST", ""),
      path: fc.oneof(fc.constantFrom("/movies/1", "/", ""), fc.string({ maxLength: 40 })),
      scope: fc.constantFrom("movies:read", "movies:read", "movies:write", "movies", "", "__proto__"),
    }),
    async run(request) {
      const outcome = await service.issuer.handleGate(gateFacts(request))
      if (outcome.kind === "answer") return reasonIn(outcome)
      const [value = ""] = request.authorization
      const isIssued = good.has(value.replace(/^bearer +/i, "").trimEnd())
      const isAlone = request.authorization.length === 1 && !request.queryToken
      if (!isIssued || !isAlone || request.scope !== "movies:read")
        throw new Error("the gate accepted a token that was not issued")
      return "pass"
    },
  }
}
