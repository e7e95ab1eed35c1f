/** Reads the options of the client; an error names the wrong option. */
import { findNetwork, networkChoices } from "../../shared/networks/index.ts"
import type { NetworkInfo } from "../../shared/networks/network.ts"
import { AmountError } from "../../shared/values/amount.ts"
import { type Address, parseAddress } from "../../shared/values/evm.ts"
import type { Limits } from "../core/budget-rules.ts"
import { parseMicros } from "../core/budget-rules.ts"
import type { CallPlans } from "../core/call.ts"
import { Ticket402Error } from "../core/errors.ts"
import { requireKnown } from "../core/option-names.ts"
import { insecure, isOrigin, isPrivateEnough, type PlaceRules, parseUrl } from "../core/origins.ts"
import type { Policy } from "../core/policy.ts"
import { allowNames, budgetNames, clientNames } from "./option-lists.ts"
import type { ClientOptions } from "./options.ts"

/** A billion dollars: a higher limit is most likely a mistake of the unit. */
const mostMicros = parseMicros("1000000000")

/** The rules among the options, as the modules that apply them need them. */
export type Settings = {
  readonly limits: Limits
  readonly policy: Policy
  readonly places: PlaceRules
  /** Millionths of the currency. */
  readonly approveAbove: bigint
  readonly expectedCalls: number
}

/** Throws a {@link Ticket402Error} `option_invalid` that names the option. */
export function settingsOf(options: ClientOptions): Settings {
  requireKnown(options, clientNames)
  requireKnown(options.budget, budgetNames, "budget.")
  requireKnown(options.allow, allowNames, "allow.")
  const { budget, approve, expectedCalls = 1 } = options
  const payer = parseAddress(options.account?.address ?? "")
  if (!payer) throw wrong("account", "no address", "an account with an address")
  const limits = limitsOf(budget)
  if (budget.approveAbove !== undefined && !approve)
    throw wrong("approve", "none", "somebody to ask above budget.approveAbove")
  requireCount(expectedCalls)
  if (options.resendSeconds !== undefined) requirePositive("resendSeconds", options.resendSeconds)
  if (options.timeoutMs !== undefined) requirePositive("timeoutMs", options.timeoutMs)
  const allowInsecureHttp = options.allowInsecureHttp === true
  const networks = allowedNetworks(options.networks)
  return {
    limits,
    policy: {
      payer,
      networks,
      perPurchase: limits.perPurchase,
      ...allowances(options.allow ?? {}, networks),
      canApprove: approve !== undefined,
    },
    places: {
      allowInsecureHttp,
      tokenEndpoints: tokenEndpoints(options.tokenEndpoints ?? [], allowInsecureHttp),
    },
    approveAbove: budget.approveAbove === undefined ? 0n : limit("approveAbove", budget.approveAbove),
    expectedCalls,
  }
}

/** A recipient as an option or a call names it. */
export function recipientOf(origin: string, payTo: string): Address {
  const address = parseAddress(payTo)
  if (!address || !isOrigin(origin))
    throw wrong("recipient", `${origin} ${payTo}`, "an origin and an address")
  return address
}

/** Checks the plans of a call. */
export function requirePlans(plans: CallPlans | undefined): void {
  requireKnown(plans, { expectedCalls: true })
  if (plans?.expectedCalls !== undefined) requireCount(plans.expectedCalls)
}

function requireCount(expectedCalls: number): void {
  if (!(Number.isSafeInteger(expectedCalls) && expectedCalls > 0))
    throw wrong("expectedCalls", String(expectedCalls), "a positive whole number")
}

function allowances(
  { origins, assets, recipients }: NonNullable<ClientOptions["allow"]>,
  networks: ReadonlyMap<string, NetworkInfo>,
): Pick<Policy, "origins" | "assets" | "payTos"> {
  const known = [...networks.values()].flatMap((network) => network.assets)
  const each = <T>(
    name: string,
    texts: readonly string[] | undefined,
    read: (text: string) => T[],
    wanted: string,
  ) =>
    texts &&
    new Set(
      texts.flatMap((text) => {
        const found = read(text)
        if (found.length === 0) throw wrong(`allow.${name}`, text, wanted)
        return found
      }),
    )
  return {
    origins: each(
      "origins",
      origins,
      (text) => (isOrigin(text) ? [text] : []),
      "an origin such as https://api.example.com",
    ),
    assets: each(
      "assets",
      assets,
      (text) => known.filter(({ symbol }) => symbol === text),
      known.map(({ symbol }) => symbol).join(" or "),
    ),
    payTos: each("recipients", recipients, (text) => [parseAddress(text) ?? []].flat(), "an address"),
  }
}

function allowedNetworks(ids: readonly string[]): ReadonlyMap<string, NetworkInfo> {
  if (!Array.isArray(ids) || ids.length === 0) throw wrong("networks", "none", networkChoices)
  return new Map(
    ids.map((id) => {
      const network = findNetwork(id)
      if (!network) throw wrong("networks", String(id), networkChoices)
      return [network.id, network]
    }),
  )
}

function tokenEndpoints(texts: readonly string[], allowInsecureHttp: boolean): ReadonlySet<string> {
  return new Set(
    texts.map((text) => {
      const url = parseUrl(text)
      if (!url) throw wrong("tokenEndpoints", text, "absolute URLs")
      if (!isPrivateEnough(url, allowInsecureHttp)) throw insecure(url)
      return url.href
    }),
  )
}

function limitsOf(budget: ClientOptions["budget"]): Limits {
  const optional = (name: Exclude<keyof Limits, "perPurchase" | "perDay">): bigint | undefined =>
    budget[name] === undefined ? undefined : limit(name, budget[name])
  return {
    perPurchase: limit("perPurchase", budget?.perPurchase),
    perDay: limit("perDay", budget?.perDay),
    perOriginPerDay: optional("perOriginPerDay"),
    perOrigin: optional("perOrigin"),
    perOffer: optional("perOffer"),
    total: optional("total"),
  }
}

function limit(name: string, text: unknown): bigint {
  try {
    const micros = typeof text === "string" ? parseMicros(text) : undefined
    if (micros !== undefined && micros <= mostMicros) return micros
  } catch (error) {
    if (!(error instanceof AmountError)) throw error
  }
  throw wrong(`budget.${name}`, JSON.stringify(text) ?? "nothing", 'a decimal string such as "0.05"')
}

function requirePositive(name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) throw wrong(name, String(value), "a positive number")
}

const wrong = (option: string, found: string, wanted: string): Ticket402Error =>
  new Ticket402Error("option_invalid", `The option ${option} is wrong.`, { found, wanted })
