/** Sends bytes to a server over a socket, for requests that no HTTP client would make. */
import { connect } from "node:net"

/**
 * Sends the bytes, ends the sending side unless `staysOpen`, and returns all bytes of the answer. Rejects when the answer
 * does not end within `seconds`.
 */
export function sendRaw(
  port: number,
  bytes: string | Uint8Array,
  seconds = 15,
  staysOpen = false,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    let answer = ""
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no end within ${seconds} s`))
    }, seconds * 1000)
    socket.setEncoding("latin1").on("data", (text: string) => {
      answer += text
    })
    // A server may reset the connection after its answer; the bytes before the reset count.
    socket.on("error", () => undefined)
    socket.on("close", () => {
      clearTimeout(timer)
      resolve(answer)
    })
    if (staysOpen) socket.write(bytes)
    else socket.end(bytes)
  })
}

/** The status of every answer, in order. */
export const statusesOf = (answer: string): readonly number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))
