/** Lists the known networks; adding one is a data file and a line here. */

import { base } from "./base.ts"
import { baseSepolia } from "./base-sepolia.ts"
import { ethereum } from "./ethereum.ts"
import type { NetworkInfo } from "./network.ts"
import { sepolia } from "./sepolia.ts"

const all: readonly NetworkInfo[] = [ethereum, sepolia, base, baseSepolia]

export const networks: ReadonlyMap<string, NetworkInfo> = new Map(all.map((network) => [network.id, network]))
