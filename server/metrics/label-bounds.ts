/** Bounds the values of every label: each comes from the code, from the configuration, or is one of the first few. */
import { networks } from "../../shared/networks/index.ts"
import { gateRefusals, refusals } from "../../shared/refusals.ts"
import { lowerAddress } from "../../shared/values/evm.ts"
import { otherValue } from "../core/metrics.ts"
import type { LabelBounds } from "./registry.ts"

/** Routes shown by name. Routers mounted under changing paths have patterns without end. */
const mostRoutes = 200

/** Values that only the code of the service sets. */
const own = (value: string): string => value

/** `offers`: the ids of the configuration. */
export function createLabelBounds(offers: readonly string[]): LabelBounds {
  const known = [...networks.values()]
  return {
    offer: oneOf(offers),
    network: oneOf(known.map(({ id }) => id)),
    asset: oneOf(known.flatMap(({ assets }) => assets.map(({ address }) => lowerAddress(address)))),
    reason: oneOf([...Object.keys(gateRefusals), ...Object.keys(refusals)]),
    route: firstOf(mostRoutes),
    status: own,
    outcome: own,
    node: own,
    method: own,
    verb: own,
    kind: own,
    state: own,
    limit: own,
    paid: own,
  }
}

function oneOf(values: readonly string[]): (value: string) => string {
  const known = new Set(values)
  return (value) => (known.has(value) ? value : otherValue)
}

function firstOf(most: number): (value: string) => string {
  const known = new Set<string>()
  return (value) => {
    // The pattern of a call that reverse proxies ask about is not known.
    if (known.size < most && value !== "") known.add(value)
    return known.has(value) ? value : otherValue
  }
}
