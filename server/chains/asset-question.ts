/** Asks a node about an asset's contract: its domain, its switches and the code that answers. */
import { keccak256 } from "viem"
import { pausedSelector } from "../../shared/schemes/erc20.ts"
import { type Address, type Hex, lowerAddress } from "../../shared/values/evm.ts"
import type { AssetReading } from "../core/asset-state.ts"
import type { AssetQuery } from "../ports/chain.ts"
import { hexOf } from "./answers.ts"
import type { RpcClient } from "./json-rpc.ts"
import { isRefusal } from "./node-errors.ts"
import type { Question } from "./nodes.ts"
import { domainSeparatorOf } from "./questions.ts"

/** A function of Circle's FiatToken. An asset without it blocks nobody. */
const isBlacklistedCall = "0xfe575a87"
/** Storage slots of a proxy's implementation: ZeppelinOS, which Circle uses, and ERC-1967. */
const implementationSlots = [
  "0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3",
  "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc",
] as const

export const readAsset =
  ({ asset, accounts }: AssetQuery): Question<AssetReading> =>
  async (client) => {
    const [domain, paused, blocked, code, ...implementations] = await Promise.all([
      domainSeparatorOf(asset)(client),
      isTrue(client, asset, pausedSelector),
      Promise.all(accounts.map((account) => isTrue(client, asset, blacklistCall(account)))),
      client.request("eth_getCode", [asset, "latest"]),
      ...implementationSlots.map((slot) => client.request("eth_getStorageAt", [asset, slot, "latest"])),
    ])
    return {
      value: {
        domainSeparator: domain.value,
        paused,
        blocked: accounts.filter((_, at) => blocked[at]).map(lowerAddress),
        code: keccak256(`0x${[code, ...implementations].map((part) => hexOf(part).slice(2)).join("")}`),
      },
    }
  }

const blacklistCall = (account: Address): Hex => `${isBlacklistedCall}${account.slice(2).padStart(64, "0")}`

/** False for a contract that refuses the call, because it does not have the function. */
async function isTrue(client: RpcClient, to: Address, data: Hex): Promise<boolean> {
  try {
    const word = hexOf(await client.request("eth_call", [{ to, data }, "latest"]))
    return /^0x0{63}1$/.test(word)
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}
