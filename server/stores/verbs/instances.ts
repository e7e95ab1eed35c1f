/** Records which instances run: a crashed one is found by its silence. */
import { silentSince } from "../../core/instances.ts"
import type { Rows } from "../records/rows.ts"

export const instanceQueries = {
  beat: `
    INSERT INTO instances (id, seen_at) VALUES (:id, :now) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`,
  forget: "DELETE FROM instances WHERE seen_at < :since",
  leave: "DELETE FROM instances WHERE id = :id",
  other: "SELECT id FROM instances WHERE id <> :id AND seen_at >= :since LIMIT 1",
}
const q = instanceQueries

export async function beat(rows: Rows, { id, now }: { id: string; now: number }): Promise<void> {
  await rows.run(q.forget, { since: silentSince(now) })
  await rows.run(q.beat, { id, now })
}

export async function leave(rows: Rows, { id }: { id: string }): Promise<void> {
  await rows.run(q.leave, { id })
}

/** Whether another instance runs. */
export const runsBeside = async (rows: Rows, id: string, now: number): Promise<boolean> =>
  (await rows.get(q.other, { id, since: silentSince(now) })) !== undefined
