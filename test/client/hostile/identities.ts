/** Recipients, assets, networks, signing domains and methods other than the agreed ones. */

import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { zeroAddress } from "../../../shared/values/evm.ts"
import { film, type Scenario, watch } from "./scenario.ts"

type Entry = Record<string, unknown> & { extra?: Record<string, unknown> }

const dressed = (
  name: string,
  ends: string | number,
  change: (entry: Entry) => unknown,
  fair = 0n,
): Scenario => ({
  name,
  ends,
  fair,
  arrange: ({ seller }) => {
    seller.changeEntry = change as never
  },
})
const extra = (more: Record<string, unknown>) => (entry: Entry) => ({
  ...entry,
  extra: { ...entry.extra, ...more },
})
const member = (name: string, value: unknown) => (entry: Entry) => ({ ...entry, [name]: value })

export const identities: readonly Scenario[] = [
  dressed("the seller's own asset (CLI-08)", "asset_unknown", member("asset", `0x${"ab".repeat(20)}`)),
  dressed("the asset of another network", "asset_unknown", member("asset", baseSepolia.assets[0].address)),
  dressed("an asset by its name", "asset_unknown", member("asset", "USDC")),
  dressed("a network that is not allowed", "network_not_allowed", member("network", "eip155:1")),
  dressed("a network id with a leading zero", "network_not_allowed", member("network", "eip155:011155111")),
  dressed("a network by its v1 name", "network_not_allowed", member("network", "sepolia")),
  dressed("a network of another family", "network_not_allowed", member("network", "solana:mainnet")),
  dressed("payTo of zero", "pay_to_invalid", member("payTo", zeroAddress)),
  dressed("payTo as a name", "pay_to_invalid", member("payTo", "vitalik.eth")),
  dressed(
    "payTo with a wrong checksum",
    "pay_to_invalid",
    member("payTo", "0x209693bc6afc0C5328bA36FaF03C514EF312287C"),
  ),
  {
    name: "payTo of the payer",
    ends: "pay_to_invalid",
    arrange({ seller, payer }) {
      seller.changeEntry = (entry) => ({ ...entry, payTo: payer })
    },
  },
  {
    name: "another recipient than last time",
    ends: "recipient_changed",
    fair: 10_000n,
    async act(setting) {
      await watch(setting)
      setting.seller.grants.length = 0
      setting.clock.now += 10_000
      setting.seller.changeEntry = member("payTo", `0x${"77".repeat(20)}`) as never
      return watch(setting)
    },
  },
  dressed("a signing domain of another name (CLI-08)", "domain_mismatch", extra({ name: "Evil Coin" })),
  dressed("a signing domain of another version (CLI-08)", "domain_mismatch", extra({ version: "1" })),
  dressed("a domain name with a look-alike letter", "domain_mismatch", extra({ name: "USDС" })),
  dressed(
    "a foreign verifyingContract and chain id, which are ignored",
    200,
    extra({ verifyingContract: `0x${"66".repeat(20)}`, chainId: 1, salt: `0x${"00".repeat(32)}` }),
    10_000n,
  ),
  dressed(
    "Permit2 with a spender (CLI-09)",
    "transfer_method_unknown",
    extra({
      assetTransferMethod: "permit2",
      spender: `0x${"55".repeat(20)}`,
    }),
  ),
  dressed("an approval (CLI-09)", "transfer_method_unknown", extra({ assetTransferMethod: "approve" })),
  dressed("a scheme that signs a maximum (CLI-09)", "scheme_unknown", member("scheme", "upto")),
  dressed("a scheme name from the prototype", "scheme_unknown", member("scheme", "constructor")),
  dressed("an unknown payment flow", "payment_flow_unknown", extra({ paymentFlow: "escrow" })),
  dressed("an offer without terms", "offer_unlisted", extra({ offer: "other@00000000" })),
  dressed("an offer name from the prototype", "offer_unlisted", extra({ offer: "toString" })),
  {
    name: "a validity of thirty years (CLI-10)",
    ends: "600",
    fair: 10_000n,
    arrange({ seller }) {
      seller.changeEntry = member("maxTimeoutSeconds", 1_000_000_000) as never
    },
    async act({ client, seller, signed, clock }) {
      await client.fetch(film({ seller }))
      return Number(signed[0]?.validBefore) - clock.now
    },
  },
]
