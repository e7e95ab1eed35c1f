/** Lists the known networks; adding one is a data file and a line here. */

import { base } from "./base.ts"
import { baseSepolia } from "./base-sepolia.ts"
import { ethereum } from "./ethereum.ts"
import type { NetworkInfo } from "./network.ts"
import { sepolia } from "./sepolia.ts"

const all: readonly NetworkInfo[] = [ethereum, sepolia, base, baseSepolia]

export const networks: ReadonlyMap<string, NetworkInfo> = new Map(all.map((network) => [network.id, network]))

/** The name by which people write a network down: `sepolia`, `base-sepolia`. */
const shortNameOf = ({ name }: NetworkInfo): string => name.toLowerCase().replaceAll(" ", "-")

const byShortName = new Map(all.map((network) => [shortNameOf(network), network]))

/** Finds a network by its CAIP-2 id or its short name. For configuration only: the wire has ids. */
export const findNetwork = (text: string): NetworkInfo | undefined =>
  networks.get(text) ?? byShortName.get(text)

/** The names that {@link findNetwork} knows, for an error message. */
export const networkChoices: string = all
  .map((network) => `${shortNameOf(network)} (${network.id})`)
  .join(", ")
