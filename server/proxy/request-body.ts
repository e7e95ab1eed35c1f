/** Passes the body of a request on within a limit, and keeps the buyer's connection when the upstream fails. */
import type { IncomingMessage } from "node:http"
import { Readable, Transform } from "node:stream"
import { bytesOf, hasBody, isLost } from "../adapters/body-bytes.ts"
import { BodyTooLarge, BuyerLeft } from "./failures.ts"

/** Null for a request without a body. Throws where a parser has read the bytes. */
export function openBody(req: IncomingMessage, mostBytes: number): Readable | null {
  if (!hasBody(req)) return null
  if (isLost(req))
    throw new Error("the body was parsed before createProxy(), wanted the proxy before parsers")
  const bytes = bytesOf(req)
  if (bytes) return bytes.length > mostBytes ? failed(new BodyTooLarge()) : Readable.from([bytes])
  let count = 0
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      count += chunk.length
      if (count > mostBytes) done(new BodyTooLarge())
      else done(null, chunk)
    },
  })
  // Not `pipeline`: it would destroy the request, and with it the connection that the answer needs.
  req.pipe(body)
  req.once("close", () => {
    if (!req.complete) body.destroy(new BuyerLeft())
  })
  // A failure between two readers is the next reader's.
  body.on("error", () => undefined)
  return body
}

function failed(error: Error): Readable {
  return new Readable({
    read() {
      this.destroy(error)
    },
  })
}

/** By its own word. Without one, the bytes are counted as they come. */
export const isTooLong = ({ headers }: IncomingMessage, mostBytes: number): boolean =>
  Number(headers["content-length"] ?? 0) > mostBytes

export async function readAll(body: Readable | null): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  if (body) for await (const chunk of body) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}
