/** Refuses senseless options of `gate()` at the start, before a route is closed to all buyers or sold too cheaply. */
import { type TokenHeader, tokenHeader } from "../../shared/token-header.ts"
import { suggestName, unknownOptions } from "../../shared/values/option-names.ts"
import { scopesOf } from "../core/offers.ts"
import { mostUnits } from "../core/units.ts"

export type GateOptions = {
  /** The units that a call of this route costs. */
  readonly units?: number
  /**
   * The header that shows the token, in place of `Authorization`: for an API whose own login needs that one. The 402 names
   * it to the client.
   */
  readonly tokenHeader?: TokenHeader
}

const known = { units: true, tokenHeader: true } satisfies Record<keyof GateOptions, true>

type Scoped = { readonly scope: string }

/** Throws a TypeError for everything but a running service, such as the promise of one. */
export function requireIssuer(issuer: unknown, caller: string): void {
  if (issuer instanceof Promise)
    throw new TypeError(`${caller}: found a promise, wanted the issuer: await createIssuer(…)`)
  if (typeof issuer !== "object" || issuer === null || !("handleGate" in issuer))
    throw new TypeError(`${caller}: found no issuer, wanted the result of await createIssuer(…)`)
}

/** Throws a TypeError or RangeError that names the value found and the value wanted. */
export function requireGateOptions(
  scope: unknown,
  options: unknown,
  config: { readonly offers: readonly Scoped[]; readonly whitelist: readonly Scoped[] },
): void {
  const scopes = scopesOf([...config.offers, ...config.whitelist])
  if (typeof scope !== "string" || !scopes.includes(scope))
    throw new RangeError(
      `gate(): found the scope ${JSON.stringify(scope)}, wanted one that an offer or the whitelist names${suggestName(String(scope), scopes)}`,
    )
  if (typeof options !== "object" || options === null)
    throw new TypeError(
      `gate(): found the options ${JSON.stringify(options)}, wanted an object such as { units: 5 }`,
    )
  const [unknown] = unknownOptions("gate(): ", options, Object.keys(known))
  if (unknown !== undefined) throw new TypeError(unknown)
  const { units, tokenHeader: shownIn } = options as GateOptions
  if (units !== undefined && !(Number.isSafeInteger(units) && units >= 1 && units <= mostUnits))
    throw new RangeError(`gate(): found ${JSON.stringify(units)} units, wanted a whole number from 1 on`)
  // Proxies, CORS and logs know this one name.
  if (shownIn !== undefined && shownIn !== tokenHeader)
    throw new RangeError(
      `gate(): found the tokenHeader ${JSON.stringify(shownIn)}, wanted "${tokenHeader}", or none for Authorization`,
    )
}
