/** The words of the wire: what server and client must agree on, byte for byte. */
export { AmountError, formatAmount, parseAmount, parseAtomic } from "./amount.ts"
export { decodeHeader, encodeHeader } from "./codec.ts"
export { commitmentNonce, openingOf } from "./commitment.ts"
export { type ErrorBody, gateRefusals, type NextAction, refusals } from "./errors.ts"
export type { AssetInfo, NetworkInfo } from "./network.ts"
export { networks } from "./networks/index.ts"
export type { Scheme, SignedTransfer, TypedDataSigner } from "./scheme.ts"
export { schemes } from "./schemes/index.ts"
