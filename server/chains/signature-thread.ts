/** Recovers one signer per task in a signature thread. */
import { type Address, type Hex, recoverSigner } from "../../shared/values/evm.ts"

export type SignatureTask = { readonly digest: Hex; readonly signature: Hex }

export const recoverTask = ({ digest, signature }: SignatureTask): Promise<Address | undefined> =>
  recoverSigner(digest, signature)
