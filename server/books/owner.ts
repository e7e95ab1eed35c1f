/** Checks that books belong to the service that opens them. */
import type { BooksIdentity } from "../ports/records.ts"
import { StoreFileError } from "../ports/store.ts"

/**
 * Throws {@link StoreFileError}, with both named. Two services on the same books would accept each other's tokens, and
 * processes with other keys refuse their own. Books without an owner are taken by the first start.
 */
export function requireOwnBooks(
  place: string,
  known: BooksIdentity | null,
  { issuer, ring }: Pick<BooksIdentity, "issuer" | "ring">,
): void {
  if (known && known.issuer !== issuer)
    throw new StoreFileError(`${place}: found the books of ${known.issuer}, wanted those of ${issuer}`)
  if (known && known.ring !== ring)
    throw new StoreFileError(
      `${place}: found the books of the keys ${known.ring}, wanted those of ${ring || "a folder without keys"}; use the folder of keys that these books were made with`,
    )
}
