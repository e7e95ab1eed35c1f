/** Derives refresh tokens and seals nonces and quotes with the secrets of the ring, which never leave this service. */
import { type KeyState, stateOf } from "../core/key-ring.ts"
import { type Keys, SignerUnavailable } from "../ports/keys.ts"
import type { Now } from "../ports/runtime.ts"
import { issueRefreshToken, readRefreshToken } from "./refresh-tokens.ts"
import type { KeyRing, SecretKey } from "./ring.ts"
import { quoteOverlapSeconds, refreshOverlapSeconds } from "./ring-changes.ts"
import { isSealOf, sealOf } from "./seals.ts"

type SecretVerbs = Pick<
  Keys,
  "seal" | "isSealed" | "sealQuote" | "isQuoteSealed" | "refreshToken" | "readRefreshToken"
>

/** A seal lasts minutes, so its key is the next one, the active one or the one before. */
const sealKeys = 3

export function createSecretKeys({ ring, now }: { readonly ring: () => KeyRing; readonly now: Now }): {
  readonly verbs: SecretVerbs
  /** Throws {@link SignerUnavailable} when no key may derive refresh tokens now. */
  readonly requireKey: () => void
} {
  const refreshState = (key: SecretKey): KeyState => stateOf(key, refreshOverlapSeconds, now())
  const quoteState = (key: SecretKey): KeyState => stateOf(key, quoteOverlapSeconds, now())

  function refreshSecret(): Uint8Array {
    const key = ring().refresh.findLast((each) => refreshState(each) === "active")
    if (!key) throw new SignerUnavailable("no key may derive refresh tokens now")
    return secretOf(key)
  }

  /** The newest first: most tokens are made with it. */
  const refreshSecrets = (): readonly Uint8Array[] =>
    ring()
      .refresh.filter((key) => refreshState(key) !== "gone")
      .map(secretOf)
      .reverse()

  const quoteSecrets = (kid: string): readonly Uint8Array[] =>
    ring()
      .quote.filter((key) => key.id === kid && quoteState(key) !== "gone")
      .map(secretOf)

  const verbs: SecretVerbs = {
    seal: (text) => sealOf(refreshSecret(), "nonce", text),
    isSealed: (text, seal) => isSealOf(refreshSecrets().slice(0, sealKeys), "nonce", text, seal),
    sealQuote(text) {
      const key = ring().quote.findLast((each) => quoteState(each) === "active")
      if (!key) throw new SignerUnavailable("no key may seal quotes now")
      return { kid: key.id, seal: sealOf(secretOf(key), "quote", text) }
    },
    isQuoteSealed: (text, { kid, seal }) => isSealOf(quoteSecrets(kid), "quote", text, seal),
    refreshToken: (grantId, generation) => issueRefreshToken(refreshSecret(), grantId, generation),
    readRefreshToken: (token) => readRefreshToken(refreshSecrets(), token),
  }
  return { verbs, requireKey: () => void refreshSecret() }
}

const secretOf = ({ secret }: SecretKey): Uint8Array => Buffer.from(secret, "hex")
