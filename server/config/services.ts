/** Reads the proxied services of a configuration, and generates the offers of their routes. */
import type { z } from "zod"
import { parseAmount } from "../../shared/values/amount.ts"
import { sha256, stringToBytes } from "../../shared/values/evm.ts"
import { suggestName } from "../../shared/values/option-names.ts"
import { scopesOf } from "../core/offers.ts"
import {
  type ProxiedMethod,
  type ProxiedRoute,
  type ProxiedService,
  proxiedMethods,
  type RoutePrice,
} from "../core/proxied-services.ts"
import { mostUnits } from "../core/units.ts"
import type { serviceSchema } from "./services-schema.ts"
import { show } from "./show.ts"
import { WrongValue } from "./values.ts"

type Raw = z.output<typeof serviceSchema>
type RawRoute = Raw["routes"][string]
type SessionTerms = { readonly perCall: string; readonly deposit: string }

/** An offer as the configuration would spell it, except for its networks. */
export type GeneratedOffer = {
  readonly id: string
  readonly scope: string
  readonly durationSeconds: number
  readonly units: number
  readonly value: string | undefined
  readonly amount: string
}

/** A failed call leaves its unit to a later one. */
const chargeSeconds = 86_400
const sessionSeconds = 30 * 86_400

/** First segments of the service's own endpoints, present and reserved. */
export const reservedNames: ReadonlySet<string> = new Set([
  ...["token", "introspect", "revoke", "gate", "revocations", "health", "discover", "checkout", "try"],
  ...["api", "metrics", "sales", "admin", "device", "authorize", "events"],
])

/** Throws {@link WrongValue} or AmountError. */
export function readService(
  name: string,
  raw: Raw,
): { readonly service: ProxiedService; readonly offers: readonly GeneratedOffer[] } {
  if (reservedNames.has(name))
    throw new WrongValue(`found the name ${show(name)}, wanted another: the service's own endpoints use it`)
  const session = readSession(name, raw)
  const offers: GeneratedOffer[] = session ? [session.offer] : []
  const routes = Object.entries(raw.routes).map(([route, form]): ProxiedRoute => {
    const charged = chargeOf(name, route, form)
    if (charged) offers.push(charged)
    const [method, pattern] = splitRoute(route)
    return {
      name: route,
      method,
      pattern,
      description: form === "free" ? undefined : form.description,
      price: charged
        ? { scope: charged.scope, cost: 1, takesPayments: true }
        : priceOf(name, form, session?.unit),
    }
  })
  return { service: { ...raw, name, baseUrl: readBaseUrl(raw.baseUrl), routes, ...optional(raw) }, offers }
}

const optional = ({ title, description, docs, bearer }: Raw) => ({ title, description, docs, bearer })

function splitRoute(route: string): readonly [ProxiedMethod | undefined, string] {
  const [first = "", second] = route.split(" ")
  return second === undefined ? [undefined, first] : [proxiedMethods.find((each) => each === first), second]
}

function chargeOf(service: string, route: string, form: RawRoute): GeneratedOffer | undefined {
  if (form === "free" || !("charge" in form)) return undefined
  const hash = hashOf(route)
  return {
    id: `${service}-${hash}`,
    scope: `${service}:${hash}`,
    durationSeconds: chargeSeconds,
    units: 1,
    value: undefined,
    amount: form.charge,
  }
}

const hashOf = (route: string): string => sha256(stringToBytes(route)).slice(2, 10)

function priceOf(service: string, form: RawRoute, unit: bigint | undefined): RoutePrice | null {
  if (form === "free") return null
  if ("scope" in form) return { scope: form.scope, cost: form.units, takesPayments: false }
  if (!("session" in form) || unit === undefined) throw new Error(`the service ${service} has no session`)
  const cost = Number(parseAmount(form.session.perCall, 6) / unit)
  return { scope: `${service}:session`, cost, takesPayments: false }
}

/**
 * The one offer of all session routes. Its unit is the largest amount that divides the deposit and every price, so no
 * price is rounded.
 */
function readSession(
  service: string,
  { routes }: Raw,
): { readonly offer: GeneratedOffer; readonly unit: bigint } | undefined {
  const sessions = Object.entries(routes).flatMap(([route, form]): (SessionTerms & { route: string })[] =>
    form !== "free" && "session" in form ? [{ ...form.session, route }] : [],
  )
  const [first] = sessions
  if (!first) return undefined
  const deposit = parseAmount(first.deposit, 6)
  let unit = deposit
  for (const { route, ...terms } of sessions) {
    const perCall = parseAmount(terms.perCall, 6)
    const place = `routes.${route}.session`
    if (parseAmount(terms.deposit, 6) !== deposit)
      throw new WrongValue(
        `${place}: found the deposit ${show(terms.deposit)}, wanted ${show(first.deposit)} as in the other sessions`,
      )
    if (perCall === 0n || perCall > deposit)
      throw new WrongValue(
        `${place}: found ${show(terms.perCall)} a call, wanted more than 0 and at most the deposit`,
      )
    unit = greatestDivisor(unit, perCall)
  }
  const units = Number(deposit / unit)
  if (units > mostUnits)
    throw new WrongValue(`routes: found ${units} units in a deposit, wanted at most ${mostUnits}`)
  const scope = `${service}:session`
  const { deposit: amount } = first
  return {
    unit,
    offer: {
      id: `${service}-session`,
      scope,
      durationSeconds: sessionSeconds,
      units,
      value: amount,
      amount,
    },
  }
}

const greatestDivisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : greatestDivisor(b, a % b))

/** The path of a base URL is a prefix, so a query or fragment would be lost. */
function readBaseUrl(text: string): string {
  const url = new URL(text)
  if (url.search || url.hash || url.username || url.password)
    throw new WrongValue(`baseUrl: found ${show(url.origin)} with more, wanted no query or credentials`)
  if (/[^A-Za-z0-9._~/-]|\/\//.test(url.pathname))
    throw new WrongValue(
      `baseUrl: found the path ${show(url.pathname)}, wanted plain segments without escapes`,
    )
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`
}

/** A route whose scope is not sold would be closed to all buyers. One line each. */
export function unsoldScopes(
  services: readonly ProxiedService[],
  scoped: readonly { readonly scope: string }[],
): readonly string[] {
  const scopes = scopesOf(scoped)
  return services.flatMap(({ name, routes }) =>
    routes.flatMap(({ name: route, price }) =>
      price === null || scopes.includes(price.scope)
        ? []
        : [
            `services.${name}.routes.${route}: found the scope ${show(price.scope)}, wanted one that an offer or the whitelist names${suggestName(price.scope, scopes)}`,
          ],
    ),
  )
}
