import type { NetworkInfo } from "./network.ts"

export const base = {
  id: "eip155:8453",
  name: "Base",
  v1Name: "base",
  chainId: 8453,
  testnet: false,
  blockSeconds: 2,
  finalityBlocks: 1200,
  assets: [
    {
      symbol: "USDC",
      address: "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
      decimals: 6,
      eip712: { name: "USD Coin", version: "2" },
      currency: "USD",
    },
  ],
} as const satisfies NetworkInfo
