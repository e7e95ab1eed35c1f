/** Recognises recipients from which nobody can ever move the money: known contracts, precompiles, burn addresses. */
import { networks } from "../../shared/networks/index.ts"
import { type Address, lowerAddress } from "../../shared/values/evm.ts"
import { aggregators } from "./batch.ts"

const assets = [...networks.values()].flatMap((network) =>
  network.assets.map(({ symbol, address }) => ({
    address,
    name: `the contract of ${symbol} on ${network.name}`,
  })),
)
const batchers = aggregators.map(({ address }) => ({ address, name: "a contract that batches calls" }))
const contracts = new Map([...assets, ...batchers].map(({ address, name }) => [lowerAddress(address), name]))

/** Precompiles have the lowest numbers; the other spellings are customs of people who burn. */
const burned = /^0x(?:0{36}[0-9a-f]{4}|dead0{36}|(?:dead){10}|e{40}|f{40})$/

/** Describes the recipient; undefined for an address that may be somebody's. */
export const lostRecipientAt = (address: Address): string | undefined =>
  contracts.get(lowerAddress(address)) ??
  (burned.test(lowerAddress(address)) ? "an address that nobody controls" : undefined)
