/** Reads the networks of a configuration: nodes, request limits and the price of the native coin. */
import { z } from "zod"
import { findNetwork, networkChoices } from "../../shared/networks/index.ts"
import { AmountError, parseAmount } from "../../shared/values/amount.ts"

export const networkShape = z.strictObject({
  rpcUrls: z
    .array(z.url({ protocol: /^https?$/, error: "wanted an http(s) URL" }), {
      error: 'wanted a list of URLs, such as ["https://node.example"]',
    })
    .min(1)
    .max(8),
  confirmations: z.number().int().min(1).max(1000).default(1),
  requestsPerSecond: z.number().int().min(1).max(1_000_000).default(2000),
  nativePrice: z
    .string()
    .regex(/^[0-9.]{1,80}$/, 'wanted a decimal string such as "3000"')
    .optional(),
  logBlocks: z.number().int().min(1).max(1_000_000).default(5000).transform(BigInt),
  startBlock: z.number().int().min(0).transform(BigInt).optional(),
})

export const networksSchema = z.record(z.string(), networkShape)

export type NetworkConfig = Omit<z.output<typeof networkShape>, "nativePrice"> & {
  /** Of one native coin, in millionths of the currency. */
  readonly nativePrice: bigint | undefined
}

/** Returns the networks by CAIP-2 id, whether they were given by id or by name, and their problems, one line each. */
export function readNetworks(raw: z.output<typeof networksSchema>): {
  readonly networks: Readonly<Record<string, NetworkConfig>>
  readonly problems: readonly string[]
} {
  const problems: string[] = []
  const read = Object.entries(raw).map(([name, network]) => {
    const id = findNetwork(name)?.id
    if (id === undefined)
      problems.push(`networks: found ${JSON.stringify(name)}, wanted one of ${networkChoices}`)
    else if (id !== name && id in raw) problems.push(`networks: found ${id} twice, wanted each once`)
    // The same node twice would agree with itself.
    if (new Set(network.rpcUrls).size < network.rpcUrls.length)
      problems.push(`networks.${name}.rpcUrls: found one twice, wanted each once`)
    const nativePrice = readPrice(network.nativePrice, (problem) =>
      problems.push(`networks.${name}.nativePrice: ${problem}`),
    )
    return [id ?? name, { ...network, nativePrice }] as const
  })
  return { networks: Object.fromEntries(read), problems }
}

function readPrice(text: string | undefined, report: (problem: string) => void): bigint | undefined {
  if (text === undefined) return undefined
  try {
    const price = parseAmount(text, 6)
    if (price > 0n) return price
    report("found 0, wanted what one coin costs")
  } catch (error) {
    if (!(error instanceof AmountError)) throw error
    report(error.message)
  }
  return undefined
}
