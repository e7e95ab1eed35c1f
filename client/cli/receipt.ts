/** `receipt`: prints the signed receipt of the payment for a URL, after checking its signature. */
import type { Exit } from "./failures.ts"
import { openSession, type SessionOptions } from "./session.ts"
import type { Terminal } from "./terminal.ts"

export async function receipt(url: string, options: SessionOptions, terminal: Terminal): Promise<Exit> {
  const { client, close } = await openSession(options, terminal)
  try {
    const { signed, content } = await client.receipt(url)
    terminal.printJson({ ...content, signed })
    return "answered"
  } finally {
    close()
  }
}
