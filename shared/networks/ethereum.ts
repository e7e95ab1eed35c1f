import type { NetworkInfo } from "./network.ts"

export const ethereum = {
  id: "eip155:1",
  name: "Ethereum",
  chainId: 1,
  testnet: false,
  blockSeconds: 12,
  finalityBlocks: 96,
  assets: [
    {
      symbol: "USDC",
      address: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
      decimals: 6,
      eip712: { name: "USD Coin", version: "2" },
      currency: "USD",
    },
  ],
} as const satisfies NetworkInfo
