import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createFileStore } from "../../client/node/file-store.ts"
import { createMemoryStore } from "../../client/wallet/memory-store.ts"
import { clientStoreContract } from "./client-store.ts"

clientStoreContract("memory", async () => {
  const store = createMemoryStore()
  return { one: store, two: store, close: async () => {} }
})

clientStoreContract("file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "store-"))
  const file = join(folder, "store.db")
  const [one, two] = await Promise.all([createFileStore({ file }), createFileStore({ file })])
  return {
    one,
    two,
    close: async () => {
      one.close()
      two.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
})
