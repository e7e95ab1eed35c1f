/** The verbs of the process that settles, on SQLite; each but `lease` proves by its fence that it still may. */
import type BetterSqlite3 from "better-sqlite3"
import type { Hex } from "../../../shared/values/evm.ts"
import { applyMove, type Redemption } from "../../core/redemption.ts"
import type { RelayTransaction } from "../../ports/records.ts"
import { Fenced } from "../../ports/store.ts"
import { evidenceTaken, leaseFor, noSuch, notAccepted, notInFlight, wrongNonce } from "../verbs/rules.ts"
import type {
  BookVerb,
  IntakeVerb,
  LedgerVerb,
  RevocationVerb,
  UnitVerb,
  Verbs,
  WhitelistVerb,
} from "../verbs/verb-list.ts"
import type { Records } from "./records.ts"
import { integer, type Row, redemptionFrom, text, transactionFrom, versionColumnsOf } from "./rows.ts"

type WorkerVerbs = Omit<Verbs, IntakeVerb | UnitVerb | LedgerVerb | RevocationVerb | WhitelistVerb | BookVerb>

export function createWorkerVerbs(db: BetterSqlite3.Database, records: Records): WorkerVerbs {
  const readLease = db.prepare<[], Row>("SELECT * FROM lease")
  const writeLease = db.prepare("UPDATE lease SET holder = ?, fence = ?, granted_at = ?, expires_at = ?")
  const dueRows = db.prepare<[string, number, number], Row>(`
    SELECT * FROM redemptions WHERE network = ? AND due_at IS NOT NULL AND due_at <= ?
    ORDER BY length(valid_before), valid_before, id LIMIT ?`)
  const minedRows = db.prepare<[string], Row>(
    "SELECT * FROM redemptions WHERE network = ? AND state = 'mined' ORDER BY id",
  )
  const paidBlockRows = db.prepare<[string, number], Row>(`
    SELECT DISTINCT block_number, block_hash FROM redemptions WHERE network = ? AND state = 'paid'
    ORDER BY block_number, block_hash LIMIT ?`)
  const paidRows = db.prepare<[string, bigint, string], Row>(`
    SELECT * FROM redemptions WHERE network = ? AND state = 'paid' AND block_number = ? AND block_hash = ?
    ORDER BY id`)
  const ridingRows = db.prepare<[number], Row>(
    "SELECT * FROM redemptions WHERE transaction_id = ? ORDER BY id",
  )
  const evidenceRows = db.prepare<[string, string, number, string], Row>(
    "SELECT 1 FROM redemptions WHERE network = ? AND transaction_hash = ? AND log_index = ? AND key <> ?",
  )
  const readNonce = db.prepare<[string, string], Row>(
    "SELECT next FROM nonces WHERE network = ? AND relayer = ?",
  )
  const writeNonce = db.prepare(`
    INSERT INTO nonces (network, relayer, next) VALUES (?, ?, ?)
    ON CONFLICT (network, relayer) DO UPDATE SET next = excluded.next`)
  const transactionById = db.prepare<[number], Row>("SELECT * FROM transactions WHERE id = ?")
  const openTransactions = db.prepare<[string], Row>(`
    SELECT * FROM transactions WHERE network = ? AND state IN ('signed', 'broadcast') ORDER BY nonce, id`)
  const transactionByNonce = db.prepare<[string, string, number], Row>(
    "SELECT * FROM transactions WHERE network = ? AND relayer = ? AND nonce = ?",
  )
  const insertTransaction = db.prepare(`
    INSERT INTO transactions (network, relayer, nonce, state, recipient, data, gas, stored_at)
    VALUES (?, ?, ?, 'signed', ?, ?, ?, ?)`)
  const versionRows = db.prepare<[number], Row>("SELECT * FROM versions WHERE transaction_id = ? ORDER BY id")
  const insertVersion = db.prepare(`
    INSERT INTO versions (transaction_id, hash, raw, max_fee, max_priority_fee)
    VALUES (:transaction_id, :hash, :raw, :max_fee, :max_priority_fee)`)
  const insertRide = db.prepare("INSERT INTO rides (redemption_key, transaction_id) VALUES (?, ?)")
  const renew = db.prepare(
    "UPDATE transactions SET recipient = ?, data = ?, gas = ?, stored_at = ? WHERE id = ?",
  )
  const setBroadcast = db.prepare("UPDATE transactions SET state = 'broadcast', sent_at = ? WHERE id = ?")
  const setDone = db.prepare("UPDATE transactions SET state = 'done' WHERE id = ?")
  const reopen = db.prepare("UPDATE transactions SET state = 'broadcast', stored_at = ? WHERE id = ?")

  /** Throws unless the fence is of the newest lease. Fence 0 was never given out. */
  function hold(fence: number): void {
    if (fence === 0 || integer(readLease.get()?.fence) !== fence) throw new Fenced()
  }

  function transaction(id: number): RelayTransaction {
    const row = transactionById.get(id)
    if (!row) throw noSuch("transaction", id)
    return transactionFrom(row, versionRows.all(id))
  }

  function transactionInFlight(id: number): RelayTransaction {
    const found = transaction(id)
    if (found.state === "done") throw notInFlight(id)
    return found
  }

  function redemption(key: string): Redemption {
    const found = records.redemption(key)
    if (!found) throw noSuch("redemption", key)
    return found
  }

  function nextOf(network: string, relayer: string): number | undefined {
    const row = readNonce.get(network, relayer)
    return row && integer(row.next)
  }

  /** Whether the Transfer that would pay for this row already pays for another. */
  function isEvidenceOfOther({ key, network, evidence }: Redemption): boolean {
    if (!evidence) return false
    return evidenceRows.get(network, evidence.transactionHash, evidence.logIndex, key) !== undefined
  }

  return {
    lease(request) {
      const row = readLease.get()
      const current = row && {
        holder: text(row.holder),
        fence: integer(row.fence),
        grantedAt: integer(row.granted_at),
        expiresAt: integer(row.expires_at),
      }
      const lease = leaseFor(current, request)
      if (lease) writeLease.run(lease.holder, lease.fence, lease.grantedAt, lease.expiresAt)
      return lease && { fence: lease.fence }
    },

    release({ fence }) {
      hold(fence)
      writeLease.run("", fence, 0, 0)
    },

    due({ fence, network, now, limit }) {
      hold(fence)
      return dueRows.all(network, now, limit).map(redemptionFrom)
    },

    nextNonce({ fence, network, relayer, chainNonce }) {
      hold(fence)
      const before = nextOf(network, relayer)
      const nonce = Math.max(before ?? 0, chainNonce)
      writeNonce.run(network, relayer, nonce)
      return { nonce, skipped: nonce - (before ?? nonce) }
    },

    prepare({ fence, network, relayer, nonce, to, data, gas, version, redemptions, now }) {
      hold(fence)
      const next = nextOf(network, relayer) ?? 0
      const fills =
        nonce < next && redemptions.length === 0 && !transactionByNonce.get(network, relayer, nonce)
      if (nonce !== next && !fills) throw wrongNonce(nonce, next)
      if (!fills) writeNonce.run(network, relayer, next + 1)
      const { lastInsertRowid } = insertTransaction.run(
        network,
        relayer,
        nonce,
        to,
        data,
        gas.toString(),
        now,
      )
      const id = Number(lastInsertRowid)
      insertVersion.run(versionColumnsOf(id, version))
      for (const key of redemptions) {
        const row = redemption(key)
        if (row.network !== network) throw noSuch(`redemption on ${network}`, key)
        if (row.state !== "accepted") throw notAccepted(row)
        records.saveRedemption(row, { ...row, state: "sent", dueAt: null, transactionId: id }, now)
        insertRide.run(key, id)
      }
      return transaction(id)
    },

    replace({ fence, transactionId, version, call, now }) {
      hold(fence)
      const { id, ...before } = transactionInFlight(transactionId)
      const { to, data, gas } = call ?? before
      insertVersion.run(versionColumnsOf(id, version))
      renew.run(to, data, gas.toString(), now, id)
    },

    broadcast({ fence, transactionId, now }) {
      hold(fence)
      setBroadcast.run(now, transactionInFlight(transactionId).id)
    },

    inFlight({ fence, network }) {
      hold(fence)
      return openTransactions.all(network).map((row) => {
        const id = integer(row.id)
        return {
          transaction: transactionFrom(row, versionRows.all(id)),
          redemptions: ridingRows.all(id).map(redemptionFrom),
        }
      })
    },

    transactionAt({ fence, network, relayer, nonce }) {
      hold(fence)
      const row = transactionByNonce.get(network, relayer, nonce)
      return row ? transactionFrom(row, versionRows.all(integer(row.id))) : null
    },

    mined({ fence, network }) {
      hold(fence)
      return minedRows.all(network).map(redemptionFrom)
    },

    paidBlocks({ fence, network, limit }) {
      hold(fence)
      return paidBlockRows.all(network, limit).map((row) => ({
        blockNumber: BigInt(integer(row.block_number)),
        blockHash: text<Hex>(row.block_hash),
      }))
    },

    paidIn({ fence, network, blockNumber, blockHash }) {
      hold(fence)
      return paidRows.all(network, blockNumber, blockHash).map(redemptionFrom)
    },

    conclude({ fence, done, reopened, moves, now }) {
      hold(fence)
      if (done !== undefined) setDone.run(transaction(done).id)
      if (reopened !== undefined) reopen.run(now, transaction(reopened).id)
      for (const { key, move } of moves) {
        const before = redemption(key)
        const effect = applyMove(before, move)
        if (isEvidenceOfOther(effect.redemption)) throw evidenceTaken()
        records.saveRedemption(before, effect.redemption, now)
        records.bookMove(before, effect, now)
      }
    },
  }
}
