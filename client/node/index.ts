/** `ticket402/client/node`: the client's store in a file, for Node. */
export { createFileStore, type FileStore, type FileStoreOptions } from "./file-store.ts"
