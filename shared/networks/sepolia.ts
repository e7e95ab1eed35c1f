import type { NetworkInfo } from "./network.ts"

export const sepolia = {
  id: "eip155:11155111",
  name: "Sepolia",
  chainId: 11155111,
  testnet: true,
  blockSeconds: 12,
  finalityBlocks: 96,
  assets: [
    {
      symbol: "USDC",
      address: "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238",
      decimals: 6,
      eip712: { name: "USDC", version: "2" },
      currency: "USD",
    },
  ],
} as const satisfies NetworkInfo
