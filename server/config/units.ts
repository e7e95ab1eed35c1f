/** Reads the units of a configuration: the number in an offer, the value of one, and the costs of routes. */
import { z } from "zod"
import { AmountError, parseAmount } from "../../shared/values/amount.ts"
import { mostUnits } from "../core/units.ts"

const money = z.string().regex(/^[0-9.]{1,80}$/, 'wanted a decimal string such as "0.05"')
const units = z.number().int().min(1).max(mostUnits)

export const callsSchema = units.optional()
export const valueSchema = money.optional()
export const unitValueSchema = money.optional()
export const costsSchema = z.record(
  z.string().regex(/^[A-Z]+ \/[^\s?#:*]*$/, 'wanted a method and a path such as "GET /movies/{id}"'),
  z.union([units, money], { error: 'wanted units such as 5, or money such as "0.05"' }),
)

type Raw = {
  readonly unitValue?: string | undefined
  readonly costs: Readonly<Record<string, number | string>>
  readonly offers: readonly { readonly calls?: number | undefined; readonly value?: string | undefined }[]
}

export type UnitsConfig = {
  /** Units by route, such as `POST /movies`. */
  readonly costs: Readonly<Record<string, number>>
  /** The units of each offer, in order; null for an offer that only time ends. */
  readonly sold: readonly (number | null)[]
  /** One line each. */
  readonly problems: readonly string[]
}

export function readUnits(raw: Raw): UnitsConfig {
  const problems: string[] = []

  function worth(key: string, text: string): bigint {
    try {
      return parseAmount(text, 6)
    } catch (error) {
      if (!(error instanceof AmountError)) throw error
      problems.push(`${key}: ${error.message}`)
      return 0n
    }
  }

  const unit = raw.unitValue === undefined ? undefined : worth("unitValue", raw.unitValue)
  if (unit === 0n && problems.length === 0) problems.push("unitValue: found 0, wanted more")

  /** Never rounds: a buyer would get fewer units than promised, or a call would cost more. */
  function unitsOf(key: string, text: string): number {
    const value = worth(key, text)
    if (unit === undefined)
      problems.push(`${key}: found money, wanted "unitValue" to say what a unit is worth`)
    if (!unit || problems.length > 0) return 1
    const count = value / unit
    if (value % unit !== 0n || count === 0n || count > BigInt(mostUnits))
      problems.push(
        `${key}: found ${JSON.stringify(text)}, wanted a multiple of "unitValue", ${raw.unitValue}`,
      )
    return Number(count)
  }

  const sold = raw.offers.map(({ calls, value }, index) => {
    if (calls !== undefined && value !== undefined)
      problems.push(`offers.${index}: found "calls" and "value", wanted one of them`)
    return value === undefined ? (calls ?? null) : unitsOf(`offers.${index}.value`, value)
  })
  const costs = Object.fromEntries(
    Object.entries(raw.costs).map(([route, cost]) => [
      route,
      typeof cost === "number" ? cost : unitsOf(`costs.${route}`, cost),
    ]),
  )
  return { costs, sold, problems }
}
