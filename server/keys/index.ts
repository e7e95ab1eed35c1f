/** The public names of this room. */

export { openAdminTokens, rotateAdminToken } from "./admin-tokens.ts"
export type { Signer } from "./external-signer.ts"
export { KeyFileError } from "./files.ts"
export { verifyProof } from "./proofs.ts"
export { openRelayerKey, openRelayerKeys } from "./relayer-key.ts"
export type { RingStorage } from "./ring.ts"
export { inDatabase, openRingDatabase, readStoredRingId } from "./ring-database.ts"
export { createRingFile, readRingId } from "./ring-file.ts"
export { type KeyOptions, openKeys, openRing } from "./service-keys.ts"
