/** Signs and verifies access tokens, receipts and revocation lists with the keys of the loaded ring. */
import { type KeyState, stateOf } from "../core/key-ring.ts"
import { type Keys, SignerUnavailable } from "../ports/keys.ts"
import type { Now } from "../ports/runtime.ts"
import { publicJwkOf } from "./algorithms.ts"
import type { LoadedRing } from "./loaded-ring.ts"
import type { AccessKey } from "./ring.ts"
import { accessOverlapSeconds } from "./ring-changes.ts"
import type { SigningKey } from "./signing-key.ts"

type TokenVerbs = Pick<
  Keys,
  "sign" | "signReceipt" | "signRevocations" | "verify" | "isTrusted" | "jwks" | "receiptJwks" | "removed"
>

export function createTokenKeys(deps: {
  readonly held: () => LoadedRing
  readonly now: Now
  /** Names the key of an external signer. */
  readonly signerId: string | undefined
  readonly onFailed: () => void
}): {
  readonly verbs: TokenVerbs
  /** Throws {@link SignerUnavailable} when no key may sign now. */
  readonly requireKey: () => void
} {
  const { held, now, signerId, onFailed } = deps
  const stateNow = (key: AccessKey): KeyState => stateOf(key, accessOverlapSeconds, now())
  const isAlive = (key: AccessKey): boolean => stateNow(key) !== "gone"
  const isActive = (key: AccessKey): boolean => stateNow(key) === "active"

  /** The key that signs a text which is verified until `until`. */
  function keyUntil(until: number): SigningKey {
    const { ring, byId } = held()
    const found = byId.get(signerId ?? ring.access.findLast(isActive)?.id ?? "")
    // An external key is in use until its last process has stopped, and signs nothing that would outlive it.
    const end =
      found?.key.retiredAt == null ? Number.POSITIVE_INFINITY : found.key.retiredAt + accessOverlapSeconds
    if (!found || stateNow(found.key) === "next" || until > end)
      throw new SignerUnavailable("no key may sign now")
    return found.made
  }

  async function sign(
    ...[kind, payload, until]: [...Parameters<SigningKey["sign"]>, number]
  ): Promise<string> {
    try {
      return await keyUntil(until).sign(kind, payload)
    } catch (error) {
      onFailed()
      throw error
    }
  }

  const verbs: TokenVerbs = {
    sign: (claims) => sign("token", claims, claims.exp),
    signReceipt: (receipt) => sign("receipt", receipt, now()),
    signRevocations: (list) => sign("revocations", list, now()),
    async verify(token) {
      const found = held().byHeader.get(token.slice(0, token.indexOf(".")))
      if (!found || !isAlive(found.key)) return undefined
      const claims = await found.made.verify(token)
      return claims && { claims, kid: found.key.id }
    },
    isTrusted(kid) {
      const found = held().byId.get(kid)
      return found !== undefined && isAlive(found.key)
    },
    jwks() {
      const alive = held().ring.access.filter(isAlive)
      const activeFirst = [...alive.filter(isActive), ...alive.filter((key) => !isActive(key))]
      return { keys: activeFirst.map(({ id, alg, jwk }) => ({ ...publicJwkOf(id, alg, jwk), use: "sig" })) }
    },
    receiptJwks() {
      const { retired, access } = held().ring
      const keys = [...retired, ...access]
      return { keys: keys.map(({ id, alg, jwk }) => ({ ...publicJwkOf(id, alg, jwk), key_ops: ["verify"] })) }
    },
    removed: () => held().ring.removed.map(({ id, removedAt }) => ({ kid: id, removedAt })),
  }
  return { verbs, requireKey: () => void keyUntil(now()) }
}
