/** Checks proofs of possession (RFC 9449), and records the use of those that are accepted. */
import { Refusal } from "../../shared/refusals.ts"
import { expiryOf, type Proof, type ProvenRequest, useOf, whyUnfit } from "../core/dpop.ts"
import type { Keys } from "../ports/keys.ts"
import { type Now, Overloaded } from "../ports/runtime.ts"
import type { Store } from "../ports/store.ts"

export type ProofVerdict =
  | {
      readonly kind: "proven"
      readonly thumbprint: string
      /**
       * Uses the proof up; false when it was used before. Called before the effect, and only for a request that is accepted
       * otherwise: junk would fill the store. Throws Overloaded and StoreUnavailable.
       */
      readonly claim: () => Promise<boolean>
      /** For the next proofs, when the one used is about to be refused. */
      readonly freshNonce: string | undefined
    }
  | { readonly kind: "unproven"; readonly why: string }
  | { readonly kind: "nonce_wanted"; readonly nonce: string }

/** `fields`: the raw values of every DPoP header field. */
export type CheckProof = (fields: readonly string[], request: ProvenRequest) => Promise<ProofVerdict>

/** A nonce is taken for one window of that length and the one after. */
const nonceSeconds = 60

export function createProofCheck(
  deps: {
    readonly verify: (proof: string) => Promise<Proof | undefined>
    readonly keys: Pick<Keys, "seal" | "isSealed">
    readonly store: Pick<Store, "useOnce">
    readonly now: Now
  },
  /** Whether proofs must hold a nonce of this service, so that none can be made in advance. */
  options: { readonly nonces: boolean },
): CheckProof {
  const { verify, keys, store, now } = deps
  const nonceText = (window: number): string => `dpop ${window}`
  const windowNow = (): number => Math.floor(now() / nonceSeconds)

  /** How many windows old the nonce is; undefined for one that is too old or none of ours. */
  function ageOf(nonce: string | undefined): number | undefined {
    if (nonce === undefined) return undefined
    const window = windowNow()
    return [0, 1].find((age) => keys.isSealed(nonceText(window - age), nonce))
  }

  async function claim(proof: Proof): Promise<boolean> {
    const use = await store.useOnce({ key: useOf(proof), until: expiryOf(proof), now: now() })
    if (use === "full") throw new Overloaded("proofs of possession")
    return use === "taken"
  }

  return async ([field, ...more], request) => {
    if (field === undefined || more.length > 0) return unproven("Wanted exactly one DPoP header.")
    const proof = await verify(field)
    if (!proof) return unproven("Wanted a dpop+jwt, signed by the public key it names with ES256 or EdDSA.")
    const unfit = whyUnfit(proof, request, now())
    if (unfit) return unproven(unfit)
    const age = options.nonces ? ageOf(proof.claims.nonce) : 0
    if (age === undefined) return { kind: "nonce_wanted", nonce: keys.seal(nonceText(windowNow())) }
    return {
      kind: "proven",
      thumbprint: proof.thumbprint,
      claim: () => claim(proof),
      freshNonce: age > 0 ? keys.seal(nonceText(windowNow())) : undefined,
    }
  }
}

const unproven = (why: string): ProofVerdict => ({ kind: "unproven", why })

/** The refusal that brings the nonce it asks for. */
export class NonceWanted extends Refusal {
  readonly nonce: string

  constructor(nonce: string) {
    super("dpop_nonce_wanted")
    this.name = "NonceWanted"
    this.nonce = nonce
  }
}
