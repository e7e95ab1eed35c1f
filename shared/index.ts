/** Exports the words of the wire, on which server and client must agree byte for byte. */

export { networks } from "./networks/index.ts"
export type { AssetInfo, NetworkInfo } from "./networks/network.ts"
export { type ErrorBody, gateRefusals, type NextAction, refusals } from "./refusals.ts"
export { schemes } from "./schemes/index.ts"
export type { Scheme, SignedTransfer, TypedDataSigner } from "./schemes/scheme.ts"
export { AmountError, formatAmount, parseAmount, parseAtomic } from "./values/amount.ts"
export { decodeHeader, encodeHeader } from "./values/codec.ts"
export { commitmentNonce, openingOf } from "./x402/commitment.ts"
