/**
 * A service in a process of its own, which is killed or starved of disk and started again on one database.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseConfig } from "../../server/config/config.ts"
import type { LocalChain } from "../support/chain/local-chain.ts"
import { freePort } from "../support/free-port.ts"
import { checkInvariants, checkLedger } from "../support/invariants.ts"
import { configInput, sepoliaId, storedIn } from "../support/offers.ts"
import { acceptedOf, randomAccount } from "../support/payments.ts"
import { eventually } from "../support/service.ts"
import type { ProcessOrder } from "../support/service-process.ts"
import { type ServiceProcess, type SpawnOptions, spawnService } from "../support/spawn-service.ts"
import { noteBooks } from "./books.ts"
import { audit, prepareSale, type Sale } from "./buyers.ts"
import type { Tally } from "./table.ts"

/** A sale, and the row of the fault under which it was made. */
export type Sold = { readonly sale: Sale; readonly tally: Tally }

export type Deployment = {
  readonly url: string
  readonly database: string
  /** Sales of accounts that hold the price. */
  prepareSales(count: number): Promise<readonly Sale[]>
  /** Starts the service, and checks its books while it begins to work. */
  start(tally: Tally, order?: Pick<ProcessOrder, "killAt" | "fullAt"> & SpawnOptions): Promise<ServiceProcess>
  /** Checks all sales and the books by a service without faults, and stops it. */
  audit(service: ServiceProcess, sold: readonly Sold[], books: Tally): Promise<void>
  close(): Promise<void>
}

const leaseSeconds = 1
const longestSeconds = 60

export async function prepareDeployment(chain: LocalChain): Promise<Deployment> {
  const folder = await mkdtemp(join(tmpdir(), "chaos-"))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const payTo = randomAccount().address
  const database = join(folder, "ticket402.db")
  const config = configInput({
    issuer: url,
    payTo,
    ...storedIn(folder),
    networks: { [sepoliaId]: { rpcUrls: [chain.rpcUrl] } },
    limits: { perPayer: "1000", newPayer: 1000, total: "1000", requestsPerPeer: 1_000_000 },
  })
  const [first] = parseConfig(config).offers
  if (!first) throw new Error("the configuration has no offer")
  const offer = { accepted: acceptedOf(first), url }

  return {
    url,
    database,
    prepareSales: (count) => Promise.all(Array.from({ length: count }, () => prepareSale(chain, offer))),

    async start(tally, { fileBytes, ...order } = {}) {
      const limits = fileBytes === undefined ? {} : { fileBytes }
      const service = await spawnService({ config, port, leaseSeconds, ...order }, limits)
      await chain.fund(service.relayer)
      for (const line of await checkLedger(database)) tally.flaw({ kind: "wrongVerdicts", line })
      return service
    },

    async audit(service, sold, books) {
      for (const { sale, tally } of sold) for (const flaw of await audit(url, sale)) tally.flaw(flaw)
      const readBooks = () => checkInvariants(database, chain, payTo)
      const findings = await eventually(readBooks, ({ open }) => open === 0, longestSeconds).catch(readBooks)
      await service.kill("SIGTERM")
      books.tried()
      noteBooks(books, findings)
      if (findings.paid !== sold.length)
        books.flaw({ kind: "wrongVerdicts", line: `${sold.length} sales, ${findings.paid} paid` })
    },

    close: () => rm(folder, { recursive: true, force: true }),
  }
}
