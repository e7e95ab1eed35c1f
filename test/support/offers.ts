/** Offers and configurations for tests. */
import { join } from "node:path"
import type { ConfigInput } from "../../server/config/config.ts"

export const payTo = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
export const sepoliaId = "eip155:11155111"

/** The paths of a service's database and keys in a folder. */
export const storedIn = (folder: string) => ({
  database: `sqlite:${join(folder, "ticket402.db")}`,
  keys: join(folder, "keys"),
  relayer: { privateKeyFile: join(folder, "relayer.key") },
})

/** A complete configuration with the changes of a test. */
export const configInput = (changes: Partial<ConfigInput> = {}): ConfigInput => ({
  issuer: "http://127.0.0.1:8402",
  payTo,
  networks: { [sepoliaId]: { rpcUrls: ["http://127.0.0.1:8545"] } },
  offers: [
    {
      id: "hour",
      scope: "movies:read",
      durationSeconds: 3600,
      prices: [{ network: sepoliaId, asset: "USDC", amount: "0.01" }],
    },
  ],
  logLevel: "silent",
  ...changes,
})

/** An offer whose price comes from a function. */
export const pricedByFunction = (id: string, scope: string) => ({
  id,
  scope,
  durationSeconds: 3600,
  prices: [{ network: sepoliaId, asset: "USDC" }],
})
