/** Grants, renews and releases the settlement lease, and checks its fence. */
import { Fenced } from "../../ports/store.ts"
import { integer, text } from "../records/columns.ts"
import type { Rows } from "../records/rows.ts"

export const leaseQueries = {
  read: "SELECT * FROM lease",
  write:
    "UPDATE lease SET holder = :holder, fence = :fence, granted_at = :grantedAt, expires_at = :expiresAt",
}
const q = leaseQueries

type Lease = {
  readonly holder: string
  readonly fence: number
  readonly grantedAt: number
  readonly expiresAt: number
}

export async function lease(
  rows: Rows,
  request: { holder: string; seconds: number; now: number },
): Promise<{ fence: number } | null> {
  const given = leaseFor(await readLease(rows), request)
  if (given) await rows.run(q.write, given)
  return given && { fence: given.fence }
}

export async function release(rows: Rows, { fence }: { fence: number }): Promise<void> {
  await requireFence(rows, fence)
  await rows.run(q.write, { holder: "", fence, grantedAt: 0, expiresAt: 0 })
}

/** Throws unless the fence is of the newest lease. Fence 0 was never given out. */
export async function requireFence(rows: Rows, fence: number): Promise<void> {
  if (fence === 0 || (await readLease(rows)).fence !== fence) throw new Fenced()
}

async function readLease(rows: Rows): Promise<Lease> {
  const row = await rows.get(q.read)
  return {
    holder: text(row?.holder),
    fence: integer(row?.fence),
    grantedAt: integer(row?.granted_at),
    expiresAt: integer(row?.expires_at),
  }
}

/** The lease as the caller will hold it, or null while it is another's. */
function leaseFor(
  current: Lease,
  { holder, seconds, now }: { holder: string; seconds: number; now: number },
): Lease | null {
  const term = { grantedAt: now, expiresAt: now + seconds }
  if (now < current.expiresAt && current.holder === holder) return { ...current, ...term }
  if (isAlive(current, now)) return null
  return { holder, fence: current.fence + 1, ...term }
}

/** Whether a lease keeps others out. */
function isAlive({ grantedAt, expiresAt }: Lease, now: number): boolean {
  // Granted further in the future than processes that wait for each other differ: the clock was set back.
  const setBack = grantedAt - now > expiresAt - grantedAt
  return now < expiresAt && !setBack
}
