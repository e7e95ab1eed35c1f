import type { NetworkInfo } from "./network.ts"

export const baseSepolia = {
  id: "eip155:84532",
  name: "Base Sepolia",
  v1Name: "base-sepolia",
  chainId: 84532,
  testnet: true,
  blockSeconds: 2,
  finalityBlocks: 1200,
  assets: [
    {
      symbol: "USDC",
      address: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
      decimals: 6,
      eip712: { name: "USDC", version: "2" },
      currency: "USD",
    },
  ],
} as const satisfies NetworkInfo
