/** Keeps the encrypted key ring. */
import { integer, text } from "../records/columns.ts"
import type { Rows } from "../records/rows.ts"

export const keyRingQueries = {
  read: "SELECT number, sealed FROM key_ring",
  replace: "UPDATE key_ring SET number = number + 1, sealed = :sealed WHERE number = :known",
}
const q = keyRingQueries

export async function keyRing(rows: Rows): Promise<{ number: number; sealed: string | null }> {
  const row = await rows.get(q.read)
  return { number: integer(row?.number), sealed: row?.sealed == null ? null : text(row.sealed) }
}

export async function replaceKeyRing(
  rows: Rows,
  { known, sealed }: { known: number; sealed: string },
): Promise<boolean> {
  return (await rows.run(q.replace, { known, sealed })) === 1
}
