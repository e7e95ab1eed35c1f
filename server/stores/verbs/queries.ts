/** Every statement of the verbs, for engines and tests that look at all of them. */
import { exposureQueries } from "../records/exposure.ts"
import { failedTryQueries } from "../records/failed-tries.ts"
import { grantQueries } from "../records/grants.ts"
import { ledgerQueries } from "../records/ledger.ts"
import { moveQueries } from "../records/moves.ts"
import { redemptionQueries } from "../records/redemptions.ts"
import { stopQueries } from "../records/stops.ts"
import { transactionQueries } from "../records/transactions.ts"
import { memberQueries } from "../records/whitelist.ts"
import { admissionQueries } from "./admission.ts"
import { bookQueries } from "./books.ts"
import { catchUpQueries } from "./catch-up.ts"
import { claimQueries } from "./claim.ts"
import { figureQueries } from "./figures.ts"
import { grantVerbQueries } from "./grants.ts"
import { identityQueries } from "./identity.ts"
import { instanceQueries } from "./instances.ts"
import { keyRingQueries } from "./key-ring.ts"
import { leaseQueries } from "./lease.ts"
import { ledgerVerbQueries } from "./ledger.ts"
import { ledgerPageQueries } from "./ledger-pages.ts"
import { offerQueries } from "./offers.ts"
import { recoverQueries } from "./recover.ts"
import { redeemQueries } from "./redeem.ts"
import { revocationQueries } from "./revocations.ts"
import { settlementQueries } from "./settlement.ts"
import { transactionVerbQueries } from "./transactions.ts"
import { unitQueries } from "./units.ts"
import { usedKeyQueries } from "./used-keys.ts"
import { whitelistQueries } from "./whitelist.ts"

/** The statements of `bookQueries` look through whole tables; all others must find their rows by an index. */
export const queries: readonly string[] = [
  exposureQueries,
  failedTryQueries,
  grantQueries,
  ledgerQueries,
  moveQueries,
  redemptionQueries,
  stopQueries,
  transactionQueries,
  memberQueries,
  admissionQueries,
  bookQueries,
  catchUpQueries,
  claimQueries,
  figureQueries,
  grantVerbQueries,
  identityQueries,
  instanceQueries,
  keyRingQueries,
  leaseQueries,
  ledgerVerbQueries,
  ledgerPageQueries,
  offerQueries,
  recoverQueries,
  redeemQueries,
  revocationQueries,
  settlementQueries,
  transactionVerbQueries,
  unitQueries,
  usedKeyQueries,
  whitelistQueries,
].flatMap((each) => Object.values(each))
