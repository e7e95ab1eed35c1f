/** The migrations in their order; adding one is a file and a line here. */
import { migration as books } from "./0001-books.ts"
import { migration as rotations } from "./0002-rotations.ts"
import { migration as failedTries } from "./0003-failed-tries.ts"
import { migration as identity } from "./0004-identity.ts"
import { migration as failedPayers } from "./0005-failed-payers.ts"
import { migration as keyRing } from "./0006-key-ring.ts"
import { migration as ledgerReaders } from "./0007-ledger-readers.ts"
import { migration as suspended } from "./0008-suspended.ts"
import { migration as instances } from "./0009-instances.ts"
import type { Migration } from "./migration.ts"

export const migrations: readonly Migration[] = [
  books,
  rotations,
  failedTries,
  identity,
  failedPayers,
  keyRing,
  ledgerReaders,
  suspended,
  instances,
]
