/** Requests a grant without payment: a whitelisted account signs a statement instead. */
import { walletNonceSchema, walletProofGrantType } from "../../shared/oauth/messages.ts"
import { walletProof } from "../../shared/oauth/wallet-proof.ts"
import type { TypedDataSigner } from "../../shared/schemes/scheme.ts"
import { type Hex, lowerAddress } from "../../shared/values/evm.ts"
import { type Challenge, scopesOf } from "../core/challenge.ts"
import { covers } from "../core/grant-rules.ts"
import type { Place } from "../core/origins.ts"
import { createSingleFlight } from "../core/single-flight.ts"
import type { Grant } from "../wallet/store.ts"
import { grantStateOf, type Wallet } from "../wallet/wallet.ts"
import { readJson } from "../wire/bodies.ts"
import { type ExchangeTools, exchange, exchangeInit } from "../wire/token-endpoint.ts"

/** A grant that covers an offer of the challenge; undefined when the seller has not whitelisted the account. */
export type RequestFreeGrant = (challenge: Challenge, place: Place) => Promise<Grant | undefined>

export function createRequestFreeGrant(
  deps: ExchangeTools & { readonly account: TypedDataSigner; readonly wallet: Wallet },
): RequestFreeGrant {
  const flights = createSingleFlight<string, Grant | undefined>()
  /** Remembered, so that an account without a listing does not sign a statement for every purchase. */
  const refused = new Set<string>()

  return (challenge, place) => {
    const offered = scopesOf(challenge)
    const key = JSON.stringify([place.resourceText, place.tokenEndpoint.href, ...offered])
    if (refused.has(key)) return Promise.resolve(undefined)
    return flights.share(key, async () => {
      const grant = await askFor(place)
      if (grant && covers(grant.scope, offered)) {
        await deps.wallet.add(grant)
        return grant
      }
      refused.add(key)
      return undefined
    })
  }

  async function askFor({ tokenEndpoint, resource, resourceText }: Place): Promise<Grant | undefined> {
    const nonce = await nonceOf(new URL(`${tokenEndpoint.href}/nonce`))
    if (nonce === undefined) return undefined
    const account = lowerAddress(deps.account.address)
    const issuer = tokenEndpoint.href.replace(/\/token$/, "")
    const signature = await sign(walletProof({ account, issuer, audience: resourceText, nonce }))
    if (signature === undefined) return undefined
    const body = new URLSearchParams({
      grant_type: walletProofGrantType,
      account,
      nonce,
      signature,
      resource: resourceText,
    })
    const answer = await exchange({ url: tokenEndpoint, headers: {}, body, prover: undefined }, deps)
    if (answer.kind !== "token" || answer.token.token_type !== "Bearer") return undefined
    const { id } = answer.token.grant
    const unpaid = { network: "", secret: undefined, proofKey: undefined }
    const at = { account, resource: resource.href, tokenEndpoint: tokenEndpoint.href }
    return { id, ...at, ...unpaid, ...grantStateOf(answer.token, answer.askedAt) }
  }

  /** Undefined when the account does not sign: then the grant is bought. */
  function sign(statement: ReturnType<typeof walletProof>): Promise<Hex | undefined> {
    return deps.account.signTypedData(statement).catch(() => undefined)
  }

  async function nonceOf(url: URL): Promise<string | undefined> {
    try {
      const answer = await deps.fetch(url, exchangeInit(deps.timeoutMs))
      if (answer.status !== 200) return undefined
      const read = walletNonceSchema.safeParse(await readJson(answer, 4096))
      return read.success ? read.data.nonce : undefined
    } catch {
      return undefined
    }
  }
}
