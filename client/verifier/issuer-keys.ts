/** The keys of an issuer as a verifier knows them: which of them signed a text, if one did. */
import { type CryptoKey, compactVerify, importJWK, type JWK } from "jose"
import * as z from "zod"
import { isCanonical, jwsHeader, type TokenAlgorithm, tokenAlgorithms } from "../../shared/oauth/jws.ts"
import { parseJson } from "../../shared/values/json.ts"

/** How often they are asked for; an unknown key asks for them no sooner either (TOK-25). */
const keySeconds = 30

const jwksSchema = z.object({
  keys: z.array(z.looseObject({ kid: z.string(), alg: z.enum(tokenAlgorithms), kty: z.string() })).max(100),
})

type TrustedKey = { readonly kid: string; readonly alg: TokenAlgorithm; readonly key: CryptoKey }

export type IssuerKeys = {
  /** Whether the key that the text's header names is known and trusted. */
  has(text: string, typ: string): boolean
  /** The content that a trusted key signed in its one spelling; undefined for any other text. */
  open(text: string, typ: string): Promise<unknown>
  /** Throws when the issuer does not answer. */
  readIfDue(): Promise<void>
  /** For good: a key set of before brings none of them back. */
  remove(kids: readonly string[]): void
}

export function createIssuerKeys(now: () => number, ask: () => Promise<unknown>): IssuerKeys {
  const removed = new Set<string>()
  let keys: ReadonlyMap<string, TrustedKey> = new Map()
  let askedAt = Number.NEGATIVE_INFINITY

  /** The key that a text names with its header, which is compared whole and never parsed. */
  function keyOf(text: string, typ: string): TrustedKey | undefined {
    const header = text.slice(0, text.indexOf("."))
    return [...keys.values()].find(({ alg, kid }) => !removed.has(kid) && jwsHeader(alg, typ, kid) === header)
  }

  return {
    has: (text, typ) => keyOf(text, typ) !== undefined,
    async open(text, typ) {
      const known = keyOf(text, typ)
      const [, , signature = "", ...more] = text.split(".")
      if (!known || more.length > 0 || !isCanonical(known.alg, signature)) return undefined
      try {
        const { payload } = await compactVerify(text, known.key, { algorithms: [known.alg] })
        return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(payload))
      } catch {
        // Whatever is wrong with it, the issuer did not sign it.
        return undefined
      }
    },
    async readIfDue() {
      if (now() < askedAt + keySeconds) return
      // Before the answer: a flood of unknown keys asks once, answered or not.
      askedAt = now()
      const found = jwksSchema.parse(await ask()).keys
      const trusted = await Promise.all(
        found.map(async (jwk): Promise<TrustedKey> => {
          const { kid, alg } = jwk
          return { kid, alg, key: (await importJWK(jwk as JWK, alg)) as CryptoKey }
        }),
      )
      keys = new Map(trusted.map((key) => [key.kid, key]))
    },
    remove(kids) {
      for (const kid of kids) removed.add(kid)
    },
  }
}
