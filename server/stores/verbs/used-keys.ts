/** Uses up keys that may be shown once, such as those of proofs of possession. */
import type { Rows } from "../records/rows.ts"

export const usedKeyQueries = {
  forget: "DELETE FROM used_keys WHERE until < :now",
  isUsed: "SELECT 1 FROM used_keys WHERE used = :key",
  // A count would look at every row; rows come and go in about this order.
  span: "SELECT (SELECT max(id) FROM used_keys) - (SELECT min(id) FROM used_keys) + 1 AS span",
  add: "INSERT INTO used_keys (used, until) VALUES (:key, :until)",
}
const q = usedKeyQueries

/** How many used keys are remembered: proofs of a minute, at 4,000 a second. */
const usedKeysLimit = 2 ** 18

export async function useOnce(
  rows: Rows,
  { key, until, now }: { key: string; until: number; now: number },
): Promise<"taken" | "used" | "full"> {
  await rows.run(q.forget, { now })
  if (await rows.get(q.isUsed, { key })) return "used"
  if (Number((await rows.get(q.span))?.span ?? 0) >= usedKeysLimit) return "full"
  await rows.run(q.add, { key, until })
  return "taken"
}
