/** `ticket402/client`: a `fetch` that buys access tokens within a budget. */
export type { Receipt } from "../shared/oauth/receipt.ts"
export type { TypedDataSigner as Signer } from "../shared/schemes/scheme.ts"
export { type Client, createClient, type Spent } from "./app/client.ts"
export type { ClientOptions } from "./app/options.ts"
export type { Balances } from "./core/balances.ts"
export type { CallPlans, Fetch } from "./core/call.ts"
export type { ErrorDetail, Ticket402ErrorCode } from "./core/errors.ts"
export {
  BudgetRefusal,
  type BudgetRule,
  PolicyRefusal,
  type PolicyRule,
  Ticket402Error,
} from "./core/errors.ts"
export type { ClientEvent } from "./core/events.ts"
export type { ApprovalReason, Approve, PurchaseTerms } from "./purchase/approval.ts"
export type { DryRun, DryRunCall } from "./purchase/dry-run.ts"
export type { TopUp } from "./purchase/top-up.ts"
export { createProviderSigner, type Provider } from "./signers/provider-signer.ts"
export { createRemoteSigner, type RemoteSignerOptions } from "./signers/remote-signer.ts"
export { verifyReceipt } from "./verifier/receipt.ts"
export type { TokenVerdict, Verifier, VerifierOptions } from "./verifier/verify.ts"
export { createVerifier } from "./verifier/verify.ts"
export type { Derive, DerivedToken, DeriveOptions } from "./wallet/derive.ts"
export { createMemoryStore } from "./wallet/memory-store.ts"
export type { FetchReceipt, SignedReceipt } from "./wallet/receipt.ts"
export type { ClientStore } from "./wallet/store.ts"
export type { GrantSummary } from "./wallet/wallet.ts"
export { type InstallOptions, installFetch } from "./wire/global-fetch.ts"
